"""What fewer bits cost: a rounded copy of each trained model beside it, and how often the two choose otherwise.

Knows: METRICS section 2.1's choices, compared between a model and its copy (`chesslm.quantise`).
Doesn't know: how choices are made (`chesslm.measures`), or everything else that is measured of both (`legality`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import chess
import numpy as np

from chesslm.errors import InputError
from chesslm.inference import AnsweredPosition, Position
from chesslm.model import Decoder
from chesslm.quantise import Precision, rounded
from eval.aggregation import mean_of
from eval.comparison import whole
from eval.contenders import Contender
from eval.records import ALL, ModelRecord, Results
from eval.study import Study


def with_precisions(study: Study, precisions: Sequence[Precision]) -> Study:
    """The study with rounded copies of each trained model right behind it, labelled with their precision.

    Raises:
        InputError: a model is somebody else's, so its layers aren't known here.
    """
    if not precisions:
        return study
    contenders: list[Contender] = []
    for contender in study.contenders:
        contenders.append(contender)
        if contender.control_of:
            continue
        if not isinstance(contender.model, Decoder):
            raise InputError(f"--precision: {contender.label} is no chesslm model, so it can't be rounded")
        contenders += [
            replace(contender, record=_record(contender, precision), model=rounded(contender.model, precision))
            for precision in dict.fromkeys(precisions)
        ]
    return replace(study, contenders=tuple(contenders))


def _label(label: str, precision: Precision) -> str:
    return f"{label} {precision}"


def _record(contender: Contender, precision: Precision) -> ModelRecord:
    record = contender.record
    changes = {"label": _label(record.label, precision), "checkpoint_digest": f"{precision}:{record.checkpoint_digest}"}
    return record.model_copy(update=changes)


@dataclass
class Choices:
    """What every model chose in the held-out positions; `take` is told by `legality.measured`."""

    _choices: dict[str, list[tuple[str, chess.Move]]] = field(default_factory=dict)

    def take(
        self, contender: Contender, part: str, _positions: Sequence[Position], answers: Sequence[AnsweredPosition]
    ) -> None:
        """Remember the first choice and the lenient move of each position; a suite's classes are left out."""
        if part == ALL:
            found = [(answer.measure.first_choice, answer.probabilities.best) for answer in answers]
            self._choices.setdefault(contender.label, []).extend(found)

    def added(self, results: Results, study: Study, precisions: Sequence[Precision]) -> Results:
        """The results with how often each copy's choice is another than its original's."""
        aggregator = study.aggregator()
        by_label = {contender.label: contender for contender in study.contenders}
        records = []
        for label, original in self._choices.items():
            for precision in dict.fromkeys(precisions):
                copy = by_label.get(_label(label, precision))
                if copy is None:
                    continue
                pairs = list(zip(original, self._choices[copy.label], strict=True))
                for place, metric in enumerate(("first_choice_changed", "lenient_move_changed")):
                    changed = np.array([one[place] != other[place] for one, other in pairs], dtype=np.float64)
                    records.append(aggregator.measure(copy, mean_of(metric, changed), whole(ALL, len(pairs))))
        return results.model_copy(update={"measures": (*results.measures, *records)})
