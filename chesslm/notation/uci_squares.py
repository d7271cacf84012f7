"""Squares: a move is its start square, its end square and, where a pawn promotes, a letter; one token each.

Knows: the vocabulary, computed by code, and the grammar of a move in it.
Doesn't know: legality (`chesslm.uci_moves` judges).

The notation of Toshniwal et al. (2022), moves as UCI has them: castling is the king's move of two squares. Nothing says
which piece moves, whether it captures or gives check, and there are no move numbers. Two squares are a settled move;
where they lead from the seventh rank to the eighth, or from the second to the first, a letter may go on with it.
Whether there must be one shows on the board alone.

    >>> notation = build("uci_squares", ())
    >>> encoded = notation.encode_game(Game("", ("e4", "e5", "Nf3", "Nc6", "Bb5", "Nf6", "O-O"), "1/2-1/2"))
    >>> notation.text(encoded.ids)
    '<begin> e2e4 e7e5 g1f3 b8c6 f1b5 g8f6 e1g1 1/2-1/2 <end>'
    >>> [notation.vocabulary.string_of(token_id) for token_id in encoded.ids[:5]]
    ['<begin>', 'e2', 'e4', 'e7', 'e5']
    >>> encoded.spans[-1]
    (13, 15)
    >>> len(notation.vocabulary)
    75
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import chess

from chesslm.errors import FormatError, MoveTextError
from chesslm.game import RESULTS, Game
from chesslm.notation.base import EncodedGame, PlyPiece
from chesslm.notation.frame import plies_and_result
from chesslm.notation.history import History
from chesslm.notation.last_game import LastGame
from chesslm.notation.stored_vocabulary import require_vocabulary, vocabulary_bytes
from chesslm.san import UNREADABLE, core_san, fault, mark_after
from chesslm.uci_moves import UCI_MOVE, judge_uci, uci_of
from chesslm.vocabulary import Vocabulary

PROMOTION_LETTERS = ("n", "b", "r", "q")

Ids = tuple[int, ...]


def uci_squares_vocabulary() -> Vocabulary:
    """3 specials, 4 results, 64 squares, 4 letters; no marks."""
    specials = ("<begin>", "<end>", "<pad>")
    tokens = (*specials, *RESULTS, *chess.SQUARE_NAMES, *PROMOTION_LETTERS)
    return Vocabulary(tokens, *specials, results={result: result for result in RESULTS}, marks=())


class UciSquaresNotation:
    """Start squares, end squares and letters behind the `Notation` protocol."""

    def __init__(self, name: str, vocabulary: Vocabulary) -> None:
        self._name = name
        self._vocabulary = vocabulary
        self._squares = frozenset(map(vocabulary.id_of, chess.SQUARE_NAMES))
        self._letters = frozenset(map(vocabulary.id_of, PROMOTION_LETTERS))
        self._last_game = LastGame()
        self._history = History(self._whole_ply, uci_of)

    @property
    def name(self) -> str:
        """The name under which the registry knows it."""
        return self._name

    @property
    def vocabulary(self) -> Vocabulary:
        """Ids, token strings and their roles."""
        return self._vocabulary

    def encode_game(self, game: Game) -> EncodedGame:
        """Write a whole game. It is replayed: SAN doesn't say where a piece comes from.

        Raises:
            ValueError: a ply isn't SAN or not legal, or the result is unknown.
        """
        if game.result not in self._vocabulary.result_ids:
            raise ValueError(f"unknown result {game.result!r}")
        ids, spans = [self._vocabulary.begin_id], []
        for move in self._last_game.moves(game.san):
            start = len(ids)
            ids += self._written(move.uci())
            spans.append((start, len(ids)))
        ids += (self._vocabulary.result_ids[game.result], self._vocabulary.end_id)
        return EncodedGame(ids, spans)

    def before(self, ply: int) -> Ids:
        """Nothing stands before a ply."""
        del ply
        return ()

    def ply_piece(self, san: str, *, is_white: bool) -> PlyPiece | None:
        """None: SAN doesn't say where a piece comes from; `move_piece` does."""
        del san, is_white
        return None

    def move_piece(self, move: chess.Move) -> PlyPiece | None:
        """What `encode_game` writes for every ply of these squares and this promotion."""
        return PlyPiece(self._written(move.uci()), ())

    def decode_game(self, ids: Sequence[int]) -> Game:
        """The inverse of `encode_game`, with an empty id; the game is replayed.

        Raises:
            FormatError: the ids are not a whole game of legal moves in this notation.
        """
        rest, result = plies_and_result(self._name, self._vocabulary, ids)
        board, sans, place = chess.Board(), list[str](), 0
        while place < len(rest):
            end = place + (3 if rest[place + 2 : place + 3] and rest[place + 2] in self._letters else 2)
            try:
                move = self.read(board, rest[place:end])
            except MoveTextError as error:
                raise FormatError(f"not a {self._name} game: {error}") from error
            core = core_san(board, move)
            board.push(move)
            sans.append(core + mark_after(board))
            place = end
        return Game("", tuple(sans), result)

    def prompt(self, board: chess.Board) -> list[int]:
        """All that stands before the next move is written, from the begin token on.

        Raises:
            UnsupportedPosition: the game didn't begin at the start position.
        """
        return [self._vocabulary.begin_id, *self._history.of(board).ids]

    def end_prompt(self, board: chess.Board) -> list[int]:
        """The prompt: nothing stands before a ply. Raises as `prompt` does."""
        return self.prompt(board)

    def spell(self, board: chess.Board, move: chess.Move) -> list[int]:
        """The squares of a legal move, and its letter; ValueError for an illegal one."""
        return list(self._written(uci_of(board, move)))

    def spellings(self, board: chess.Board, move: chess.Move) -> list[list[int]]:
        """The only wording of a legal move; ValueError for an illegal one."""
        return [self.spell(board, move)]

    def follow(self, board: chess.Board, move: chess.Move) -> list[int]:
        """Nothing follows from a move: check and mate aren't written."""
        del board, move
        return []

    def is_complete(self, board: chess.Board, ids: Sequence[int]) -> bool | None:
        """Grammar only: True, the move is settled; False, not yet; None, it can no longer become a move."""
        del board
        return self._is_settled(ids)

    def continuations(self, ids: Sequence[int]) -> frozenset[int]:
        """The letters, where two squares lead to the last rank from the one before it."""
        if len(ids) != 2 or self._is_settled(ids) is not True:
            return frozenset()
        return frozenset(letter for letter in self._letters if self._is_settled((*ids, letter)) is True)

    def read(self, board: chess.Board, ids: Sequence[int]) -> chess.Move:
        """The move that ids spell in this position.

        Raises:
            UnreadableMove: not two squares, or two and a letter on the last rank.
            IllegalMove: any other kind.
        """
        if self._is_settled(ids) is not True:
            raise fault(board, self.text(ids), UNREADABLE)
        return judge_uci(board, self._joined(ids))

    def text(self, ids: Sequence[int]) -> str:
        """Moves as UCI writes them, set apart by spaces; what is in no move stands by itself."""
        words: list[str] = []
        move: list[int] = []  # tokens of the move that is being written
        for token_id in ids:
            if move and self._is_settled((*move, token_id)) is not None:
                move.append(token_id)
                words[-1] = self._joined(move)
            else:
                move = [token_id]
                words.append(self._vocabulary.string_of(token_id))
        return " ".join(words)

    def san_of(self, ids: Sequence[int]) -> str | None:
        """None: what it would be in SAN depends on the position."""
        del ids
        return None

    def resources(self) -> Mapping[str, bytes]:
        """File name -> content: `vocabulary.json` alone."""
        return {"vocabulary.json": vocabulary_bytes(self._vocabulary)}

    def _whole_ply(self, ply: int, core: str, mark: str, cores_before: str) -> Ids:
        del ply, mark, cores_before
        return self._written(core)

    def _written(self, uci: str) -> Ids:
        return tuple(self._vocabulary.id_of(part) for part in (uci[:2], uci[2:4], uci[4:]) if part)

    def _joined(self, ids: Sequence[int]) -> str:
        return "".join(self._vocabulary.string_of(token_id) for token_id in ids)

    def _is_settled(self, ids: Sequence[int]) -> bool | None:
        """What `is_complete` answers; the grammar doesn't depend on the position."""
        # Token by token, because "e7" and "b" begin no move, but their text e7b begins e7b8.
        if not self._squares.issuperset(ids[:2]) or not self._letters.issuperset(ids[2:]):
            return None
        if len(ids) < 2:
            return False
        return True if UCI_MOVE.fullmatch(self._joined(ids)) else None


def build(name: str, games: Iterable[Game]) -> UciSquaresNotation:
    """The notation; its vocabulary is computed, so the games are not looked at."""
    del games
    return UciSquaresNotation(name, uci_squares_vocabulary())


def load(name: str, resources: Mapping[str, bytes], source: str) -> UciSquaresNotation:
    """The notation from its resource files.

    Raises:
        FormatError: the stored vocabulary isn't the computed one; names both fingerprints.
    """
    return UciSquaresNotation(name, require_vocabulary(name, uci_squares_vocabulary(), resources, source))
