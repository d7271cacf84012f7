"""Filters: a block's games at once, 0 to keep a game, else the code of the reason why it is dropped.

Knows: every reason and what decides it, from headers alone first, then from the replayed moves.
Doesn't know: how games are split or replayed, nor which came before (duplicates are found in `games_writer`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from chesslm.game import RESULTS
from data_prep import known_bad
from data_prep.config import FiltersSection, TimeClass
from data_prep.headers import BlockGames
from data_prep.replay_outcome import ILLEGAL, UNREADABLE

TOO_LONG_TEXT = "game text too long"
VARIANT = "variant or set-up position"
BOT = "bot player"
RATING = "rating out of range"
TIME_CLASS = "time control class"
RATED = "rated or casual"
CONTRADICTION = "contradictory results"
UNFINISHED = "no result"
TOO_FEW = "too few plies"
TOO_MANY = "too many plies"
DUPLICATE = "duplicate moves"
REASONS: tuple[str, ...] = (
    TOO_LONG_TEXT,
    VARIANT,
    BOT,
    RATING,
    TIME_CLASS,
    RATED,
    *(stretch.reason for stretch in known_bad.STRETCHES),
    UNREADABLE,
    ILLEGAL,
    TOO_FEW,
    TOO_MANY,
    CONTRADICTION,
    UNFINISHED,
    DUPLICATE,
)  # in the order in which they are judged
CODES = {reason: code for code, reason in enumerate(REASONS, start=1)}  # reason -> what stands for it in arrays

MAX_ELO = 4_000
_STANDARD_VARIANTS = frozenset({"", "?", "-", "standard", "chess", "normal"})
_START_POSITION = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq -"
_CLOCK = re.compile(r"(?:(\d{1,4})/)?(\d{1,8})(?:\+(\d{1,6}))?")
_ESTIMATED_MOVES = 40
# Lichess: scalachess, Speed.scala; seconds up to which a game belongs to the class.
_SPEEDS: tuple[tuple[int, TimeClass], ...] = ((29, "ultrabullet"), (179, "bullet"), (479, "blitz"), (1_499, "rapid"))
_SECONDS_A_DAY = 86_400
_NO_POSITION, _START, _OTHER_POSITION = range(3)


def header_reasons(games: BlockGames, filters: FiltersSection, *, has_evals: bool = False) -> npt.NDArray[np.uint8]:
    """What the headers alone say against each game; no move has been read yet.

    Args:
        games: of a block.
        filters: the settings.
        has_evals: evaluations are kept, so that wrong ones count against a game.

    Returns:
        u8[n], `CODES` of the first reason, 0 to keep.
    """
    reasons = np.zeros(len(games), np.uint8)
    _drop(reasons, games.is_too_long, TOO_LONG_TEXT)
    _drop(reasons, ~_is_standard(games), VARIANT)
    if not filters.keep_bots:
        for tag in ("WhiteTitle", "BlackTitle"):
            _drop(reasons, games[tag].map(_is_bot, False), BOT)
    for low_or_high in _out_of_rating_range(games, filters):
        _drop(reasons, low_or_high, RATING)
    if filters.time_classes:
        is_wanted = games["TimeControl"].map(lambda text: time_class(text) in filters.time_classes, False)
        _drop(reasons, ~is_wanted, TIME_CLASS)
    if filters.rated != "both":
        is_wanted = games["Event"].map(lambda text: text.strip().lower().split(" ")[0] == filters.rated, False)
        _drop(reasons, ~is_wanted, RATED)
    for stretch in known_bad.STRETCHES:
        if not getattr(filters, stretch.switch) and (has_evals or not stretch.is_about_evals):
            _drop(reasons, known_bad.is_in(stretch, games), stretch.reason)
    return reasons


def move_reasons(
    num_plies: npt.NDArray[np.integer[Any]], results: npt.NDArray[np.object_], filters: FiltersSection
) -> npt.NDArray[np.uint8]:
    """What the replayed moves and the results (of `settle_result`) say against games; u8[n], as `header_reasons`."""
    reasons = np.zeros(len(num_plies), np.uint8)
    _drop(reasons, num_plies < filters.min_plies, TOO_FEW)
    _drop(reasons, num_plies > filters.max_plies, TOO_MANY)
    _drop(reasons, np.array([result is None for result in results], np.bool_), CONTRADICTION)
    if not filters.keep_unfinished:
        _drop(reasons, results == "*", UNFINISHED)
    return reasons


def _drop(reasons: npt.NDArray[np.uint8], is_so: npt.NDArray[Any], reason: str) -> None:
    """Notes a reason for the games that have none yet."""
    reasons[is_so.astype(np.bool_) & (reasons == 0)] = CODES[reason]


def settle_result(in_headers: str | None, in_movetext: str | None) -> str | None:
    """The result of a game that writes it in two places; None if they contradict each other.

    A missing or unknown result, or `*`, in one place gives way to a definite one in the other.
    """
    definite = {result for result in (in_headers, in_movetext) if result in RESULTS and result != "*"}
    if len(definite) > 1:
        return None
    return definite.pop() if definite else "*"


def time_class(time_control: str) -> TimeClass | None:
    """The speed of a `TimeControl` header by Lichess's estimate, seconds + 40 * increment; None if unknown.

    >>> time_class("180+2"), time_class("-"), time_class("?"), time_class("40/7200:3600")
    ('blitz', 'correspondence', None, 'classical')
    """
    if time_control == "-":
        return "correspondence"
    match = _CLOCK.match(time_control)
    if match is None:
        return None
    moves, seconds, increment = (int(group or 0) for group in match.groups())
    if moves:
        if seconds / moves >= _SECONDS_A_DAY:
            return "correspondence"
        seconds = seconds * _ESTIMATED_MOVES // moves
    estimate = seconds + _ESTIMATED_MOVES * increment
    return next((name for limit, name in _SPEEDS if estimate <= limit), "classical")


@lru_cache(maxsize=8_192)  # ratings recur: there are about as many as games in a block
def elo_of(text: str) -> int | None:
    """A rating of 1 to 4,000 points; None for anything else (`?`, `0`, words)."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        return None
    value = int(text)
    return value if 0 < value <= MAX_ELO else None


def _is_bot(title: str) -> bool:
    return title == "BOT"


def _is_standard(games: BlockGames) -> npt.NDArray[np.bool_]:
    is_named_so = games["Variant"].map(lambda text: text.strip().lower() in _STANDARD_VARIANTS, True)
    # A position that is given decides; where there is none, SetUp says whether there ought to be one.
    position = games["FEN"].map(_kind_of_position, _NO_POSITION)
    is_set_up = games["SetUp"].map(lambda text: text.strip() == "1", False)
    is_start: npt.NDArray[np.bool_] = np.where(position == _NO_POSITION, ~is_set_up, position == _START)
    return is_named_so & is_start


def _kind_of_position(fen: str) -> int:
    if not fen.strip():
        return _NO_POSITION
    return _START if " ".join(fen.split()[:4]) == _START_POSITION else _OTHER_POSITION


def _out_of_rating_range(games: BlockGames, filters: FiltersSection) -> Iterator[npt.NDArray[np.bool_]]:
    low, high = filters.min_rating, filters.max_rating
    if low is None and high is None:
        return

    def is_out(text: str) -> bool:
        rating = elo_of(text)
        return rating is None or (low is not None and rating < low) or (high is not None and rating > high)

    for tag in ("WhiteElo", "BlackElo"):
        yield games[tag].map(is_out, True)
