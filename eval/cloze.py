"""Cloze tests: half of a move is given, and the model says where it ends (METRICS sections 2.3 and 2.4).

Knows: which positions and which half moves are asked about, the scores LgM, R-precision and ExM, and which notations
admit a question.
Doesn't know: how texts are scored (`scored_texts`) or how intervals come about.

The square cloze is Toshniwal's (2022): the start square stands there, and the next square is asked for; only a
notation that writes start squares admits it. Their set of legal end squares leaves castling out, which counts a right
answer as wrong, so both sets are shown. The piece cloze is ours, for notations that write SAN in some form: the
piece's letter or word stands there, and G has the end squares that need no disambiguation. A pawn has no letter, so
pieces are knights to kings. An end square's probability is then that of its quiet move and its capture together,
because in English the word for a capture stands before the piece.

Prompts are made with the piece that was played and with another one that can move. Moves by pawns and castling are no
played moves here. Prefixes have 5 to 50 plies, and 51 to 100.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import chess
import numpy as np

from chesslm.game import Game
from chesslm.inference import Position
from chesslm.measures import question_about, replayed
from chesslm.notation import Notation
from chesslm.san import legal_sans, parse
from eval.aggregation import Aggregator, Quantity, mean_of
from eval.comparison import Column, Compared, compared, whole
from eval.contenders import Contender
from eval.positions import Progress, silent
from eval.scored_texts import text_logprobs
from eval.written_moves import Floats

PREFIXES: tuple[tuple[int, int], ...] = ((5, 50), (51, 100))
"""First and last number of plies before the move."""
CLOZE_GAMES = 1_000
"""At most so many games, as in the paper."""
LETTERS = "NBRQK"
PLAYED, OTHER = "the piece played", "another piece"
NO_CASTLING = "castling not counted as legal"

Kind = Literal["square", "piece"]


@dataclass(frozen=True, slots=True)
class Cloze:
    """One question: where a move of this piece ends.

    Args:
        which: `PLAYED` or `OTHER`.
        given: start square by name, or piece letter.
        good: G, the end squares that are right.
        good_without_castling: G as Toshniwal's code has it; the same for the piece cloze.
        played: the end square that was played; None for another piece.
    """

    which: str
    given: str
    good: frozenset[chess.Square]
    good_without_castling: frozenset[chess.Square]
    played: chess.Square | None


@dataclass(frozen=True, slots=True)
class Score:
    """What a model gets for one question.

    Args:
        is_legal: the most probable square is in G (LgM).
        r_precision: share of the |G| most probable squares that are in G, in [0, 1].
        is_exact: the most probable square was played (ExM); None for another piece.
    """

    is_legal: bool
    r_precision: float
    is_exact: bool | None


def score(logprobs: Floats, good: frozenset[chess.Square], played: chess.Square | None) -> Score:
    """Score the logarithms of 64 squares' probabilities; of equal squares the one nearer to a1 counts as larger.

    >>> logprobs = np.full(64, -9.0)
    >>> logprobs[[chess.E4, chess.E5]] = -1, -2
    >>> score(logprobs, frozenset({chess.E4, chess.D3}), chess.E4)
    Score(is_legal=True, r_precision=0.5, is_exact=True)
    """
    order = np.argsort(-logprobs, kind="stable")
    best = int(order[0])
    hits = sum(int(square) in good for square in order[: len(good)])
    return Score(best in good, hits / len(good), None if played is None else best == played)


def writes_start_squares(notation: Notation) -> bool:
    """Whether a move begins with its start square and goes on with its end square, a token each."""
    board, names = chess.Board(), set(chess.SQUARE_NAMES)
    if not names.issubset(notation.vocabulary.tokens):
        return False
    return all(
        [notation.vocabulary.string_of(token) for token in notation.spell(board, move)[:2]]
        == [move.uci()[:2], move.uci()[2:]]
        for move in board.legal_moves
    )


def writes_san(notation: Notation) -> bool:
    """Whether any SAN can be written without knowing the game: then every end square of a piece has its text."""
    piece = notation.ply_piece("Nf3", is_white=True)
    return piece is not None and notation.san_of(piece.spelling) == "Nf3"


def cloze_positions(games: Sequence[Game], kind: Kind, prefix: tuple[int, int], *, seed: int) -> list[Position]:
    """A random position of each game that has one with a prefix of such a length and a played move to ask for."""
    found = []
    for game in games:
        plies = [
            ply for ply in range(prefix[0], min(prefix[1] + 1, len(game.san))) if _is_asked_for(game.san[ply], kind)
        ]
        if plies:
            generator = random.Random(f"{kind} cloze|{seed}|{prefix[0]}|{' '.join(game.san)}")
            found.append(Position(game, generator.choice(plies)))
    return found


def clozes_of(position: Position, kind: Kind, *, seed: int) -> tuple[chess.Board, list[Cloze]]:
    """The position's board, the question about the piece played, and one about another, if another can move."""
    board, move = replayed(position)
    ends = _square_ends(board) if kind == "square" else _piece_ends(board)
    played = chess.square_name(move.from_square) if kind == "square" else position.game.san[position.ply][0]
    found = [Cloze(PLAYED, played, *ends[played], move.to_square)]
    others = sorted(given for given, (_, without) in ends.items() if given != played and without)
    if others:
        generator = random.Random(f"other {kind}|{seed}|{' '.join(position.game.san[: position.ply])}")
        other = generator.choice(others)
        found.append(Cloze(OTHER, other, *ends[other], None))
    return board, found


def cloze_columns(
    contender: Contender, kind: Kind, positions: Sequence[Position], *, seed: int, progress: Progress = silent
) -> list[tuple[Quantity, int]]:
    """A model's scores on positions, each with the number of questions behind it."""
    notation = contender.notation
    questions = [clozes_of(position, kind, seed=seed) for position in positions]
    prompts, texts = [], []
    for position, (board, clozes) in zip(positions, questions, strict=True):
        prompts.append(question_about(notation, position, board).prompt)
        texts.append([text for cloze in clozes for text in _texts(notation, kind, cloze.given, is_white=board.turn)])

    def tell(done: int) -> None:
        progress(f"{contender.label}, {kind} cloze", done, len(positions))

    found: dict[str, list[tuple[Cloze, Floats]]] = {PLAYED: [], OTHER: []}
    for (_, clozes), logprobs in zip(questions, text_logprobs(contender.model, prompts, texts, tell), strict=True):
        # Square by square, one text a square or two (quiet and capture).
        by_square = np.logaddexp.reduce(logprobs.reshape(len(clozes), 64, -1), axis=2)
        for cloze, squares in zip(clozes, by_square, strict=True):
            found[cloze.which].append((cloze, squares))
    columns = []
    for which, asked in found.items():
        columns += cloze_quantities(kind, which, asked)
        if kind == "square":
            without = [(replace(cloze, good=cloze.good_without_castling), squares) for cloze, squares in asked]
            columns += cloze_quantities(kind, f"{which}, {NO_CASTLING}", without)
    return columns


def cloze_quantities(kind: Kind, which: str, asked: Sequence[tuple[Cloze, Floats]]) -> list[tuple[Quantity, int]]:
    """The metrics of questions of one kind, each with the number of questions behind it.

    Args:
        kind: names the metrics.
        which: whose piece is given, and which set of end squares is right.
        asked: each with ln p of the 64 squares; those without a right square are left out.
    """
    scores = [score(squares, cloze.good, cloze.played) for cloze, squares in asked if cloze.good]
    if not scores:
        return []
    columns: dict[str, Sequence[float]] = {
        "legal_move": [found.is_legal for found in scores],
        "r_precision": [found.r_precision for found in scores],
        "exact_move": [found.is_exact for found in scores if found.is_exact is not None],
    }
    return [
        (mean_of(f"{kind}_cloze_{name}", np.array(values, dtype=np.float64), detail=which), len(values))
        for name, values in columns.items()
        if values
    ]


def measure_cloze(
    aggregator: Aggregator,
    contenders: Sequence[Contender],
    games: Sequence[Game],
    *,
    seed: int,
    progress: Progress = silent,
) -> Compared:
    """Ask every model whose notation admits it, in at most `CLOZE_GAMES` games."""
    admits = {"square": writes_start_squares, "piece": writes_san}
    found = Compared()
    kinds: tuple[Kind, ...] = ("square", "piece")
    for kind in kinds:
        asked = [contender for contender in contenders if admits[kind](contender.notation)]
        for prefix in PREFIXES:
            positions = cloze_positions(games[:CLOZE_GAMES], kind, prefix, seed=seed)
            if not positions or not asked:
                continue
            name = f"prefixes of {prefix[0]}-{prefix[1]} plies"
            columns = {
                contender.label: [
                    Column(quantity, (whole(name, num),))
                    for quantity, num in cloze_columns(contender, kind, positions, seed=seed, progress=progress)
                ]
                for contender in asked
            }
            found += compared(aggregator, asked, columns)
    return found


def _is_asked_for(san: str, kind: Kind) -> bool:
    parts = parse(san)
    if parts is None or san[0] not in LETTERS:
        return False
    return kind == "square" or (parts.from_file is None and parts.from_rank is None)


def _square_ends(board: chess.Board) -> Mapping[str, tuple[frozenset[chess.Square], frozenset[chess.Square]]]:
    """Start square -> end squares of its legal moves, and those without castling."""
    ends: dict[str, tuple[set[chess.Square], set[chess.Square]]] = {}
    for move in board.legal_moves:
        every, without = ends.setdefault(chess.square_name(move.from_square), (set(), set()))
        every.add(move.to_square)
        if not board.is_castling(move):
            without.add(move.to_square)
    return {given: (frozenset(every), frozenset(without)) for given, (every, without) in ends.items()}


def _piece_ends(board: chess.Board) -> Mapping[str, tuple[frozenset[chess.Square], frozenset[chess.Square]]]:
    """Piece letter -> end squares that need no disambiguation."""
    ends: dict[str, set[chess.Square]] = {}
    for move, core in legal_sans(board).core_of.items():
        if _is_asked_for(core, "piece"):
            ends.setdefault(core[0], set()).add(move.to_square)
    return {given: (frozenset(squares), frozenset(squares)) for given, squares in ends.items()}


def _texts(notation: Notation, kind: Kind, given: str, *, is_white: bool) -> list[list[int]]:
    """The texts of all 64 end squares: one each, or a quiet one and a capture."""
    if kind == "square":
        id_of = notation.vocabulary.id_of
        return [[id_of(given), id_of(name)] for name in chess.SQUARE_NAMES]
    sans = [f"{given}{capture}{name}" for name in chess.SQUARE_NAMES for capture in ("", "x")]
    pieces = [notation.ply_piece(san, is_white=is_white) for san in sans]
    return [list(piece.spelling) for piece in pieces if piece is not None]
