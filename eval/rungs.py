"""The rungs of the ladder: opponents of graded strength, from a random mover to a Stockfish that errs seldom.

Knows: what a rung's name means, which rungs need Stockfish, which can be repeated, and how to seat one.
Doesn't know: how strong any of them is (`eval ladder` measures that, `ladder_table` holds what it measured).

    random                         a uniformly random legal move
    random-capture                 a uniformly random capture if there is one
    material-1, material-2         the most material after one ply, or after the reply
    stockfish@NODES                Stockfish that searches so many positions
    NAME/random=SHARE              one of the above, but a random move with this probability
    stockfish@NODES/skill=LEVEL    one of its best lines by Stockfish's own rule for Skill Level, with our seed
    stockfish@NODES/elo=ELO        its own UCI_Elo, which it seeds with the clock: such games can't be repeated

Nodes, not milliseconds: the same strength on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chesslm.errors import ConfigError, MissingToolError
from chesslm.material_player import MaterialPlayer, RandomCapturePlayer
from chesslm.mixed_player import FULL_SKILL, SkillPlayer, SometimesRandom
from chesslm.player import Player, RandomPlayer
from chesslm.uci_player import UciPlayer, find_stockfish

EMBEDDED = ("random", "random-capture", "material-1", "material-2")
SMALLEST_ELO, LARGEST_ELO = 1350, 2850  # what Stockfish 15 takes as UCI_Elo

_HASH_MEGABYTES = 1  # the smallest: it is cleared before each move
_NAME = re.compile(
    r"(?P<base>[a-z]+(?:-[a-z0-9]+)?)(?:@(?P<nodes>[1-9][0-9]{0,8}))?"
    r"(?:/(?P<weakness>random|skill|elo)=(?P<amount>[0-9]{1,4}(?:\.[0-9]{1,4})?))?"
)


@dataclass(frozen=True, slots=True)
class Rung:
    """An opponent that a name describes completely.

    Args:
        name: as in this module's docstring.
        base: one of `EMBEDDED`, or "stockfish".
        nodes: positions that Stockfish searches for a move; None for an embedded opponent.
        weakness: "random", "skill", "elo", or None for full strength.
        amount: share of random moves in [0, 1], skill level, or Elo.
    """

    name: str
    base: str
    nodes: int | None = None
    weakness: str | None = None
    amount: float = 0.0

    @property
    def needs_stockfish(self) -> bool:
        """Whether it is made of Stockfish."""
        return self.nodes is not None

    @property
    def is_deterministic(self) -> bool:
        """Whether it plays the same move in the same game whatever the seed."""
        return self.needs_stockfish and (self.weakness is None or (self.weakness == "random" and self.amount == 0))

    @property
    def is_repeatable(self) -> bool:
        """Whether it plays the same move in the same game with the same seed."""
        return self.weakness != "elo"

    def seat(self, *, seed: int, stockfish: Path | None, timeout_s: float) -> Player:
        """A fresh player; the caller closes it.

        Args:
            seed: decides its random choices, together with the game so far.
            stockfish: the engine's path; None for embedded opponents.
            timeout_s: seconds for each of an engine's moves.

        Raises:
            MissingToolError: it needs Stockfish and there is none.
            PlayerError: the engine can't be started.
        """
        player = self._seat_base(seed, stockfish, timeout_s)
        if self.weakness == "random":
            return SometimesRandom(player, self.amount, seed=seed)
        if self.weakness == "skill" and isinstance(player, UciPlayer):
            return SkillPlayer(player, int(self.amount), seed=seed)
        return player

    def _seat_base(self, seed: int, stockfish: Path | None, timeout_s: float) -> Player:
        if self.nodes is None:
            return _embedded(self.base, seed)
        if stockfish is None:
            raise MissingToolError(f"rung {self.name} needs Stockfish (Debian package stockfish)")
        options: dict[str, str | int | bool | None] = {"Threads": 1, "Hash": _HASH_MEGABYTES}
        if self.weakness == "elo":
            options |= {"UCI_LimitStrength": True, "UCI_Elo": int(self.amount)}
        engine = UciPlayer(stockfish, nodes=self.nodes, options=options, timeout_s=timeout_s, start_timeout_s=timeout_s)
        if self.weakness == "random":
            return SometimesRandom(engine, self.amount, seed=seed)
        if self.weakness == "skill":
            return SkillPlayer(engine, int(self.amount), seed=seed)
        return engine


def parse_rung(name: str) -> Rung:
    """The rung of a name.

    >>> parse_rung("stockfish@200/random=0.25")
    Rung(name='stockfish@200/random=0.25', base='stockfish', nodes=200, weakness='random', amount=0.25)

    Raises:
        ConfigError: no rung is called so, or a number is out of range.
    """
    found = _NAME.fullmatch(name)
    is_engine = found is not None and found["base"] == "stockfish" and found["nodes"] is not None
    if found is None or not (is_engine or (found["base"] in EMBEDDED and found["nodes"] is None)):
        raise ConfigError(f"no rung is called {name}; they are {', '.join(EMBEDDED)} and stockfish@NODES")
    weakness, amount = found["weakness"], float(found["amount"] or 0)
    if weakness in ("skill", "elo") and not is_engine:
        raise ConfigError(f"rung {name}: only Stockfish has {weakness}")
    lowest, highest = {"random": (0, 1), "skill": (0, FULL_SKILL), "elo": (SMALLEST_ELO, LARGEST_ELO)}.get(
        weakness, (0, 0)
    )
    if not lowest <= amount <= highest:
        raise ConfigError(f"rung {name}: {weakness} must be in [{lowest}, {highest}]")
    if weakness in ("skill", "elo") and amount != int(amount):
        raise ConfigError(f"rung {name}: {weakness} must be a whole number")
    return Rung(name, found["base"], int(found["nodes"]) if is_engine else None, weakness, amount)


def parse_rungs(names: Sequence[str]) -> list[Rung]:
    """The rungs of several names, in order.

    Raises:
        ConfigError: as `parse_rung`; and a name that comes twice, or none.
    """
    if not names:
        raise ConfigError("name at least one rung")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"rung {twice[0]} is named twice")
    return [parse_rung(name) for name in names]


@dataclass(frozen=True, slots=True)
class RungsAtHand:
    """Which of the wanted rungs can be played here.

    Args:
        rungs: in the order they were wanted.
        left_out: names of those that need the Stockfish that isn't there.
        stockfish: its path, if there is one.
        why: one line that says what is missing, if anything is.
    """

    rungs: tuple[Rung, ...]
    left_out: tuple[str, ...]
    stockfish: Path | None
    why: str | None


def rungs_at_hand(wanted: Sequence[Rung], stockfish: Path | None = None) -> RungsAtHand:
    """Leave out what needs Stockfish where there is none.

    Args:
        wanted: rungs.
        stockfish: its path, if it isn't to be looked for.
    """
    try:
        stockfish = stockfish or find_stockfish()
    except MissingToolError as error:
        left_out = tuple(rung.name for rung in wanted if rung.needs_stockfish)
        why = f"{error}: {len(left_out)} of {len(wanted)} rungs are left out; games are adjudicated by material"
        return RungsAtHand(tuple(rung for rung in wanted if not rung.needs_stockfish), left_out, None, why)
    return RungsAtHand(tuple(wanted), (), stockfish, None)


def stockfish_version(stockfish: Path) -> str:
    """The engine's own name, such as "Stockfish 15.1".

    Raises:
        PlayerError: it can't be started.
    """
    with UciPlayer(stockfish, nodes=1) as engine:
        return engine.name


def _embedded(name: str, seed: int) -> Player:
    if name == "random":
        return RandomPlayer(seed=seed)
    if name == "random-capture":
        return RandomCapturePlayer(seed=seed)
    return MaterialPlayer(int(name[-1]), seed=seed)
