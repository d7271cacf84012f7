"""What a report is made of: run folders and results files, and whether they may stand on one page.

Knows: which facts results must share before their numbers are compared (METRICS: same games, same seed, same weights).
Doesn't know: what the page says about them (`report_tables`, `report`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chesslm.errors import InputError
from eval.learning_curves import RunCurve, read_run_curve
from eval.records import ALL, DifferenceRecord, MeasureRecord, ModelRecord, Results, read_results


@dataclass(frozen=True)
class ReportInputs:
    """What the user named: run folders and results files, already read, and alike where they must be."""

    curves: tuple[RunCurve, ...]
    results: tuple[Results, ...]

    @property
    def models(self) -> list[ModelRecord]:
        """Every model once, in the order of the files."""
        models: dict[str, ModelRecord] = {}
        for result in self.results:
            for model in result.models:
                models.setdefault(model.label, model)
        return list(models.values())

    @property
    def trained(self) -> list[str]:
        """Labels of the models that aren't controls."""
        return [model.label for model in self.models if model.kind == "trained"]

    def measures(self) -> Iterator[MeasureRecord]:
        """All measures of all files."""
        for result in self.results:
            yield from result.measures

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
    """Read run folders and results files, in any order.

    Raises:
        InputError: a path is neither, or two results files can't be compared; names it or both.
        FormatError: a file is of another format; names it.
    """
    curves: list[RunCurve] = []
    results: list[tuple[Path, Results]] = []
    for path in paths:
        if path.is_dir() and (path / "metrics.jsonl").is_file():
            curves.append(read_run_curve(path))
        elif path.is_file():
            results.append((path, read_results(path)))
        else:
            raise InputError(f"{path}: neither a run folder (with metrics.jsonl) nor a results file")
    _refuse_unlike(results)
    return ReportInputs(tuple(curves), tuple(result for _, result in results))


def labels_of(curves: Sequence[RunCurve], results: Sequence[Results]) -> list[str]:
    """The label the results give a run, so that tables and curves agree; else its folder's name."""
    by_source = {Path(m.source).resolve(): m.label for r in results for m in r.models if m.kind == "trained"}
    return [by_source.get(curve.folder.resolve(), curve.folder.resolve().name) for curve in curves]


def _refuse_unlike(inputs: Sequence[tuple[Path, Results]]) -> None:
    """Numbers of other games, seeds, weights or definitions never stand side by side unseen."""
    seen: dict[str, tuple[Path, str]] = {}
    for path, results in inputs:
        for fact, value in _facts(results):
            first_path, first_value = seen.setdefault(fact, (path, value))
            if value != first_value:
                raise InputError(
                    f"{first_path} and {path} can't be in one report: {fact} is {first_value} in the one "
                    f"and {value} in the other"
                )


def _facts(results: Results) -> Iterator[tuple[str, str]]:
    """What must be the same in all files that have it, and its value."""
    games = results.games
    yield "the games' digest", games.digest
    yield "the split", repr(games.split)
    yield "the seed", str(results.seed)
    yield "the number of measured games", str(games.chosen)
    for model in results.models:
        yield f"checkpoint_digest of model {model.label!r}", str(model.checkpoint_digest)
        yield f"vocabulary_fingerprint of model {model.label!r}", model.vocabulary_fingerprint
    for metric, version in {(measure.metric, measure.version) for measure in results.measures}:
        yield f"the version of metric {metric!r}", str(version)
