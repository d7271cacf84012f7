"""Free-running games: a model plays both sides, unmasked, and the rules are broken sooner or later, or never.

Knows: METRICS section 2.6 (completion, survival, the first illegal ply) and the book's example of castling.
Doesn't know: how text is sampled (`chesslm.sampling`) or read (`chesslm.written_game`).

A written game goes on until its first illegal move, a written result, the end that the rules give it, or the end of the
model's context. Nothing is masked or tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import chess
import numpy as np
from scipy.stats import binom

from chesslm.sampling import sample_text
from chesslm.written_game import WrittenGame, read_written_game
from eval.aggregation import Aggregator, Quantity, Subset, mean_of
from eval.comparison import Compared
from eval.contenders import Contender
from eval.intervals import CONFIDENCE, Interval, unknown
from eval.metrics import FREE_RUNNING_TEMPERATURE
from eval.positions import Progress, silent
from eval.records import WRITTEN_GAMES, WRITTEN_ITALIAN, MeasureRecord

SURVIVED_PLIES = (10, 20, 30, 40, 60, 80, 100, 140)
NEVER = 200
"""The ply at which a game without an illegal move before it counts as broken."""

ITALIAN = ("e4", "e5", "Nf3", "Nc6", "Bc4", "Bc5")
ITALIAN_GAMES = 100
CASTLING_WITHIN = 10  # plies
MEDIAN = "order statistics of the median, 95 %"
NO_MEDIAN = "none: the median of fewer than six games"

# Games that are sampled at once; between two of these the progress moves.
GAMES_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class FreeGame:
    """What became of a written game.

    Args:
        num_legal_plies: plies before the first illegal one.
        is_broken: it has an illegal one.
    """

    num_legal_plies: int
    is_broken: bool


def write_games(contender: Contender, num_games: int, progress: Progress = silent) -> list[WrittenGame]:
    """Games from the start position, one a seed from 0 on."""
    begin = contender.notation.end_prompt(chess.Board())
    return _written(contender, begin, num_games, f"{contender.label} plays freely", progress)


def write_italian_games(contender: Contender, progress: Progress = silent) -> list[WrittenGame]:
    """The book's example: what follows 1. e4 e5 2. Nf3 Nc6 3. Bc4 Bc5; whole games, the given plies included."""
    board = chess.Board()
    for san in ITALIAN:
        board.push_san(san)
    prefix = contender.notation.prompt(board)
    return _written(contender, prefix, ITALIAN_GAMES, f"{contender.label} goes on from the book's opening", progress)


def _written(
    contender: Contender, prefix: list[int], num_games: int, what: str, progress: Progress
) -> list[WrittenGame]:
    games: list[WrittenGame] = []
    for start in range(0, num_games, GAMES_AT_ONCE):
        progress(what, start, num_games)
        seeds = range(start, min(start + GAMES_AT_ONCE, num_games))
        texts = sample_text(
            contender.model,
            contender.notation,
            prefixes=[prefix] * len(seeds),
            temperature=FREE_RUNNING_TEMPERATURE,
            seeds=list(seeds),
            max_new_tokens=contender.record.context_len,
        )
        games += [read_written_game(contender.notation, [*prefix, *text]) for text in texts]
    progress(what, num_games, num_games)
    return games


def outcome(game: WrittenGame) -> FreeGame:
    """Of a written game, what is counted."""
    return FreeGame(game.num_legal_plies, game.ending == "illegal move")


def castles_in_time(game: WrittenGame) -> bool:
    """Whether White castles within the next plies after the book's opening, with no illegal move before."""
    board = chess.Board()
    for ply in game.plies[: len(ITALIAN) + CASTLING_WITHIN]:
        if ply.move is None:
            return False
        if board.turn == chess.WHITE and board.is_castling(ply.move):
            return True
        board.push(ply.move)
    return False


def free_running_records(
    aggregator: Aggregator, contender: Contender, games: Sequence[FreeGame], castled: Sequence[bool]
) -> list[MeasureRecord]:
    """All records of one model.

    Args:
        aggregator: makes records.
        contender: who wrote the games.
        games: from the start position.
        castled: for each game after the book's opening, whether White castled in time.
    """
    first_illegal = np.array(
        [min(game.num_legal_plies, NEVER) if game.is_broken else NEVER for game in games], np.float64
    )
    is_whole = np.array([not game.is_broken for game in games], np.float64)
    everything = Subset(WRITTEN_GAMES, np.ones(len(games), dtype=np.bool_))
    rates = [
        mean_of("free_running_legal", is_whole),
        *(
            # A game that ends by the rules, or by a result, before these plies hasn't been broken within them.
            mean_of("free_running_survival", (first_illegal >= plies).astype(np.float64), detail=f"{plies} plies")
            for plies in SURVIVED_PLIES
        ),
    ]
    italian: Quantity = mean_of("book_castling", np.array(castled, dtype=np.float64))
    return [
        *(aggregator.measure(contender, rate, everything) for rate in rates),
        aggregator.stated(contender, "first_illegal_ply", median(first_illegal), everything),
        aggregator.measure(contender, italian, Subset(WRITTEN_ITALIAN, np.ones(len(castled), dtype=np.bool_))),
    ]


def median(values: np.ndarray) -> Interval:
    """The median with its distribution-free interval: the order statistics that hold it with 95 % (David & Nagaraja).

    Of five games not even the smallest and the largest do: all five lie on one side of it with 2 * 0.5 ** 5 = 6 %.

    >>> median(np.arange(101.0))
    Interval(value=50.0, low=40.0, high=60.0, how='order statistics of the median, 95 %')
    """
    ordered = np.sort(values)
    value = float(np.median(ordered))
    below = int(binom.ppf((1 - CONFIDENCE) / 2, len(ordered), 0.5))
    if below == 0:
        return unknown(value, NO_MEDIAN)
    return Interval(value, float(ordered[below - 1]), float(ordered[len(ordered) - below]), MEDIAN)


def measure_free_running(
    aggregator: Aggregator, contenders: Sequence[Contender], *, num_games: int, progress: Progress = silent
) -> Compared:
    """Let every trained model write games, and judge them. Games of two models have nothing to be paired by."""
    records: list[MeasureRecord] = []
    for contender in contenders:
        if not contender.control_of:
            games = [outcome(game) for game in write_games(contender, num_games, progress)]
            castled = [castles_in_time(game) for game in write_italian_games(contender, progress)]
            records += free_running_records(aggregator, contender, games, castled)
    return Compared(tuple(records))
