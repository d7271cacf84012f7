"""Filters: None to keep a game, else the reason why it is dropped.

Knows: every reason and what decides it, from headers alone first, then from the replayed moves.
Doesn't know: how games are split or replayed, nor which came before (duplicates are found in `prepare`).
"""

from __future__ import annotations

import re

from chesslm.game import RESULTS
from data_prep.config import FiltersSection, TimeClass
from data_prep.games import RawGame
from data_prep.replay import ILLEGAL, UNREADABLE, Replayed

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
    UNREADABLE,
    ILLEGAL,
    TOO_FEW,
    TOO_MANY,
    CONTRADICTION,
    UNFINISHED,
    DUPLICATE,
)  # in the order in which they are judged

MAX_ELO = 4_000
_STANDARD_VARIANTS = frozenset({"", "?", "-", "standard", "chess", "normal"})
_START_POSITION = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq -"
_CLOCK = re.compile(r"(?:(\d{1,4})/)?(\d{1,8})(?:\+(\d{1,6}))?")
_ESTIMATED_MOVES = 40
# Lichess: scalachess, Speed.scala; seconds up to which a game belongs to the class.
_SPEEDS: tuple[tuple[int, TimeClass], ...] = ((29, "ultrabullet"), (179, "bullet"), (479, "blitz"), (1_499, "rapid"))
_SECONDS_A_DAY = 86_400


def header_reason(raw: RawGame, filters: FiltersSection) -> str | None:
    """What the headers alone say against a game; no move has been read yet."""
    headers = raw.headers
    if raw.is_too_long:
        return TOO_LONG_TEXT
    if not _is_standard(headers):
        return VARIANT
    if not filters.keep_bots and any(headers.get(tag) == "BOT" for tag in ("WhiteTitle", "BlackTitle")):
        return BOT
    if not _is_in_rating_range(headers, filters):
        return RATING
    if filters.time_classes and time_class(headers.get("TimeControl", "")) not in filters.time_classes:
        return TIME_CLASS
    if filters.rated != "both" and headers.get("Event", "").strip().lower().split(" ")[0] != filters.rated:
        return RATED
    return None


def move_reason(replayed: Replayed, result: str | None, filters: FiltersSection) -> str | None:
    """What the replayed moves and the result (of `settle_result`) say against a game."""
    if len(replayed.uci) < filters.min_plies:
        return TOO_FEW
    if len(replayed.uci) > filters.max_plies:
        return TOO_MANY
    if result is None:
        return CONTRADICTION
    if result == "*" and not filters.keep_unfinished:
        return UNFINISHED
    return None


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


def elo_of(headers: dict[str, str], tag: str) -> int | None:
    """A rating of 1 to 4,000 points; None for anything else (`?`, `0`, words)."""
    text = headers.get(tag, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        return None
    value = int(text)
    return value if 0 < value <= MAX_ELO else None


def _is_standard(headers: dict[str, str]) -> bool:
    if headers.get("Variant", "").strip().lower() not in _STANDARD_VARIANTS:
        return False
    position = headers.get("FEN")
    if position is not None and position.strip():
        return " ".join(position.split()[:4]) == _START_POSITION
    return headers.get("SetUp", "0").strip() != "1"


def _is_in_rating_range(headers: dict[str, str], filters: FiltersSection) -> bool:
    low, high = filters.min_rating, filters.max_rating
    if low is None and high is None:
        return True
    for tag in ("WhiteElo", "BlackElo"):
        rating = elo_of(headers, tag)
        if rating is None or (low is not None and rating < low) or (high is not None and rating > high):
            return False
    return True
