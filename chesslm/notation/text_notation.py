"""Games as plain text that a foreign tokenizer cuts: the notation of public checkpoints.

Knows: how prompts, spellings and what follows fall out of the tokenizer's own segmentation of the text.
Doesn't know: the tokenizer's files, or the network (`chesslm.hugging_face`).

Rules, where tokens and moves have different borders:

* A text is cut word by word (a separator with all that follows it), as the tokenizer cuts the whole; only this
  canonical segmentation counts, so with BPE a move's probability is a lower bound (METRICS section 1).
* A prompt ends at the last border that the segmentations of all moves share: before ` Nf3` if tokens can begin with
  the space, behind the space if it is always a token of its own. What of the move's word lies behind that border, the
  overlap, is given: at the first token only tokens that agree with it remain, results and marks removed.
* A token that holds the end of the move and its mark (`7#`) ends the spelling; the move has a wording for each mark
  then, and what is read is judged without the mark.
* A move that the tokenizer has no tokens for has no spelling: its probability is 0. A game with such a move is refused.
* Results aren't measured; an encoded game ends in a result and an end token of our own that no network is ever fed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import chess
from tokenizers import Tokenizer

from chesslm.errors import FormatError, UnsupportedPosition
from chesslm.game import RESULTS, Game
from chesslm.notation.base import EncodedGame, PlyPiece
from chesslm.notation.history import History
from chesslm.notation.text_plies import Ids, TextPlies
from chesslm.notation.text_template import TextTemplate
from chesslm.notation.text_vocabulary import TextVocabulary, text_vocabulary
from chesslm.san import UNREADABLE, fault, mark_after, split_mark

# Characters of moves and marks: what a move that is settled could go on with.
_INNER = re.compile(r"[a-hnqrNBRQKO1-8x=-]+[+#]?")
_NUMBER = re.compile(r"\s*(?:\d*\.)?\s*")


class TextNotation:
    """Foreign text behind the `Notation` protocol.

    Args:
        tokeniser: the checkpoint's.
        template: how its training text writes games.
        num_ids: rows of the network's vocabulary; at least as many as the tokenizer has ids.
        begin_id: the token before all text, if any.
        end_id: the token that ends texts, if any.
        source: named in errors.

    Raises:
        FormatError: the tokenizer can't write games in this way; says why.
    """

    def __init__(
        self,
        tokeniser: Tokenizer,
        template: TextTemplate,
        *,
        num_ids: int,
        begin_id: int | None,
        end_id: int | None,
        source: str,
    ) -> None:
        self._plies = TextPlies(tokeniser, template, source=source)
        self._tokens = self._plies.tokens
        self._moves = self._plies.moves
        num_known = len(self._tokens.surfaces)
        if num_known > num_ids:
            raise FormatError(f"{source}: its tokenizer has {num_known} ids, its weights know {num_ids}")
        names = [tokeniser.id_to_token(token) or f"<unused {token}>" for token in range(num_ids)]
        self._vocabulary = text_vocabulary(self._plies, names, begin_id=begin_id, end_id=end_id)
        self._result_ids = dict(self._vocabulary.our_results)
        self._begin: Ids = () if begin_id is None else (begin_id,)
        self._history = History(self._whole_ply, self._moves.core)
        self._inner = [(t, text) for t, text in enumerate(self._tokens.surfaces) if text and _INNER.fullmatch(text)]
        self._longer: dict[str, frozenset[int]] = {}
        if not self.end_prompt(chess.Board()):
            raise FormatError(f"{source}: nothing stands before the first move of a game; name a token with `begin`")

    @property
    def name(self) -> str:
        """`text-` and the way of writing."""
        return f"text-{self._plies.template.text}"

    @property
    def vocabulary(self) -> TextVocabulary:
        """The tokenizer's ids, with roles."""
        return self._vocabulary

    def encode_game(self, game: Game) -> EncodedGame:
        """Write a whole game; a result and an end token of our own stand at its end.

        Raises:
            UnsupportedPosition: the tokenizer has no tokens for a move.
            ValueError: a ply isn't SAN, or the result is unknown.
        """
        if game.result not in RESULTS:
            raise ValueError(f"unknown result {game.result!r}")
        ids, spans = list(self._begin), []
        for ply, (core, mark) in enumerate(self._moves.cores_and_marks(game.san)):
            written = self._plies.ply(ply, core, mark)
            ids += written.before
            spans.append((len(ids), len(ids) + len(written.spelling)))
            ids += (*written.spelling, *written.follow)
        ids += (self._result_ids[game.result], self._vocabulary.end_id)
        return EncodedGame(ids, spans)

    def before(self, ply: int) -> Ids:
        """What stands before the border of a ply's moves: a number, a separator."""
        return self._plies.before(ply)

    def ply_piece(self, san: str, *, is_white: bool) -> PlyPiece | None:
        """None: what is written depends on the ply."""
        del san, is_white
        return None

    def move_piece(self, move: chess.Move) -> PlyPiece | None:
        """None, as `ply_piece`."""
        del move
        return None

    def decode_game(self, ids: Sequence[int]) -> Game:
        """The inverse of `encode_game`, with an empty id.

        Raises:
            FormatError: the ids are not a whole game of this text.
        """
        results = {token: result for result, token in self._vocabulary.our_results}
        size = len(self._begin)
        text = self._tokens.text(ids[size:-2])
        is_framed = len(ids) >= size + 2 and tuple(ids[:size]) == self._begin and ids[-1] == self._vocabulary.end_id
        if text is None or not is_framed or ids[-2] not in results:
            raise FormatError(f"not a whole {self.name} game: begin, text, a result and an end are needed")
        moves = text.removeprefix(" ").removeprefix(self._plies.template.prefix)
        words = re.sub(r"(?:^|(?<= ))\d+\.", " ", moves).split()
        try:
            game = Game("", tuple(self._moves.sans([split_mark(word) for word in words])), results[ids[-2]])
            is_same = self.encode_game(game).ids == list(ids)
        except (ValueError, UnsupportedPosition):
            is_same = False
        if not is_same:
            raise FormatError(f"not a {self.name} game: {text[:40]!r}")
        return game

    def end_prompt(self, board: chess.Board) -> list[int]:
        """All that stands before a ply's number or separator; at least one token, so that a text can begin with it.

        Raises:
            UnsupportedPosition: the game began elsewhere, or the tokenizer has no tokens for one of its moves.
        """
        return [*self._begin, *self._history.of(board).ids] or self.prompt(board)

    def prompt(self, board: chess.Board) -> list[int]:
        """All that stands before the next move's spelling, from the begin token on; raises as `end_prompt` does."""
        return [*self._begin, *self._history.of(board).ids, *self.before(len(board.move_stack))]

    def spell(self, board: chess.Board, move: chess.Move) -> list[int]:
        """The canonical segmentation of a legal move in its game; ValueError for an illegal one.

        Raises:
            UnsupportedPosition: the tokenizer has no tokens for it.
        """
        core = self._moves.core(board, move)
        return list(self._plies.ply(len(board.move_stack), core, self._mark(board, move)).spelling)

    def spellings(self, board: chess.Board, move: chess.Move) -> list[list[int]]:
        """Every wording, `spell`'s first: with each mark, where marks share a token with the move.

        Empty where the tokenizer has no tokens for the move. ValueError for an illegal one.
        """
        core = self._moves.core(board, move)
        ply = len(board.move_stack)
        written = {mark: self._plies.move(ply, core, mark) for mark in ("", *self._moves.marks)}
        every = dict.fromkeys(parts[0] for parts in written.values() if parts is not None)
        if len(every) > 1:
            own = written[self._mark(board, move)]
            every = dict.fromkeys([*((own[0],) if own else ()), *every])
        return [list(spelling) for spelling in every]

    def follow(self, board: chess.Board, move: chess.Move) -> list[int]:
        """The mark, as far as it has tokens of its own."""
        core = self._moves.core(board, move)
        return list(self._plies.ply(len(board.move_stack), core, self._mark(board, move)).follow)

    def is_complete(self, board: chess.Board, ids: Sequence[int]) -> bool | None:
        """Grammar only: True, the move is settled; False, not yet; None, it can no longer become a move."""
        text = self._tokens.text(ids)
        if text is None:
            return None
        overlap = self._plies.border(len(board.move_stack)).overlap
        if not text.startswith(overlap):
            return False if overlap.startswith(text) else None
        return self._is_settled(text[len(overlap) :])

    def continuations(self, ids: Sequence[int]) -> frozenset[int]:
        """Tokens with which a settled text could go on to another move: `-O` after `O-O`."""
        text = self._tokens.text(ids)
        if text is None:
            return frozenset()
        text = text[self._lead_len(text) :]
        found = self._longer.get(text)
        if found is None:
            found = self._longer[text] = frozenset(self._going_on(text))
        return found

    def read(self, board: chess.Board, ids: Sequence[int]) -> chess.Move:
        """The move that ids spell in this position; a mark that their last token ends with isn't judged.

        Raises:
            UnreadableMove, AmbiguousMove, IllegalMove: only the text of a legal move is a move.
        """
        text = self._tokens.text(ids)
        overlap = self._plies.border(len(board.move_stack)).overlap
        if text is None or not text.startswith(overlap):
            raise fault(board, self.text(ids).strip(), UNREADABLE)
        word = text[len(overlap) :]
        if not word or word[0].isspace():
            raise fault(board, text, UNREADABLE)
        return self._moves.read(board, self._split(word.split()[0])[0])

    def text(self, ids: Sequence[int]) -> str:
        """What the tokens stand for, joined; special tokens in their own spelling."""
        texts = [self._tokens.text([token]) for token in ids]
        return "".join(
            self._vocabulary.string_of(token) if text is None else text for token, text in zip(ids, texts, strict=True)
        )

    def san_of(self, ids: Sequence[int]) -> str | None:
        """A spelling's text without what stands before and behind it, unjudged; None if it has no SAN form."""
        text = self._tokens.text(ids)
        words = text[self._lead_len(text) :].split() if text else []
        return self._moves.san_of(words[0]) if words else None

    def resources(self) -> Mapping[str, bytes]:
        """Nothing: a foreign vocabulary stays with its checkpoint."""
        return {}

    def _whole_ply(self, ply: int, core: str, mark: str, cores_before: str) -> Ids:
        del cores_before
        before, spelling, follow = self._plies.ply(ply, core, mark if self._moves.marks else "")
        return (*before, *spelling, *follow)

    def _mark(self, board: chess.Board, move: chess.Move) -> str:
        """The mark that is written behind a legal move."""
        if not self._moves.marks or not board.gives_check(move):
            return ""
        board.push(move)
        mark = mark_after(board)
        board.pop()
        return mark

    def _split(self, word: str) -> tuple[str, str]:
        return split_mark(word) if self._moves.marks else (word, "")

    def _lead_len(self, text: str) -> int:
        """Characters before the move's first, where no position is at hand: a separator, a number, the prefix."""
        prefix = self._plies.template.prefix
        start = len(prefix) if prefix and text.startswith(prefix) else 0
        match = _NUMBER.match(text, start)
        return start if match is None else match.end()

    def _is_settled(self, text: str) -> bool | None:
        """`is_complete` of what stands behind the overlap, with whatever a last token has behind the move."""
        if not text or text[0].isspace():
            return None if text else False
        word = text.split()[0]
        core, mark = self._split(word)
        settled = self._moves.is_settled(core)
        if mark or len(word) < len(text):
            return settled or None
        return settled

    def _going_on(self, text: str) -> list[int]:
        if self._is_settled(text) is not True or self._moves.is_settled(text) is not True:
            return []
        return [token for token, more in self._inner if self._is_settled(text + more) is not None]
