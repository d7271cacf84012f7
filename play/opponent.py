"""The opponent that `--model` names: a model, or the random player.

Knows: how a name and a decoding policy become a player, and what of it a game's record has to say.
Doesn't know: how any player chooses (`chesslm.player`, `chesslm.model_player`).

torch is imported only when a model is asked for: a random opponent answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from chesslm.config import Section
from chesslm.errors import InputError
from chesslm.player import Player, RandomPlayer

RANDOM = "random"
HOW_TO_GET_ONE = "train one with `make demo`, then play it with `--model demo/runs/pgn` (or play --model random)"


class Policy(Section):
    """How a model's probabilities become its moves: the best legal move at temperature 0, else drawn from them."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0

    @property
    def text(self) -> str:
        """For people and PGN headers: "best legal move", or "temperature 0.7, top-p 0.9, seed 0"."""
        if self.temperature == 0:
            return "best legal move"
        parts = [f"temperature {self.temperature:g}"]
        parts += [f"top-k {self.top_k}"] if self.top_k is not None else []
        parts += [f"top-p {self.top_p:g}"] if self.top_p is not None else []
        return ", ".join([*parts, f"seed {self.seed}"])


@dataclass(frozen=True, slots=True)
class Opponent:
    """A player and what a record of its games says about it.

    Args:
        player: chooses the moves; whoever opened the opponent closes it.
        policy: None where the player has none (the random player's seed is in its moves alone).
        digest: sha256 (hex) of the model's weights; None for players without weights.
        notation: name of the model's notation; None for players without one.
    """

    player: Player
    policy: Policy | None = None
    digest: str | None = None
    notation: str | None = None

    @property
    def name(self) -> str:
        """The player's own name."""
        return self.player.name

    @property
    def details(self) -> str:
        """Notation and policy for people; "" where there are none."""
        return ", ".join(part for part in (self.notation, self.policy.text if self.policy else None) if part)


def open_opponent(name: str | None, policy: Policy) -> Opponent:
    """The opponent called `name`: "random", a checkpoint, a run folder or a shipped model; None: a shipped model.

    Raises:
        UserError: there is no such model, or none is shipped and none was named.
    """
    if name == RANDOM:
        if policy != Policy(seed=policy.seed):
            raise InputError("--temperature, --top-k and --top-p mean nothing to --model random")
        return Opponent(RandomPlayer(seed=policy.seed))
    from chesslm.model_player import load_player

    player = load_player(name or _shipped(), **policy.model_dump())
    digest = player.loaded.digest if player.loaded is not None else None
    return Opponent(player, policy, digest, player.notation.name)


def _shipped() -> str:
    from chesslm.checkpoints import shipped_models

    names = sorted(shipped_models())
    if not names:
        raise InputError(f"--model: no model is shipped with this version; {HOW_TO_GET_ONE}")
    if len(names) > 1:
        raise InputError(f"--model: choose one of {', '.join(names)}")
    return names[0]
