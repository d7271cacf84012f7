"""Results as typed records: every number with what it needs to be compared, in one JSON file a command.

Knows: the format `chesslm-results/1`, how it is written whole and read back strictly.
Doesn't know: how a number is measured (`legality`, `likelihood`) or shown (`tables`, the report).

The file is one JSON object, keys as the classes' fields below:

    {"format": "chesslm-results/1", "kind": "legality", "chesslm_version": "0.1.0", "commit": "9f2c…" or null,
     "seed": 0, "positions_asked": 2000,
     "games": {"source": "data/games", "kind": "folder", "split": "test", "digest": "…", "games": 12963,
               "chosen": 2000, "left_out": {"too long for a model": 3}, "train_games": 233571},
     "models": [{"label": "pgn", "kind": "trained", "notation": "pgn", …}, {"label": "pgn untrained", …}, …],
     "measures": [{"metric": "first_choice_legal", "model": "pgn", "subset": "all", "value": 0.81, "n": 2000,
                   "low": 0.79, "high": 0.83, "interval": "wilson", …}, …],
     "differences": [{"metric": "first_choice_legal", "model_a": "pgn", "model_b": "english", "value": 0.03, …}, …]}

A model's `label` is unique in its file and is what measures and differences name. The same command on the same inputs
writes the same bytes: there is no date in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chesslm.errors import FormatError
from chesslm.files import read_json
from eval.documents import format_of, write_document
from eval.metrics import Unit

RESULTS_FORMAT: Literal["chesslm-results/1"] = "chesslm-results/1"

ALL, NEW, AFTER_PLY_10, AFTER_PLY_20 = "all", "new", "after ply 10", "after ply 20"
"""Subsets of the positions; others are called `plies 20-29` or `plies 100+`, and say `first_ply` and `last_ply`."""

WRITTEN_GAMES, WRITTEN_ITALIAN = "written games", "written after the book's opening"
"""Games that a model wrote itself: nothing held out has a part in them."""

WHOLE_GAMES = "whole games"
"""Held-out games, one side's plies each."""

MATED, MISSED = "the player mated", "the player didn't"
"""Positions with a mate in one; and puzzles have subsets `rating A-B` and `theme T`."""

Number = Annotated[float, Field(allow_inf_nan=False)]
ModelKind = Literal["trained", "untrained", "uniform", "player"]
ResultKind = Literal["legality", "likelihood", "tactics", "probe"]


class Record(BaseModel):
    """Frozen, strict, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Found = TypeVar("Found", bound=Record)


ROUNDED = ("int8:", "bfloat16:")
"""What the digest of a copy in fewer bits begins with."""


class ModelRecord(Record):
    """What was measured: a trained model, or one of its controls."""

    label: str = Field(description="unique in the file; measures and differences name the model by it")
    kind: ModelKind = Field(
        description="untrained: the same network before training; uniform: every token alike; player: no notation"
    )
    source: str = Field(description="name or path as given to --model; the controls have their model's")
    notation: str
    vocabulary_len: int = Field(description="entries")
    vocabulary_fingerprint: str = Field(description="sha256 (hex)")
    checkpoint_digest: str | None = Field(
        description="sha256 (hex) of the weights' file; `untrained:` before it for that control, "
        "`int8:` or `bfloat16:` for a copy in fewer bits; None for uniform"
    )
    params_trunk: int = Field(description="weights of blocks and last norm")
    params_embedding: int = Field(description="weights of the embedding")
    params_head: int = Field(description="weights of the head, 0 where it is the embedding's")
    context_len: int = Field(description="tokens")
    step: int | None = Field(description="optimiser steps so far; None, as below: not known, somebody else's model")
    games_seen: int | None = Field(description="training games so far, repetitions counted")
    tokens_seen: int | None = Field(description="training tokens so far, repetitions counted")
    train_seconds: Number | None = Field(description="seconds of training so far")

    @property
    def is_rounded(self) -> bool:
        """Whether it is a copy of another model in fewer bits."""
        return (self.checkpoint_digest or "").startswith(ROUNDED)


class GamesRecord(Record):
    """Which held-out games the positions come from."""

    source: str = Field(description="folder or file as given to --games")
    kind: Literal["folder", "pgn"]
    split: str | None = Field(description="split of the folder; None for a PGN file")
    digest: str = Field(description="of a folder: over its parts' sha256; of a PGN file: sha256 (hex) of its bytes")
    games: int = Field(description="games in the split or file")
    chosen: int = Field(description="games that were measured, one position each")
    left_out: dict[str, int] = Field(description="reason -> games that were looked at and couldn't be used")
    train_games: int | None = Field(
        description="games of the train split that `new` was tested against; None: no `new`"
    )


class PuzzlesRecord(Record):
    """Which puzzles were put to the models, after their real games."""

    source: str = Field(description="file as given to --puzzles")
    digest: str = Field(description="sha256 (hex) of its bytes")
    puzzles: int = Field(description="puzzles in the file")
    joined: int = Field(description="puzzles whose game is among the held-out games")
    chosen: int = Field(description="puzzles that were put to the models, each of another game")
    left_out: dict[str, int] = Field(description="reason -> puzzles that were looked at and couldn't be used")


class ProbeRecord(Record):
    """What the probes were trained and tested on."""

    train_games: int = Field(description="held-out games that probes were trained on")
    validation_games: int = Field(description="held-out games that chose when to stop, and the best layer")
    test_games: int = Field(description="held-out games that accuracies are taken over")
    train_positions: int
    validation_positions: int
    test_positions: int
    best_layers: dict[str, dict[str, int]] = Field(description="label -> metric -> layer; 0 is the embedding")


class SuiteRecord(Record):
    """Which suite was measured; the same digest of positions means the same positions."""

    name: str
    definition_digest: str = Field(description="sha256 (hex) of the definition")
    games_digest: str = Field(description="of the games it was built from")
    positions_digest: str = Field(description="sha256 (hex) of all positions, moves before and move played")
    sizes: dict[str, int] = Field(description="random, or a class -> positions")


class Provenance(Record):
    """What every published number carries beside its value (METRICS.md)."""

    seed: int = Field(description="chose games and plies, and seeds the bootstrap")
    policy: str = Field(description="how the model was asked")
    games_digest: str
    commit: str | None = Field(description="of the measuring code; None where it isn't run from a git checkout")


class Estimate(Provenance):
    """A value with its 95 % interval, if anything can be said of it."""

    metric: str = Field(description="a key of `metrics.METRICS`")
    version: int = Field(ge=1, description="of the metric's definition")
    detail: str | None = Field(description="error kind, or part of text_nats_per_move; None: the metric itself")
    unit: Unit
    subset: str = Field(
        description="all, new, after ply 10, after ply 20, plies A-B (the last one: plies A+), one of "
        "position_classes.GROUPS, such prefixes as a cloze has, after random plies, whole games, or games it wrote"
    )
    value: Number
    n: int = Field(ge=1, description="positions (or games) it is taken over, each from another game")
    low: Number | None = Field(description="lower end of the 95 % interval; None, as `high`: `interval` says why")
    high: Number | None = Field(description="upper end of the 95 % interval")
    interval: str = Field(
        description="how the interval was made, in words; `none: ` and the reason where there is none"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Estimate:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{self.metric}: an interval from {self.low} to {self.high}")
        if self.ends is not None and self.ends[0] > self.ends[1]:
            raise ValueError(f"{self.metric}: low {self.low} is above high {self.high}")
        return self

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval; None where nothing can be said (one game, or games all alike, on a scale without ends)."""
        return None if self.low is None or self.high is None else (self.low, self.high)


class MeasureRecord(Estimate):
    """One metric of one model on one subset."""

    model: str = Field(description="label")
    notation: str
    checkpoint_digest: str | None
    first_ply: int | None = Field(None, description="of a subset of plies: the first, counted from 0")
    last_ply: int | None = Field(None, description="of a subset of plies: the last, None for no end")


class DifferenceRecord(Estimate):
    """A paired difference: the metric of `model_a` minus that of `model_b` on the same positions."""

    model_a: str = Field(description="label")
    model_b: str = Field(description="label")
    checkpoint_digest_a: str | None
    checkpoint_digest_b: str | None

    excludes_zero: bool = Field(description="the interval lies wholly on one side of 0")

    @model_validator(mode="after")
    def _consistent(self) -> DifferenceRecord:
        if self.excludes_zero != (self.ends is not None and not self.ends[0] <= 0 <= self.ends[1]):
            raise ValueError(f"{self.metric}: excludes_zero is {self.excludes_zero}, but [{self.low}, {self.high}]")
        return self


class Results(Record):
    """Everything that one command measured."""

    format: Literal["chesslm-results/1"] = RESULTS_FORMAT
    kind: ResultKind
    chesslm_version: str
    commit: str | None
    seed: int
    positions_asked: int = Field(ge=1, description="--positions")
    games: GamesRecord
    suite: SuiteRecord | None = Field(None, description="None: positions of the seed and number asked for")
    puzzles: PuzzlesRecord | None = Field(None, description="of `eval tactics --puzzles`")
    probe: ProbeRecord | None = Field(None, description="of `eval probe`")
    models: tuple[ModelRecord, ...]
    measures: tuple[MeasureRecord, ...]
    differences: tuple[DifferenceRecord, ...]

    @model_validator(mode="after")
    def _labels_are_known(self) -> Results:
        labels = [model.label for model in self.models]
        if len(set(labels)) != len(labels):
            raise ValueError("labels of models are unique")
        used = {measure.model for measure in self.measures}
        used |= {label for difference in self.differences for label in (difference.model_a, difference.model_b)}
        if unknown := sorted(used - set(labels)):
            raise ValueError(f"no model {unknown[0]!r}")
        return self

    def model(self, label: str) -> ModelRecord:
        """The model of a label; KeyError if there is none."""
        for model in self.models:
            if model.label == label:
                return model
        raise KeyError(label)

    def find(self, metric: str, model: str, subset: str = ALL, detail: str | None = None) -> MeasureRecord | None:
        """The measure of a metric, if it was taken."""
        wanted = (metric, model, subset, detail)
        for measure in self.measures:
            if (measure.metric, measure.model, measure.subset, measure.detail) == wanted:
                return measure
        return None

    def by_ply(self, metric: str, model: str) -> Iterator[MeasureRecord]:
        """The measures of a metric on the subsets of plies, earliest first."""
        found = (m for m in self.measures if m.metric == metric and m.model == model and m.first_ply is not None)
        yield from sorted(found, key=lambda measure: measure.first_ply or 0)

    def find_difference(
        self, metric: str, model_a: str, model_b: str, subset: str = ALL, detail: str | None = None
    ) -> DifferenceRecord | None:
        """The paired difference `model_a` minus `model_b`, if it was taken in this order."""
        wanted = (metric, model_a, model_b, subset, detail)
        for record in self.differences:
            if (record.metric, record.model_a, record.model_b, record.subset, record.detail) == wanted:
                return record
        return None


def write_results(path: Path, results: Results) -> None:
    """Write the file whole; a `.jsonl` file gets one more line.

    Raises:
        OutputError: no room, no permission; names the file.
    """
    write_document(path, results.model_dump(mode="json"))


def read_results(path: Path) -> Results:
    """Read what `write_results` wrote into a `.json` file.

    Raises:
        InputError: missing or not JSON.
        FormatError: not a results file of this format; names the file and the first wrong key.
    """
    return parse_results(read_json(path), str(path))


def parse_results(content: Any, where: str) -> Results:
    """The results that a JSON document holds.

    Args:
        content: the document.
        where: it stands; for messages.

    Raises:
        FormatError: not results of this format; names the place and the first wrong key.
    """
    return parse_document(content, where, Results, expected=RESULTS_FORMAT)


def parse_document(document: Any, where: str, kind: type[Found], *, expected: str) -> Found:
    """What a document holds.

    Args:
        document: decoded JSON.
        where: it stands; for messages.
        kind: what it must be.
        expected: its format.

    Raises:
        FormatError: of another format, or not as its records are; names the place and the first wrong key.
    """
    if format_of(document) != expected:
        raise FormatError(f"{where}: expected {expected}, found {format_of(document)!r}")
    try:
        # JSON mode: strict, but arrays become tuples.
        return kind.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise FormatError(f"{where}: not usable results: {key}: {first['msg']}") from error
