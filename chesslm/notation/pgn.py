"""The domain language: PGN movetext, one token for each square, piece letter, move number and symbol.

Knows: the vocabulary, computed by code, and how SAN falls into its tokens.
Doesn't know: legality (`chesslm.san` judges) and comments, variations or glyphs, which no game here has.

Numbers stand before White's plies only. A square token is always the destination, files and ranks are disambiguation:
`Nbd7+` is N, b, d7, +; `Qh4e1` is Q, h, 4, e1; `exd8=Q` is e, x, d8, =, Q.

    >>> notation = build("pgn", ())
    >>> encoded = notation.encode_game(Game("", ("e4", "d5", "exd5", "Qxd5", "Nc3", "Qe6+"), "*"))
    >>> [notation.vocabulary.string_of(token_id) for token_id in encoded.ids]  # doctest: +NORMALIZE_WHITESPACE
    ['<begin>', '1.', 'e4', 'd5', '2.', 'e', 'x', 'd5', 'Q', 'x', 'd5', '3.', 'N', 'c3', 'Q', 'e6', '+',
     '*', '<end>']
    >>> encoded.spans
    [(2, 3), (3, 4), (5, 8), (8, 11), (12, 14), (14, 16)]
    >>> notation.text(encoded.ids)
    '<begin> 1. e4 d5 2. exd5 Qxd5 3. Nc3 Qe6+ * <end>'
    >>> len(notation.vocabulary)
    298
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import chess
import regex

from chesslm.errors import FormatError, GameTooLong
from chesslm.game import RESULTS, Game
from chesslm.notation.frame import plies_and_result
from chesslm.notation.san_notation import Ids, SanNotation
from chesslm.notation.stored_vocabulary import require_vocabulary
from chesslm.san import KINGSIDE, QUEENSIDE, UNREADABLE, fault, judge, parse
from chesslm.vocabulary import Vocabulary

MAX_MOVE_NUMBER = 200
SYMBOLS = ("x", "+", "#", "=", KINGSIDE, QUEENSIDE)
PIECE_LETTERS = ("N", "B", "R", "Q", "K")
_MARKS = ("+", "#")

# A move in classes of tokens: P piece letter, f file, r rank, s square, l square of the last ranks, c castling.
_MOVE = regex.compile(r"c|Pf?r?x?[sl]|(?:fr?x?)?(?:s|l=P)")


def pgn_vocabulary() -> Vocabulary:
    """3 specials, 4 results, 200 numbers, 6 symbols, 5 piece letters, 64 squares, 8 files, 8 ranks."""
    specials = ("<begin>", "<end>", "<pad>")
    numbers = tuple(f"{number}." for number in range(1, MAX_MOVE_NUMBER + 1))
    squares = tuple(chess.SQUARE_NAMES)
    tokens = (
        *specials,
        *RESULTS,
        *numbers,
        *SYMBOLS,
        *PIECE_LETTERS,
        *squares,
        *chess.FILE_NAMES,
        *chess.RANK_NAMES,
    )
    return Vocabulary(tokens, *specials, results={result: result for result in RESULTS}, marks=_MARKS)


class PgnNotation(SanNotation):
    """PGN movetext behind the `Notation` protocol."""

    def __init__(self, name: str, vocabulary: Vocabulary) -> None:
        id_of = vocabulary.id_of
        super().__init__(name, vocabulary, {"": (), "+": (id_of("+"),), "#": (id_of("#"),)})
        self._numbers = [id_of(f"{number}.") for number in range(1, MAX_MOVE_NUMBER + 1)]
        self._classes = {id_of(token): _class_of(token) for token in vocabulary.tokens}

    def _before(self, ply: int) -> Ids:
        if ply % 2:
            return ()
        if ply // 2 >= MAX_MOVE_NUMBER:
            raise GameTooLong(f"move number {ply // 2 + 1} has no token; the last is {MAX_MOVE_NUMBER}")
        return (self._numbers[ply // 2],)

    def _wordings(self, *, is_white: bool, core: str) -> tuple[Ids, ...]:
        del is_white  # both sides write alike
        return (tuple(self.vocabulary.id_of(token) for token in _split(core)),)

    def _is_settled(self, ids: Sequence[int]) -> bool | None:
        match = _MOVE.fullmatch("".join(self._classes.get(token_id, "?") for token_id in ids), partial=True)
        return None if match is None else not match.partial

    def read(self, board: chess.Board, ids: Sequence[int]) -> chess.Move:
        """The move that ids spell in this position.

        Raises:
            UnreadableMove, AmbiguousMove, IllegalMove: only a text of `spellings` is a move.
        """
        san = self.san_of(ids)
        if san is None or san[-1:] in _MARKS:
            raise fault(board, self.text(ids), UNREADABLE)
        return judge(board, san)

    def san_of(self, ids: Sequence[int]) -> str | None:
        """The tokens of a spelling joined, unjudged; None if a number, a result or a special is among them."""
        if any(self._classes.get(token_id, "?") == "?" for token_id in ids):
            return None
        return self._join(ids)

    def text(self, ids: Sequence[int]) -> str:
        """Movetext as in a PGN file: the tokens of a move are joined, all else is set apart by spaces."""
        words: list[str] = []
        move: list[int] = []  # tokens of the move that is being written
        for token_id in ids:
            token = self.vocabulary.string_of(token_id)
            is_written_in_moves = self._classes[token_id] != "?"
            if move and is_written_in_moves and (token in _MARKS or self._is_settled(move) is False):
                words[-1] += token
            else:
                words.append(token)
                move = []
            if is_written_in_moves:
                move.append(token_id)
        return " ".join(words)

    def decode_game(self, ids: Sequence[int]) -> Game:
        """The inverse of `encode_game`, with an empty id.

        Raises:
            FormatError: the ids are not a whole game of this notation.
        """
        rest, result = plies_and_result(self.name, self.vocabulary, ids)
        sans: list[str] = []
        place = 0
        while place < len(rest):
            number = self._before(len(sans))
            start = place + len(number)
            end = self._end_of_move(rest, start)
            if tuple(rest[place:start]) != number or end is None:
                raise FormatError(f"not a pgn game: ply {len(sans)} can't be read in {self.text(rest[place:])[:40]!r}")
            if end < len(rest) and rest[end] in self.vocabulary.mark_ids:
                end += 1
            sans.append(self._join(rest[start:end]))
            place = end
        return Game("", tuple(sans), result)

    def _end_of_move(self, ids: Sequence[int], start: int) -> int | None:
        for end in range(start + 1, len(ids) + 1):
            settled = self._is_settled(ids[start:end])
            if settled is not False:
                return end if settled else None
        return None

    def _join(self, ids: Iterable[int]) -> str:
        return "".join(self.vocabulary.string_of(token_id) for token_id in ids)


def _class_of(token: str) -> str:
    """The letter that stands for a token in `_MOVE`; `m` for marks, `?` for what can't stand in a move."""
    if token in PIECE_LETTERS:
        return "P"
    if token in chess.SQUARE_NAMES:
        return "l" if token[1] in "18" else "s"
    if token in chess.FILE_NAMES:
        return "f"
    if token in chess.RANK_NAMES:
        return "r"
    return {"x": "x", "=": "=", KINGSIDE: "c", QUEENSIDE: "c", "+": "m", "#": "m"}.get(token, "?")


def _split(core: str) -> list[str]:
    """The tokens of a core SAN; only its destination is a square."""
    parts = parse(core)
    if parts is None or parts.mark:
        raise ValueError(f"{core!r} is not SAN")
    if parts.to_square is None:
        return [core]
    before, square, after = core.rpartition(chess.SQUARE_NAMES[parts.to_square])
    return [*before, square, *after]


def build(name: str, games: Iterable[Game]) -> PgnNotation:
    """The notation; its vocabulary is computed, so the games are not looked at."""
    del games
    return PgnNotation(name, pgn_vocabulary())


def load(name: str, resources: Mapping[str, bytes], source: str) -> PgnNotation:
    """The notation from its resource files.

    Raises:
        FormatError: the stored vocabulary isn't the computed one; names both fingerprints.
    """
    return PgnNotation(name, require_vocabulary(name, pgn_vocabulary(), resources, source))
