"""Stretches of the Lichess dumps that are known to be bad, as database.lichess.org lists them.

Knows: which games belong to each, by their headers, and which switch keeps them.
Doesn't know: other filters.

Only games that come from Lichess are meant: those with a UTCDate, or whose Site or Event says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data_prep.headers import BlockGames

_LICHESS = "lichess"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some days of the dumps.

    Args:
        reason: why a game is dropped.
        dates: what a date in them begins with, as a header has it.
        switch: the field of the filters' section that keeps such games.
        is_about_evals: only their evaluations are bad.
    """

    reason: str
    dates: tuple[str, ...]
    switch: str
    is_about_evals: bool = False


STRETCHES = (
    Stretch("known bad: Chess960 mixed in", ("2023.11",), "keep_chess960_month"),
    Stretch("known bad: wrong results", ("2021.03.12",), "keep_wrong_results"),
    Stretch("known bad: moves after the end", ("2021.02.09",), "keep_moves_after_end"),
    Stretch("known bad: wrong evaluations", ("2016.12", "2020.07", "2020.08"), "keep_wrong_evals", is_about_evals=True),
)


def is_in(stretch: Stretch, games: BlockGames) -> npt.NDArray[np.bool_]:
    """bool[n]: which games of a block belong to a stretch."""
    is_from_there = games["UTCDate"].codes >= 0
    by_utc = games["UTCDate"].map(lambda text: text.startswith(stretch.dates), False)
    by_date = games["Date"].map(lambda text: text.startswith(stretch.dates), False)
    is_there: npt.NDArray[np.bool_] = np.where(is_from_there, by_utc, by_date)
    if not is_there.any():
        return is_there
    for tag in ("Site", "Event"):
        is_from_there |= games[tag].map(lambda text: _LICHESS in text.lower(), False)
    is_there &= is_from_there
    return is_there
