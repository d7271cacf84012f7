"""From one number a game to a record with an interval, and from two models' numbers to a paired difference.

Knows: that every metric here is a ratio of sums over games, or its exponential; which interval a metric has.
Doesn't know: where the numbers come from (`legality`, `likelihood`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chesslm.errors import InputError
from eval.contenders import Entrant
from eval.intervals import PAIRED_BOOTSTRAP, Floats, GameBootstrap, Interval, wilson
from eval.metrics import METRICS, SCALES
from eval.positions import Mask
from eval.records import DifferenceRecord, MeasureRecord


@dataclass(frozen=True)
class Quantity:
    """A metric of one model before it is summed: `sum(numerators) / sum(denominators)` over any set of games.

    Args:
        metric: a key of `METRICS`.
        numerators: one a game.
        denominators: one a game; ones for a mean.
        detail: error kind or part; None: the metric itself.
        is_exponential: the metric is e to the power of the ratio.
    """

    metric: str
    numerators: Floats
    denominators: Floats
    detail: str | None = None
    is_exponential: bool = False

    def of_sums(self, numerator: Floats, denominator: Floats) -> Floats:
        """The metric from its sums, elementwise."""
        ratio = numerator / denominator
        return np.exp(ratio) if self.is_exponential else ratio


def mean_of(metric: str, values: Floats, *, detail: str | None = None, is_exponential: bool = False) -> Quantity:
    """A metric that is a mean over games."""
    return Quantity(metric, values, np.ones(len(values)), detail, is_exponential)


@dataclass(frozen=True, slots=True)
class Subset:
    """Some of the games.

    Args:
        name: as the records have it.
        mask: which games; at least one.
        first_ply, last_ply: for a subset of plies; last_ply None for no end.
    """

    name: str
    mask: Mask
    first_ply: int | None = None
    last_ply: int | None = None


class Aggregator:
    """Makes records that share a seed, the games and the code's commit.

    Args:
        seed: of the resamples.
        games_digest: of the held-out games.
        commit: of the measuring code.
    """

    def __init__(self, *, seed: int, games_digest: str, commit: str | None) -> None:
        self._seed = seed
        self._games_digest = games_digest
        self._commit = commit
        self._bootstraps: dict[int, GameBootstrap] = {}

    def measure(self, entrant: Entrant, quantity: Quantity, subset: Subset) -> MeasureRecord:
        """A metric of a model on a subset.

        Raises:
            InputError: it isn't a finite number; names model and metric.
        """
        return self.stated(entrant, quantity.metric, self.interval(quantity, subset), subset, detail=quantity.detail)

    def stated(
        self, entrant: Entrant, name: str, interval: Interval, subset: Subset, *, detail: str | None = None
    ) -> MeasureRecord:
        """A metric whose interval was made elsewhere; raises as `measure` does."""
        _check(interval, entrant.label, name)
        return MeasureRecord(
            **self._estimate(name, detail, interval, subset),
            model=entrant.label,
            notation=entrant.record.notation,
            checkpoint_digest=entrant.record.checkpoint_digest,
            first_ply=subset.first_ply,
            last_ply=subset.last_ply,
        )

    def difference(
        self, pair: tuple[Entrant, Entrant], quantities: tuple[Quantity, Quantity], subset: Subset
    ) -> DifferenceRecord:
        """The first model's metric minus the second's, paired game by game; raises as `measure` does."""
        first, second = pair
        name, detail = quantities[0].metric, quantities[0].detail
        interval = self.paired_interval(*quantities, subset)
        _check(interval, f"{first.label} minus {second.label}", name)
        return DifferenceRecord(
            **self._estimate(name, detail, interval, subset),
            model_a=first.label,
            model_b=second.label,
            checkpoint_digest_a=first.record.checkpoint_digest,
            checkpoint_digest_b=second.record.checkpoint_digest,
            excludes_zero=interval.low > 0 or interval.high < 0,
        )

    def _estimate(self, name: str, detail: str | None, interval: Interval, subset: Subset) -> dict[str, Any]:
        """The fields of an `Estimate`."""
        metric = METRICS[name]
        return {
            "metric": name,
            "version": metric.version,
            "detail": detail,
            "unit": metric.unit,
            "subset": subset.name,
            "value": interval.value,
            "n": int(subset.mask.sum()),
            "low": interval.low if interval.is_known else None,
            "high": interval.high if interval.is_known else None,
            "interval": interval.how,
            "seed": self._seed,
            "policy": metric.policy,
            "games_digest": self._games_digest,
            "commit": self._commit,
        }

    def interval(self, quantity: Quantity, subset: Subset) -> Interval:
        """The interval that the metric has by its definition."""
        metric = METRICS[quantity.metric]
        if metric.interval == "wilson":
            return wilson(round(quantity.numerators[subset.mask].sum()), int(subset.mask.sum()))
        columns = _columns([quantity], subset)
        return self._bootstrap(len(columns)).interval(
            columns, lambda sums: quantity.of_sums(sums[..., 0], sums[..., 1]), scale=SCALES.get(metric.unit)
        )

    def paired_interval(self, one: Quantity, other: Quantity, subset: Subset) -> Interval:
        """The first minus the second, both over the same resampled games."""
        columns = _columns([one, other], subset)

        def statistic(sums: Floats) -> Floats:
            return one.of_sums(sums[..., 0], sums[..., 1]) - other.of_sums(sums[..., 2], sums[..., 3])

        scale = SCALES.get(METRICS[one.metric].unit)
        of_difference = None if scale is None else (scale[0] - scale[1], scale[1] - scale[0])
        return self._bootstrap(len(columns)).interval(columns, statistic, scale=of_difference, how=PAIRED_BOOTSTRAP)

    def _bootstrap(self, num_games: int) -> GameBootstrap:
        # Kept by size alone: the resamples depend on nothing else.
        if num_games not in self._bootstraps:
            self._bootstraps[num_games] = GameBootstrap(num_games, seed=self._seed)
        return self._bootstraps[num_games]


def _columns(quantities: Sequence[Quantity], subset: Subset) -> Floats:
    """Numerators and denominators of each quantity side by side, (games of the subset, columns)."""
    return np.stack([part[subset.mask] for q in quantities for part in (q.numerators, q.denominators)], axis=1)


def _check(interval: Interval, label: str, metric: str) -> None:
    ends = (interval.low, interval.high) if interval.is_known else ()
    if not all(math.isfinite(number) for number in (interval.value, *ends)):
        raise InputError(
            f"model {label}: {metric} is {interval.value}, not a finite number (did its training diverge?)"
        )
