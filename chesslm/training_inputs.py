"""What a training run reads before it writes anything.

Knows: where a configuration's games, tokens and first weights are found, and what must fit what.
Doesn't know: the training loop, or the run's own folder.

`data.games` is the folder that `chesslm data prepare` made: games in `games/`, tokens in `tokens/<notation>/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from chesslm.batches import Plan
from chesslm.branching import open_branch
from chesslm.checkpoints import fresh_model, initialise_from, pick_device
from chesslm.config import TrainConfig
from chesslm.errors import InputError
from chesslm.game_files import games_folder, read_manifest
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.notation.registry import load_notation
from chesslm.processes import Processes
from chesslm.run_folder import RunIdentity
from chesslm.token_games import TokenGames, read_token_games, require_fit
from chesslm.validation import Validator, val_games


@dataclass(frozen=True)
class RunData:
    """Where the games and tokens are, and which; nothing large is read yet.

    Args:
        games_folder: holds the Parquet parts.
        tokens_folder: holds the notation's token files and vocabulary.
        notation: loaded from there.
        identity: what a run on them is.
    """

    games_folder: Path
    tokens_folder: Path
    notation: Notation
    identity: RunIdentity

    @classmethod
    def open(cls, config: TrainConfig) -> RunData:
        """Find what a configuration names.

        Raises:
            UserError: it isn't there, or is of another kind.
        """
        games = games_folder(Path(config.data.games))
        digest = str(read_manifest(games).get("games_digest", ""))
        tokens = games.parent / "tokens" / config.data.notation
        if not tokens.is_dir():
            found = sorted(path.name for path in tokens.parent.glob("*") if path.is_dir())
            raise InputError(
                f"data.notation {config.data.notation}: no {tokens}; prepared notations: {', '.join(found) or 'none'}"
            )
        notation = load_notation(config.data.notation, tokens)
        return cls(games, tokens, notation, RunIdentity(config, digest, notation.vocabulary.fingerprint))


@dataclass(frozen=True)
class RunParts:
    """Everything a loop works with that can fail for a user's mistake: made before anything is written.

    Args:
        games: the train games, as chosen.
        plan: which of them each step takes.
        validator: asks the model about val games.
        device: where the model is.
        model: with its first weights.
        branch: the checkpoint that a new run takes up, None if it begins at the beginning.
        ancestors: of a new run that begins with another model's weights, as `initialise_from` has them.
    """

    games: TokenGames
    plan: Plan
    validator: Validator
    device: torch.device
    model: Decoder
    branch: Path | None
    ancestors: list[dict[str, Any]]

    @classmethod
    def read(
        cls, config: TrainConfig, data: RunData, *, is_new: bool, processes: Processes, fewer_games: bool = False
    ) -> RunParts:
        """Read tokens and games, check that they fit, and draw or load the first weights.

        Args:
            config: the resolved configuration.
            data: what `RunData.open` found.
            is_new: the run has no checkpoint yet, so it needs what `run.init_from` or `run.branch_from` names.
            processes: that train together; each has a device of its own.
            fewer_games: take what games there are where `data.max_games` asks for more.

        Raises:
            UserError: something can't be read or doesn't fit; nothing has been written.
        """
        training, context_len = config.training, config.model.context_len
        games = read_token_games(
            data.tokens_folder,
            "train",
            fingerprint=data.identity.vocabulary_fingerprint,
            games_digest=data.identity.games_digest,
            max_games=config.data.max_games,
            or_fewer=fewer_games,
        )
        require_fit(games, context_len=context_len, tokens_per_micro_batch=training.tokens_per_micro_batch)
        plan = Plan(
            games,
            seed=config.run.seed,
            games_per_step=training.games_per_step,
            tokens_per_step=training.tokens_per_step,
        )
        validation = val_games(data.games_folder, config.validation)
        validator = Validator(config.validation, validation, data.notation, context_len=context_len)
        device = processes.device(pick_device(training.device))
        model = fresh_model(config.model, len(data.notation.vocabulary), config.run.seed)
        ancestors: list[dict[str, Any]] = []
        if is_new and config.run.init_from is not None:
            ancestors = initialise_from(model, data.notation, config.run.init_from)
        branch = None
        if is_new and config.run.branch_from is not None:
            branch = open_branch(config.run.branch_from, data.identity)
        return cls(games, plan, validator, device, model.to(device), branch, ancestors)
