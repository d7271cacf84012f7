"""What a report is made of: run folders, folders of matches and results files, and whether they may stand on one page.

Knows: which facts results must share before their numbers are compared (METRICS: same games, same seed, same weights;
matches under the same rules, on the same ladder).
Doesn't know: what the page says about them (`report_tables` and its neighbours, `report`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chesslm.errors import FormatError, InputError
from chesslm.files import digest_json
from eval.documents import format_of, read_documents
from eval.learning_curves import RunCurve, read_run_curve
from eval.match_log import CONFIG_FILE, GAMES_FILE
from eval.records import (
    ALL,
    RESULTS_FORMAT,
    DifferenceRecord,
    MeasureRecord,
    ModelRecord,
    ResultKind,
    Results,
    parse_results,
)
from eval.strength_records import STRENGTH_FORMAT, StrengthResults, parse_strength

# The same positions or games are behind results of one of these.
_SAMPLES: dict[ResultKind, str] = {
    "legality": "measured games",
    "likelihood": "measured games",
    "tactics": "games with a mate in one",
    "probe": "probed games",
}
# Kernels and batches differ in the last digits; definitions and code differ in others.
_SAME_VALUE = 1e-3


@dataclass(frozen=True)
class ReportInputs:
    """What the user named, already read, and alike where it must be.

    Args:
        curves: of the run folders.
        results: of all kinds but matches.
        strengths: of matches.
        matches: folders with games.
    """

    curves: tuple[RunCurve, ...] = ()
    results: tuple[Results, ...] = ()
    strengths: tuple[StrengthResults, ...] = ()
    matches: tuple[Path, ...] = ()

    @property
    def models(self) -> list[ModelRecord]:
        """Every model once, in the order of the files."""
        models: dict[str, ModelRecord] = {}
        for found in (*(result.models for result in self.results), *(match.models for match in self.strengths)):
            for model in found:
                models.setdefault(model.label, model)
        return list(models.values())

    @property
    def trained(self) -> list[str]:
        """Labels of the models that aren't controls; copies in fewer bits last, so that the first two are the pair."""
        found = (model for model in self.models if model.kind == "trained")
        return [model.label for model in sorted(found, key=lambda model: model.is_rounded)]

    @property
    def columns(self) -> list[str]:
        """Labels of all that stand side by side: trained models, then players without a notation."""
        return [*self.trained, *(model.label for model in self.models if model.kind == "player")]

    def of_kind(self, *kinds: ResultKind) -> list[Results]:
        """The results of some kinds."""
        return [result for result in self.results if result.kind in kinds]

    def measures(self) -> Iterator[MeasureRecord]:
        """All measures of all files."""
        for result in self.results:
            yield from result.measures

    def by_ply(self, metric: str, model: str) -> list[MeasureRecord]:
        """The measures of a metric on subsets of plies, earliest first, each from the first file that has it."""
        found: dict[str, MeasureRecord] = {}
        for result in self.results:
            for measure in result.by_ply(metric, model):
                found.setdefault(measure.subset, measure)
        return sorted(found.values(), key=lambda measure: measure.first_ply or 0)

    def find(self, metric: str, model: str, subset: str = ALL, detail: str | None = None) -> MeasureRecord | None:
        """The measure of a metric from the first file that has it."""
        return next((m for r in self.results if (m := r.find(metric, model, subset, detail))), None)

    def find_difference(
        self, metric: str, model_a: str, model_b: str, subset: str = ALL, detail: str | None = None
    ) -> DifferenceRecord | None:
        """The paired difference `model_a` minus `model_b` from the first file that has it."""
        found = (r.find_difference(metric, model_a, model_b, subset, detail) for r in self.results)
        return next((record for record in found if record), None)


def read_inputs(paths: Sequence[Path]) -> ReportInputs:
    """Read run folders, folders of matches and results files (`.json`, or `.jsonl` with one a line), in any order.

    What stands twice, word for word, counts once.

    Raises:
        InputError: a path is none of these, or two results can't be compared; names it or both.
        FormatError: a file is of another format; names it.
    """
    curves: list[RunCurve] = []
    matches: list[Path] = []
    results: list[tuple[str, Results]] = []
    strengths: list[tuple[str, StrengthResults]] = []
    for path in paths:
        if path.is_dir() and (path / "metrics.jsonl").is_file():
            curves.append(read_run_curve(path))
        elif path.is_dir() and (path / CONFIG_FILE).is_file() and (path / GAMES_FILE).is_file():
            matches.append(path)
        elif path.is_file():
            for where, document in read_documents(path):
                read = _parse(document, where)
                if isinstance(read, Results):
                    results += [(where, read)] * (read not in (other for _, other in results))
                else:
                    strengths += [(where, read)] * (read not in (other for _, other in strengths))
        else:
            raise InputError(
                f"{path}: neither a run folder (with metrics.jsonl) nor a results file nor a match's folder"
            )
    _refuse_unlike([(where, fact) for where, read in results for fact in _facts(read)])
    _refuse_unlike([(where, fact) for where, read in strengths for fact in _strength_facts(read)])
    models = [(where, read.models) for where, read in results] + [(where, read.models) for where, read in strengths]
    _refuse_unlike([(where, fact) for where, found in models for fact in _model_facts(found)])
    _refuse_contradictions(results)
    return ReportInputs(
        tuple(curves),
        tuple(read for _, read in results),
        tuple(read for _, read in strengths),
        tuple(matches),
    )


def labels_of(inputs: ReportInputs) -> list[str]:
    """For each curve the label the results give its run, so that tables and curves agree; else its folder's name."""
    trained = (model for model in inputs.models if model.kind == "trained" and not model.is_rounded)
    by_source = {Path(model.source).resolve(): model.label for model in trained}
    return [by_source.get(curve.folder.resolve(), curve.folder.resolve().name) for curve in inputs.curves]


def _parse(document: Any, where: str) -> Results | StrengthResults:
    """Results of whichever format the document says."""
    found = format_of(document)
    if found == RESULTS_FORMAT:
        return parse_results(document, where)
    if found == STRENGTH_FORMAT:
        return parse_strength(document, where)
    raise FormatError(f"{where}: expected {RESULTS_FORMAT} or {STRENGTH_FORMAT}, found {found!r}")


def _refuse_unlike(facts: Sequence[tuple[str, tuple[str, str]]]) -> None:
    """Numbers of other games, seeds, weights or definitions never stand side by side unseen.

    Args:
        facts: (where it stands, (what, its value)).
    """
    seen: dict[str, tuple[str, str]] = {}
    for where, (fact, value) in facts:
        first_where, first_value = seen.setdefault(fact, (where, value))
        if value != first_value:
            raise InputError(
                f"{first_where} and {where} can't be in one report: {fact} is {first_value} in the one "
                f"and {value} in the other"
            )


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    """What must be the same in all results that have it, and its value."""
    games, sample = results.games, _SAMPLES[results.kind]
    yield "the games' digest", games.digest
    yield "the split", repr(games.split)
    yield "the seed", str(results.seed)
    yield f"the number of {sample}", str(games.chosen)
    if results.kind in ("legality", "likelihood"):
        yield "the suite's positions", "none" if results.suite is None else results.suite.positions_digest
    if results.puzzles is not None:
        yield "the digest of the puzzles", results.puzzles.digest
        yield "the number of puzzles", str(results.puzzles.chosen)
    for metric, version in {(measure.metric, measure.version) for measure in results.measures}:
        yield f"the version of metric {metric!r}", str(version)


def _strength_facts(results: StrengthResults) -> Iterator[tuple[str, str]]:
    """The same for matches: ratings hold under one set of rules, on one ladder."""
    if results.kind == "ladder":
        yield "the digest of the ladder", digest_json(results.model_dump(mode="json"))
    elif results.kind == "strength":
        if results.ladder is not None:
            yield "the digest of the ladder", results.ladder.digest
        yield "the seed of matches", str(results.seed)
        for rule, value in results.policy:
            yield f"the rule {rule!r} of matches", str(value)
        for rating in results.ratings:
            if any(player.label == rating.player and player.kind == "model" for player in results.players):
                yield f"the rating of {rating.player!r}", f"{rating.elo} of {rating.games} games"


def _model_facts(models: Sequence[ModelRecord]) -> Iterator[tuple[str, str]]:
    for model in models:
        yield f"checkpoint_digest of model {model.label!r}", str(model.checkpoint_digest)
        yield f"vocabulary_fingerprint of model {model.label!r}", model.vocabulary_fingerprint


def _refuse_contradictions(inputs: Sequence[tuple[str, Results]]) -> None:
    """One number a metric, model and subset: an older measurement never hides a newer one."""
    seen: dict[tuple[str, str, str, str | None], tuple[str, MeasureRecord]] = {}
    for where, results in inputs:
        for measure in results.measures:
            key = (measure.metric, measure.model, measure.subset, measure.detail)
            first_where, first = seen.setdefault(key, (where, measure))
            if first.n != measure.n or not math.isclose(
                first.value, measure.value, rel_tol=_SAME_VALUE, abs_tol=_SAME_VALUE
            ):
                raise InputError(
                    f"{first_where} and {where} can't be in one report: {measure.metric} of {measure.model!r} "
                    f"({measure.subset}) is {first.value:.6g} (n = {first.n}) in the one "
                    f"and {measure.value:.6g} (n = {measure.n}) in the other"
                )
