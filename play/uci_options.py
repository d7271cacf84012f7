"""The options of the UCI engine: how they are declared, read and kept.

Knows: each option's name, type, range and meaning.
Doesn't know: what the values do to a model (`uci_thinker`).

UCI has no numbers with a fraction, so Temperature and TopP are strings, as in other engines with such options.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from chesslm.errors import InputError
from play.inert_text import inert, printable

Obedience = Literal["lenient", "strict"]

MAX_SEED = 2**31 - 1
# No position of chess has more legal moves.
MAX_MOVES = 218
MAX_THREADS = 256
_EMPTY = "<empty>"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options are set to.

    Args:
        model: a run folder, a checkpoint, a shipped name or "random"; None for the shipped model.
        temperature: 0 plays the best move; higher draws.
        top_p: draw from the fewest moves that hold this share, in (0, 1].
        top_k: draw from this many best moves; 0 for all.
        multi_pv: how many moves to tell.
        policy: lenient plays among legal moves, strict plays the first choice or gives up.
        seed: of the draws.
        threads: of the processor, for one move.
    """

    model: str | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    multi_pv: int = 1
    policy: Obedience = "lenient"
    seed: int = 0
    threads: int = 1

    def declared(self) -> list[str]:
        """The lines that tell a GUI which options there are; what is set now are the defaults."""
        return [
            f"option name {name} type {option.kind.format(default=option.shown(getattr(self, option.field)))}"
            for name, option in _OPTIONS.items()
        ]

    def with_option(self, name: str, value: str | None) -> Settings:
        """These with one option set as a GUI says; names in any case.

        Raises:
            InputError: there is no such option, or the value makes no sense for it.
        """
        known = {option_name.lower(): option_name for option_name in _OPTIONS}
        found = known.get(name.lower())
        if found is None:
            raise InputError(f"there is no option {inert(name, limit=60)}; there are {', '.join(_OPTIONS)}")
        option = _OPTIONS[found]
        try:
            return replace(self, **{option.field: option.read(value or "")})
        except ValueError as error:
            raise InputError(f"option {found}: {inert(value or '', limit=60)!r} is not {option.wanted}") from error


@dataclass(frozen=True, slots=True)
class _Option:
    field: str
    kind: str
    read: Callable[[str], Any]
    wanted: str
    shown: Callable[[Any], str] = str


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text[:20])
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _temperature(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(text)
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError(text)
    return value


def _policy(text: str) -> str:
    if text.lower() not in ("lenient", "strict"):
        raise ValueError(text)
    return text.lower()


def _model(text: str) -> str | None:
    return None if text in ("", _EMPTY) else text


_OPTIONS = {
    "Model": _Option(
        "model", "string default {default}", _model, "a name", lambda name: printable(name) if name else _EMPTY
    ),
    "Temperature": _Option(
        "temperature", "string default {default}", _temperature, "a number of 0 or more", lambda value: f"{value:g}"
    ),
    "TopP": _Option(
        "top_p", "string default {default}", _share, "a number above 0, at most 1", lambda value: f"{value:g}"
    ),
    "TopK": _Option(
        "top_k", f"spin default {{default}} min 0 max {MAX_MOVES}", _whole(0, MAX_MOVES), f"from 0 to {MAX_MOVES}"
    ),
    "MultiPV": _Option(
        "multi_pv", f"spin default {{default}} min 1 max {MAX_MOVES}", _whole(1, MAX_MOVES), f"from 1 to {MAX_MOVES}"
    ),
    "Policy": _Option("policy", "combo default {default} var lenient var strict", _policy, "lenient or strict"),
    "Seed": _Option(
        "seed", f"spin default {{default}} min 0 max {MAX_SEED}", _whole(0, MAX_SEED), f"from 0 to {MAX_SEED}"
    ),
    "Threads": _Option(
        "threads",
        f"spin default {{default}} min 1 max {MAX_THREADS}",
        _whole(1, MAX_THREADS),
        f"from 1 to {MAX_THREADS}",
    ),
}
