"""The opponent that `--model` names: a model, or the random player.

Knows: how a name and a decoding policy become a player, and what of it a game's record has to say.
Doesn't know: how any player chooses (`chesslm.player`, `chesslm.model_player`).

torch is imported only when a model is asked for: a random opponent answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import chess

from chesslm.config import Section
from chesslm.errors import ConfigError, GameTooLong, InputError, PlayerError, UnsupportedPosition
from chesslm.notation import Notation
from chesslm.player import ClosingPlayer, Decision, Player, RandomPlayer
from play.inert_text import inert
from play.torch_loading import open_torch_library

RANDOM = "random"
DEFAULT = "pgn"  # of the shipped models, the one that saw most games
_FOREIGN = "hf:"  # `chesslm.hugging_face.PREFIX`, which importing would bring torch
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


def make_policy(
    temperature: float, top_k: int | None = None, top_p: float | None = None, *, seed: int = 0, dashes: str = ""
) -> Policy:
    """A policy that makes sense; `dashes` stand before the names in errors, as the person wrote them.

    Raises:
        ConfigError: a value is out of range, or counts for nothing because nothing is drawn.
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ConfigError(f"{dashes}temperature {temperature}: not a finite number of 0 or more")
    if top_k is not None and top_k < 1:
        raise ConfigError(f"{dashes}top-k {top_k}: not 1 or more")
    # Not "top_p <= 0", which would let NaN through.
    if top_p is not None and not 0 < top_p <= 1:
        raise ConfigError(f"{dashes}top-p {top_p:g}: not in (0, 1]")
    if not temperature and (top_k is not None or top_p is not None):
        raise ConfigError(
            f"{dashes}top-k and {dashes}top-p choose what is drawn from, so they need a {dashes}temperature above 0"
        )
    return Policy(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)


@dataclass(frozen=True, slots=True)
class Opponent:
    """A player and what a record of its games says about it.

    Args:
        player: chooses the moves; whoever opened the opponent closes it.
        policy: None where the player has none (the random player's seed is in its moves alone).
        digest: sha256 (hex) of the model's weights; None for players without weights.
        notation: name of the model's notation; None for players without one.
        asked: what named it, a path or a name, so that it can be named again.
        language: how it writes games; only the thread in which it thinks may use it. None for players without one.
        reopen: the same model as another player, under another policy; None for players without one.
    """

    player: Player
    policy: Policy | None = None
    digest: str | None = None
    notation: str | None = None
    asked: str | None = None
    language: Notation | None = None
    reopen: Callable[[Policy], Player] | None = None

    @property
    def is_absent(self) -> bool:
        """Whether nobody sits there yet."""
        return isinstance(self.player, AbsentPlayer)

    def refusal(self, board: chess.Board) -> str:
        """Why its notation can't write a game that began so, in a sentence without a full stop; "" if it can."""
        if self.language is None:
            return ""
        try:
            self.language.prompt(board)
        except UnsupportedPosition as error:
            why = "a model reads a game from its first move, so it can only begin at chess's start position"
            return f"{inert(self.name, limit=30)} can't play from there ({self.language.name}): {error}; {why}"
        except GameTooLong:
            return ""  # it says so itself, and the game ends by that
        return ""

    @property
    def options(self) -> list[str]:
        """The command line's options that name it and its policy again."""
        policy = self.policy or Policy()
        given: dict[str, object] = {"--model": self.asked, "--top-k": policy.top_k, "--top-p": policy.top_p}
        if policy.temperature:
            given["--temperature"] = f"{policy.temperature:g}"
        if policy.seed:
            given["--seed"] = policy.seed
        return [part for name, value in given.items() if value is not None for part in (name, str(value))]

    def under(self, policy: Policy) -> Opponent:
        """The same model under another policy.

        Raises:
            InputError: it has no policy.
        """
        if self.reopen is None:
            raise InputError(f"{self.name} draws from no probabilities, so it has no temperature, top-k or top-p")
        return replace(self, player=self.reopen(policy), policy=policy)

    @property
    def name(self) -> str:
        """The player's own name."""
        return self.player.name

    @property
    def details(self) -> str:
        """Notation and policy for people; "" where there are none."""
        return ", ".join(part for part in (self.notation, self.policy.text if self.policy else None) if part)


class AbsentPlayer(ClosingPlayer):
    """Keeps a seat for a model that is still being loaded."""

    def __init__(self, name: str) -> None:
        self.name = name

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """Nobody is here to choose.

        Raises:
            PlayerError: always.
        """
        raise PlayerError(f"{self.name} is not there yet, so it can't choose in {len(boards)} games")


def absent(name: str | None, policy: Policy) -> Opponent:
    """The seat of a model that is still being loaded."""
    return Opponent(AbsentPlayer(name or "a shipped model"), policy, asked=name)


def open_opponent(name: str | None, policy: Policy) -> Opponent:
    """The opponent called `name`: "random", a checkpoint, a run folder, a shipped or (`hf:…`) a Hugging Face model.

    None is a shipped model.

    Raises:
        UserError: there is no such model, or none is shipped and none was named.
    """
    if name == RANDOM:
        if policy != Policy(seed=policy.seed):
            raise InputError("--temperature, --top-k and --top-p mean nothing to --model random")
        return Opponent(RandomPlayer(seed=policy.seed), asked=name)
    open_torch_library()
    from chesslm.checkpoints import LoadedModel, load_model
    from chesslm.hugging_face import HuggingFaceModel, load_hugging_face
    from chesslm.model_player import ModelPlayer

    asked = name or _shipped()
    loaded: LoadedModel | HuggingFaceModel = (
        load_hugging_face(asked) if asked.startswith(_FOREIGN) else load_model(asked)
    )
    checkpoint = loaded if isinstance(loaded, LoadedModel) else None

    def reopen(policy: Policy) -> ModelPlayer:
        return ModelPlayer(loaded.model, loaded.notation, name=loaded.name, loaded=checkpoint, **policy.model_dump())

    return Opponent(reopen(policy), policy, loaded.digest, loaded.notation.name, name, loaded.notation, reopen)


def check_name(name: str | None) -> None:
    """Whether a name names anything, without loading it.

    A Hugging Face model is only looked for when it is loaded.

    Raises:
        InputError: there is no such model, or none is shipped and none was named.
    """
    if name != RANDOM and not (name or "").startswith(_FOREIGN):
        from chesslm.checkpoints import find_checkpoint

        find_checkpoint(name or _shipped())


def _shipped() -> str:
    from chesslm.checkpoints import shipped_models

    names = sorted(shipped_models())
    if not names:
        raise InputError(f"--model: no model is shipped with this version; {HOW_TO_GET_ONE}")
    if DEFAULT in names:
        return DEFAULT
    if len(names) > 1:
        raise InputError(f"--model: choose one of {', '.join(names)}")
    return names[0]
