"""Which models sit at the table: loading them in the background, and changing how they draw their moves.

Knows: how a name becomes a model that sits down, and what is said where that fails.
Doesn't know: games (`course`) or widgets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Literal, Protocol

from chesslm.errors import ChesslmError, UserError
from play.background import Background
from play.inert_text import inert
from play.opponent import RANDOM, Opponent, Policy, absent, make_policy
from play.table import Table

# Not a coroutine: work that is replaced before it begins would be one that nobody ever awaits.
Work = Callable[[], Coroutine[None, None, None]]
OpenModel = Callable[[str | None, Policy], Opponent]
Seat = Literal["opponent", "near"]


class Interface(Protocol):
    """What a course needs of the interface that shows it."""

    def show_course(self) -> None:
        """There is something new to show."""
        ...

    def start(self, work: Work, group: str) -> None:
        """Run work beside the interface; other work of the same group takes its place."""
        ...


class Seating:
    """The models at a table.

    Args:
        table: whose absent models are loaded by `load_absent`.
        open_model: opens a model; called in the background.
        policy: under which models are opened.
        background: where that is done.
        start: runs what takes long.
        say: tells people.
        go_on: called when somebody sits down.
    """

    def __init__(
        self,
        table: Table,
        open_model: OpenModel,
        policy: Policy,
        *,
        background: Background,
        start: Callable[[Work, str], None],
        say: Callable[..., None],
        go_on: Callable[[], None],
    ) -> None:
        self._table = table
        self._open_model = open_model
        self._policy = policy
        self._background = background
        self._start, self._say, self._go_on = start, say, go_on
        self._opened: list[Opponent] = []

    def load_absent(self) -> None:
        """Load the models whose seats are kept for them."""
        self._load(self._table.opponent.asked, "opponent")
        if self._table.near is not None:
            self._load(self._table.near.asked, "near")

    def choose_opponent(self, name: str) -> None:
        """Another model for the far side; who sits there plays on until it is loaded."""
        self._load(name, "opponent")

    def watch(self, name: str) -> None:
        """A model for the near side."""
        if self._table.near is None:
            self._table.sit_near(absent(name, self._policy))
        self._load(name, "near")
        self._go_on()

    def set_policy(self, key: str, text: str) -> bool:
        """Change temperature, top-k or top-p of every model; "off" takes a limit away. Whether that was possible."""
        try:
            policy = _changed(self._policy, key, text)
            seats = [
                seat for seat in (self._table.opponent, self._table.near) if seat is not None and not seat.is_absent
            ]
            # All are asked before any is replaced. A player without a policy counts where there is no other.
            changed = [(seat, seat.under(policy)) for seat in seats if seat.reopen is not None or len(seats) == 1]
        except UserError as error:
            self._say(f"{error}.")
            return False
        self._policy = policy
        for seat, new in changed:
            self._table.replace(seat, new)
        self._say(f"From here on: {policy.text}.")
        return True

    def close(self) -> None:
        """Close every model that was opened."""
        for opponent in self._opened:
            opponent.player.close()

    def _load(self, name: str | None, seat: Seat) -> None:
        self._start(partial(self._sit_down, name, seat), f"load {seat}")

    async def _sit_down(self, name: str | None, seat: Seat) -> None:
        shown = inert(name or "a shipped model", limit=60)
        self._say(f"Loading {shown} ...")
        # The random player has a seed only.
        policy = Policy(seed=self._policy.seed) if name == RANDOM else self._policy
        try:
            new = await self._background.run(partial(self._open_model, name, policy))
            self._opened.append(new)
            if new.reopen is not None and new.policy != self._policy:
                new = new.under(self._policy)  # it was changed meanwhile
            refusal = await self._background.run(partial(new.refusal, self._table.session.board.copy()))
        except Exception as error:
            self._say(f"{shown} can't be played: {said(error)}. model chooses another.")
            if seat == "near" and self._table.near is not None and self._table.near.is_absent:
                self._table.sit_near(None)
                self._go_on()
            return
        old = self._table.opponent if seat == "opponent" else self._table.near
        if old is None:
            return  # the person sat down there meanwhile
        self._table.replace(old, new)
        details = f" ({new.details})" if new.details else ""
        self._say(f"{inert(new.name, limit=40)}{details} sits down.", *([f"{refusal}."] if refusal else []))
        self._go_on()


def said(error: Exception) -> str:
    """An error for people: ours are sentences, others say what they are."""
    return inert(str(error) if isinstance(error, ChesslmError) else f"{type(error).__name__}: {error}", limit=300)


def number(key: str, text: str) -> float:
    """A number that a person typed.

    Raises:
        UserError: it is none; names the key.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{key} {inert(text, limit=40)}: not a number")
    return value


def _changed(old: Policy, key: str, text: str) -> Policy:
    if key == "temperature":
        temperature = number(key, text)
        # At 0 nothing is drawn any longer, so there is nothing to limit.
        limits = (old.top_k, old.top_p) if temperature else (None, None)
        return make_policy(temperature, *limits, seed=old.seed)
    limit = None if text.lower() == "off" else number(key, text)
    if key == "top-p":
        return make_policy(old.temperature, old.top_k, limit, seed=old.seed)
    if limit is not None and not limit.is_integer():
        raise UserError(f"{key} {limit:g}: not a whole number")
    return make_policy(old.temperature, None if limit is None else int(limit), old.top_p, seed=old.seed)
