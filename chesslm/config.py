"""Configurations: strict, frozen, with units; read from TOML and `--set section.key=value`.

Knows: how a TOML file and overrides become one validated object, its digest, and the sections of a training run.
Doesn't know: what the values do; the filters' sections live in `data_prep.config`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chesslm.errors import ConfigError
from chesslm.files import digest_json

_Decay = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A section: unknown keys are errors, values don't change, no silent conversion from strings."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RunSection(Section):
    """Where a run is written and what makes it repeatable."""

    out: str = Field(description="folder of the run; made if it doesn't exist")
    seed: int = Field(0, ge=0, lt=2**63, description="seeds the weights and the order of games")
    init_from: str | None = Field(
        None, description="checkpoint, run folder or shipped name whose weights to start from"
    )
    branch_from: str | None = Field(
        None,
        description="checkpoint or run folder of a run at a constant learning rate, to go on from to an end of its own",
    )

    @model_validator(mode="after")
    def _one_beginning(self) -> Self:
        if self.init_from is not None and self.branch_from is not None:
            raise ValueError("give init_from (weights alone) or branch_from (the whole state), not both")
        return self


class TrainDataSection(Section):
    """Which games are read, and in which notation."""

    games: str = Field(description="folder made by `chesslm data prepare` (holds games/ and tokens/)")
    notation: str = Field(description="one of the prepared notations")
    max_games: int | None = Field(None, ge=1, description="games: train on these many of smallest hash; all if absent")


class ModelSection(Section):
    """Shape of the decoder; everything but the vocabulary's size, which the notation gives."""

    width: int = Field(128, ge=8, description="size of the residual stream")
    depth: int = Field(4, ge=1, description="number of blocks")
    heads: int = Field(4, ge=1, description="number of query heads; divides width")
    kv_heads: int | None = Field(
        None, ge=1, description="number of key and value heads; heads if absent; divides heads"
    )
    mlp_width: int = Field(352, ge=8, description="hidden size of the SwiGLU layer")
    context_len: int = Field(512, ge=8, description="tokens: longest game that fits, begin to end")
    rope_base: float = Field(10_000.0, gt=0, description="base of the rotary positions' wavelengths")
    qk_norm: bool = Field(True, description="normalise queries and keys with RMSNorm before the rotation")
    tied_head: bool = Field(True, description="the head uses the embedding's weights")

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"width {self.width} must be an even multiple of heads {self.heads}")
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} must be a multiple of kv_heads {self.kv_heads}")
        return self


class OptimiserSection(Section):
    """AdamW (Loshchilov & Hutter 2019), on request Muon (Jordan et al. 2024) for the blocks' matrices.

    Both with warm-up, a constant stretch and a linear decay to zero.
    """

    learning_rate: float = Field(2e-3, gt=0, description="peak learning rate of AdamW, per step")
    betas: tuple[_Decay, _Decay] = Field((0.9, 0.98), description="decay of the first and second moment, per step")
    eps: float = Field(1e-8, gt=0, description="added to the root of the second moment")
    weight_decay: float = Field(
        0.1, ge=0, description="decoupled weight decay of matrices, per step times learning rate"
    )
    muon_learning_rate: float | None = Field(
        None, gt=0, description="peak learning rate of Muon, per step; AdamW updates every weight if absent"
    )
    muon_momentum: float = Field(0.95, ge=0, lt=1, description="decay of Muon's momentum, per step (Nesterov)")
    muon_weight_decay: float = Field(0.1, ge=0, description="decoupled, per step times Muon's learning rate")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient; larger ones are scaled down")
    warmup_steps: int = Field(100, ge=0, description="steps of linear warm-up from zero")
    decay_share: float = Field(0.3, ge=0, le=1, description="share of all steps, at the end, of linear decay to zero")

    @model_validator(mode="before")
    @classmethod
    def _pair(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("betas"), list):
            return {**values, "betas": tuple(values["betas"])}
        return values


class TrainingSection(Section):
    """How much is trained, in which pieces, on what."""

    steps: int = Field(ge=1, description="optimiser steps in all")
    games_per_step: int | None = Field(None, ge=1, description="games in one step (equal games); or tokens_per_step")
    tokens_per_step: int | None = Field(None, ge=1, description="tokens in one step (equal tokens); or games_per_step")
    tokens_per_micro_batch: int = Field(
        4_096,
        ge=1,
        description="tokens (on a card: with padding) that go through the model at once; a step takes several",
    )
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")
    log_every: int = Field(10, ge=1, description="steps between lines of metrics.jsonl")
    keep_checkpoints: int = Field(2, ge=1, description="newest checkpoints kept; the last is always kept")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes CUDA where there is one")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="bfloat16 computes under autocast")
    compile: bool = Field(False, description="run the model through torch.compile")
    parallel: Literal["ddp", "fsdp"] = Field(
        "ddp", description="several processes: each holds all weights and optimiser state (ddp), or its share (fsdp)"
    )
    threads: int | None = Field(
        None, ge=1, description="CPU threads; if absent, a process of one thread for each core (docs/training.md)"
    )

    @model_validator(mode="after")
    def _one_batch_size(self) -> Self:
        if (self.games_per_step is None) == (self.tokens_per_step is None):
            raise ValueError("give exactly one of games_per_step and tokens_per_step")
        return self


class ValidationSection(Section):
    """The metrics of METRICS section 1, measured on the val split while training."""

    every: int = Field(500, ge=1, description="steps between validations; the last step always validates")
    positions: int = Field(200, ge=1, description="val games, one random ply each")
    loss_games: int = Field(200, ge=1, description="val games of smallest hash over which token losses are taken")
    seed: int = Field(0, ge=0, description="chooses the plies")


class TrainConfig(Section):
    """Everything `chesslm train` needs; stored whole in every checkpoint."""

    run: RunSection
    data: TrainDataSection
    model: ModelSection = ModelSection()
    optimiser: OptimiserSection = OptimiserSection()
    training: TrainingSection
    validation: ValidationSection = ValidationSection()

    def digest(self) -> str:
        """sha256 (hex) of all that decides the weights: everything but where the run is written."""
        payload = self.model_dump(mode="json")
        del payload["run"]["out"]
        return digest_json(payload)


ConfigType = TypeVar("ConfigType", bound=Section)


def load_config(kind: type[ConfigType], path: Path | None, overrides: Sequence[str] = ()) -> ConfigType:
    """A validated configuration from a TOML file (none: defaults) and `section.key=value` overrides.

    A value is TOML (`0.1`, `true`, `[1, 2]`, `"text"`); what isn't TOML is taken as a bare string.

    Raises:
        ConfigError: unreadable file, not TOML, unknown key, wrong type or value; one line that names the key.
    """
    source = str(path) if path is not None else "the command line"
    values: dict[str, Any] = _read_toml(path) if path is not None else {}
    for override in overrides:
        _apply(values, override)
    return validate(kind, values, source=source)


def validate(kind: type[ConfigType], values: Any, *, source: str) -> ConfigType:
    """A configuration from plain values.

    Raises:
        ConfigError: one line with the source, the first wrong key, and what is wrong with it.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
        given = "" if first["type"] in ("missing", "extra_forbidden") else f", not {_short(first['input'])}"
        raise ConfigError(f"{source}: {key}: {what}{given}{more}") from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from error


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or len(path) != 2 or not all(path):
        raise ConfigError(f"--set {override}: expected section.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    section = values.setdefault(path[0], {})
    if not isinstance(section, dict):
        raise ConfigError(f"--set {override}: {path[0]} is not a section")
    section[path[1]] = value
