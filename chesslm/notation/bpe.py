"""Byte-pair encoding of sentences, trained with the `tokenizers` library; deterministic.

Knows: how sentences fall into words, how the merges are trained, and the vocabulary that a tokeniser has.
Doesn't know: what the sentences say.

A sentence is pre-tokenised into words and punctuation, a word keeps the space before it, and merges never cross words.
So a frequent square is one token (" e4"), and the ids of a sentence are the ids of its words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from chesslm.errors import FormatError

MAX_ENTRIES = 4_096
_WORD = r" ?\w+|'\w+|[^\w\s]"
_WORDS_A_TEXT = 5_000
_BETWEEN_WORDS = "\0"  # in no sentence


def train(sentences: Sequence[str], *, alphabet: Iterable[str], added: Sequence[str]) -> bytes:
    """The content of `tokenizer.json`: the same sentences in any order give the same bytes.

    Args:
        sentences: with their leading spaces.
        alphabet: characters that must be tokens though the sentences may lack them.
        added: tokens that stand for themselves, one id each from 0 on, never a result of merges.
    """
    into_words = pre_tokenizers.Split(Regex(_WORD), behavior="isolated")
    words: Counter[str] = Counter()
    for sentence, count in Counter(sentences).items():
        for word, _ in into_words.pre_tokenize_str(sentence):
            words[word] += count
    tokeniser = Tokenizer(models.BPE())
    # Sentences recur. Merges depend on how often each word occurs alone, and words are counted sooner here than there.
    tokeniser.pre_tokenizer = pre_tokenizers.CharDelimiterSplit(_BETWEEN_WORDS)
    tokeniser.decoder = decoders.Fuse()
    trainer = trainers.BpeTrainer(
        vocab_size=MAX_ENTRIES,
        min_frequency=2,
        show_progress=False,
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in added],
        initial_alphabet=sorted(set(alphabet)),
    )
    tokeniser.train_from_iterator(_repeated(words), trainer)
    tokeniser.pre_tokenizer = into_words
    return (tokeniser.to_str(pretty=True) + "\n").encode()


def _repeated(words: Counter[str]) -> Iterator[str]:
    """Texts in which each word stands as often as it was counted."""
    for word in sorted(words):
        for left in range(words[word], 0, -_WORDS_A_TEXT):
            yield (word + _BETWEEN_WORDS) * min(left, _WORDS_A_TEXT)


class Bpe:
    """A trained tokeniser.

    Args:
        content: of `tokenizer.json`.
        source: named in errors.

    Raises:
        FormatError: not a tokeniser of one token an id.
    """

    def __init__(self, content: bytes, *, source: str) -> None:
        try:
            self._tokeniser = Tokenizer.from_str(content.decode())
        except Exception as error:  # the library raises bare Exceptions
            raise FormatError(f"{source}: not a usable tokenizer.json: {error}") from error
        ids = self._tokeniser.get_vocab(with_added_tokens=True)
        self.tokens: tuple[str, ...] = tuple(sorted(ids, key=lambda token: ids[token]))
        if sorted(ids.values()) != list(range(len(ids))):
            raise FormatError(f"{source}: the ids of tokenizer.json are not 0, 1, 2 …")
        self.content = content

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids of a sentence or a piece of one that ends with a word; characters must be in the alphabet."""
        return tuple(self._tokeniser.encode(text, add_special_tokens=False).ids)
