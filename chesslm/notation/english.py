"""The same games in English: one sentence a ply, in a vocabulary that byte-pair encoding learned from such sentences.

Knows: `english` (one wording) and `english_varied` (several, chosen by the game so far), and how they are trained.
Doesn't know: the words (`wording.py`), the merges (`bpe.py`), or legality (`chesslm.san` judges).

    >>> game = Game("", ("e4", "d5", "exd5", "Qxd5", "Nc3", "Qe6+"), "1-0")
    >>> notation = build("english", [game])
    >>> print(notation.text(notation.encode_game(game).ids))  # doctest: +NORMALIZE_WHITESPACE
    <begin> White moves pawn to e4. Black moves pawn to d5. White captures with pawn from file e on d5.
    Black captures with queen on d5. White moves knight to c3. Black moves queen to e6 with check. White wins.<end>
    >>> varied = build("english_varied", [game])
    >>> print(varied.text(varied.encode_game(game).ids))  # doctest: +NORMALIZE_WHITESPACE
    <begin> White puts the pawn on e4. The black pawn moves to d5. White captures with pawn from file e on d5.
    Black takes with the queen on d5. White moves knight to c3. The black queen moves to e6 with check. White wins.<end>
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import chess

from chesslm.errors import FormatError
from chesslm.game import Game
from chesslm.notation.bpe import Bpe, train
from chesslm.notation.frame import plies_and_result
from chesslm.notation.san_notation import Ids, SanNotation, choose
from chesslm.notation.stored_vocabulary import read_vocabulary, vocabulary_bytes
from chesslm.notation.wording import FOLLOWS, MARK_WORDS, WORDINGS, Grammar, Wording
from chesslm.san import UNREADABLE, WRONG_COLOUR, fault, judge, split_mark
from chesslm.vocabulary import Vocabulary

_SPECIALS = ("<begin>", "<end>", "<pad>")
_RESULTS = {
    "1-0": " White wins.",
    "0-1": " Black wins.",
    "1/2-1/2": " The game is drawn.",
    "*": " The game is unfinished.",
}
# name -> its wordings, and the seed of the choice between them
_KINDS: dict[str, tuple[tuple[Wording, ...], str | None]] = {
    "english": (WORDINGS[:1], None),
    "english_varied": (WORDINGS, "chesslm english_varied 1 "),
}


class EnglishNotation(SanNotation):
    """English sentences behind the `Notation` protocol."""

    def __init__(self, name: str, bpe: Bpe) -> None:
        self._wording_list, seed = _KINDS[name]
        self._bpe = bpe
        self._grammar = Grammar(self._wording_list)
        follows = {mark: bpe.encode(text) for mark, text in FOLLOWS.items()}
        super().__init__(name, _vocabulary(name, bpe), follows, seed=seed)

    def _before(self, ply: int) -> Ids:
        del ply  # sentences aren't numbered
        return ()

    def _wordings(self, *, is_white: bool, core: str) -> tuple[Ids, ...]:
        return tuple(self._bpe.encode(wording.write(core, is_white=is_white)) for wording in self._wording_list)

    def _is_settled(self, ids: Sequence[int]) -> bool | None:
        return self._grammar.is_settled(self._join(ids))

    def read(self, board: chess.Board, ids: Sequence[int]) -> chess.Move:
        """The move that ids spell in this position; judges the decoded text, however it is cut into tokens.

        Raises:
            UnreadableMove, AmbiguousMove, IllegalMove: only a text of `spellings` is a move.
        """
        text = self._join(ids)
        said = self._grammar.read(text)
        if said is None:
            raise fault(board, text, UNREADABLE)
        is_white, core = said
        if is_white != board.turn:
            raise fault(board, text, WRONG_COLOUR)
        return judge(board, core, written=text)

    def san_of(self, ids: Sequence[int]) -> str | None:
        """The SAN of a spelling, unjudged; None if the text is no spelling. Says nothing of whose move it is."""
        said = self._grammar.read(self._join(ids))
        return None if said is None else said[1]

    def text(self, ids: Sequence[int]) -> str:
        """The sentences, without the space before the first."""
        return self._join(ids).removeprefix(" ")

    def decode_game(self, ids: Sequence[int]) -> Game:
        """The inverse of `encode_game`, with an empty id; takes every wording, however it is cut into tokens.

        Raises:
            FormatError: the ids are not a whole game of this notation.
        """
        plies, result = plies_and_result(self.name, self.vocabulary, ids)
        sans: list[str] = []
        try:
            for is_white, san in self._grammar.sentences(self._join(plies)):
                if is_white != (len(sans) % 2 == 0):
                    raise ValueError(f"ply {len(sans)} is told of the wrong side: {san}")
                sans.append(san)
        except ValueError as error:
            raise FormatError(f"not an {self.name} game: {error}") from error
        return Game("", tuple(sans), result)

    def _join(self, ids: Iterable[int]) -> str:
        return "".join(self.vocabulary.string_of(token_id) for token_id in ids)

    def resources(self) -> Mapping[str, bytes]:
        """`tokenizer.json`, which machines load, and `vocabulary.json`, which people read."""
        return {"vocabulary.json": vocabulary_bytes(self.vocabulary), "tokenizer.json": self._bpe.content}


def _vocabulary(name: str, bpe: Bpe) -> Vocabulary:
    wordings, _ = _KINDS[name]
    firsts = {
        bpe.encode(wording.write("e4", is_white=is_white))[0] for wording in wordings for is_white in (True, False)
    }
    # With few games to learn from, a mark's word may fall into pieces, and such a piece may begin a move too: then
    # it can't be kept out of the first token, and isn't a mark.
    marks = {token_id for word in MARK_WORDS for token_id in bpe.encode(word)} - firsts
    return Vocabulary(bpe.tokens, *_SPECIALS, results=_RESULTS, marks=tuple(bpe.tokens[mark] for mark in sorted(marks)))


def _sentences(name: str, games: Iterable[Game]) -> list[str]:
    wordings, seed = _KINDS[name]
    known: dict[tuple[bool, str], list[str]] = {}  # most sentences recur: the list holds each string once
    sentences = []
    for game in games:
        cores = ""
        for ply, san in enumerate(game.san):
            core, mark = split_mark(san)
            key = (ply % 2 == 0, san)
            if key not in known:
                known[key] = [wording.write(core, is_white=key[0]) + FOLLOWS[mark] for wording in wordings]
            sentences.append(known[key][0 if seed is None else choose(seed, cores, core, len(wordings))])
            cores += f"{core} "
    return sentences


def _alphabet(name: str) -> set[str]:
    """Every character that the notation can write."""
    texts = [*FOLLOWS.values()]
    samples = ["O-O", "O-O-O", *(f"{piece}{square}" for piece in "NBRQK" for square in chess.SQUARE_NAMES)]
    samples += ["Nbd2", "N1d2", "exd8=N", "exd8=B", "exd8=R", "exd8=Q"]
    for wording in _KINDS[name][0]:
        texts += [wording.write(san, is_white=is_white) for san in samples for is_white in (True, False)]
    return set("".join(texts))


def build(name: str, games: Iterable[Game]) -> EnglishNotation:
    """The notation, its tokeniser trained on the sentences of these games."""
    content = train(_sentences(name, games), alphabet=_alphabet(name), added=(*_SPECIALS, *_RESULTS.values()))
    return EnglishNotation(name, Bpe(content, source=f"the new {name} tokeniser"))


def load(name: str, resources: Mapping[str, bytes], source: str) -> EnglishNotation:
    """The notation from its resource files.

    Raises:
        FormatError: one is missing or can't be used, or they don't agree; names `source`.
    """
    stored = read_vocabulary(resources, source)
    if "tokenizer.json" not in resources:
        raise FormatError(f"{source}: no tokenizer.json, which {name} needs")
    bpe = Bpe(resources["tokenizer.json"], source=source)
    lacking = {*_SPECIALS, *_RESULTS.values(), *_alphabet(name)} - set(bpe.tokens)
    if lacking:
        raise FormatError(f"{source}: not the tokeniser of {name}: it has no token {min(lacking)!r}")
    notation = EnglishNotation(name, bpe)
    if stored.fingerprint != notation.vocabulary.fingerprint:
        raise FormatError(
            f"{source}: vocabulary.json has fingerprint {stored.fingerprint[:12]}, "
            f"but tokenizer.json has {notation.vocabulary.fingerprint[:12]}"
        )
    return notation
