"""Is what we say of strength true? Players of known strength, a thousand times: `python -m benchmarks.elo_simulation`.

Knows: which ladders and tests are simulated, what counts as covered, and the table of it.
Doesn't know: how pairs come about (`simulated_pairs`), or how ratings and tests are made (`eval.elo`, `eval.sprt`).
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.stats import binomtest

from benchmarks.simulated_pairs import GameModel, SimulatedLadder, pentanomial_probabilities
from chesslm.files import write_bytes, write_json
from eval.elo import PairOutcome, pentanomial, rate
from eval.elo_fit import NATURAL, leads_to, maximise
from eval.elo_intervals import PAIR_POINTS
from eval.intervals import RESAMPLES, wilson
from eval.sprt import Sprt

FORMAT = "chesslm-elo-simulation/1"
RESULTS = Path(__file__).parent / "results"
ANCHOR = "p00"

_GAPS = (50, 120, 80, 200, 150, 60, 100)
LADDERS = {
    "two players, 100 Elo apart": SimulatedLadder((100,), pairs=50),
    "two players, 400 Elo apart": SimulatedLadder((400,), pairs=50),
    "eight players, gaps 50 to 200": SimulatedLadder(_GAPS, pairs=50),
    "the same, openings worth 300 Elo to White": SimulatedLadder(_GAPS, pairs=50, model=GameModel(colour=300, style=0)),
    "the same, openings that suit a player by 200 Elo": SimulatedLadder(_GAPS, pairs=50, model=GameModel(style=200)),
    "the same, 60 % draws": SimulatedLadder(_GAPS, pairs=50, model=GameModel(draw_elo=240)),
    "the same, second neighbours play, too": SimulatedLadder(_GAPS, pairs=50, pairs_beyond=25),
    "the same, 20 pairs a match-up": SimulatedLadder(_GAPS, pairs=20),
    "eight players, gaps 250 to 400": SimulatedLadder((300, 250, 350, 300, 400, 280, 320), pairs=50),
}
BOOTSTRAPPED = ("two players, 400 Elo apart", "eight players, gaps 50 to 200", "eight players, gaps 250 to 400")
BOUND_GAPS = (450, 520, 570, 620, 700, 850)
SPRTS = (
    (Sprt(0, 50), GameModel()),
    (Sprt(0, 50), GameModel(draw_elo=240)),
    (Sprt(0, 50), GameModel(colour=300, style=0)),
    (Sprt(0, 50), GameModel(style=200)),
    (Sprt(-20, 20), GameModel()),
    (Sprt(0, 150), GameModel()),
    (Sprt(200, 250), GameModel()),
)

Ends = dict[str, tuple[float | None, float | None]]
"""Low and high by player."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often 95 % intervals held the truth.

    Args:
        what: was simulated.
        how: the intervals were made.
        runs: ladders.
        covered: share of intervals, of all players but the anchor.
        low, high: 95 % interval of that share, over runs (players of one run depend on each other).
        lowest, highest: share of the player with the fewest and with the most.
        too_high, too_low: share of intervals wholly above and wholly below the truth.
        bounds: share of players that had but a one-sided bound.
        infinite: share of intervals without one of their ends.
        median_width: Elo.
    """

    what: str
    how: str
    runs: int
    covered: float
    low: float
    high: float
    lowest: float
    highest: float
    too_high: float
    too_low: float
    bounds: float
    infinite: float
    median_width: float


@dataclass(frozen=True, slots=True)
class BoundCheck:
    """How often a one-sided bound was false, of all runs (at most 2.5 % is promised); 95 % interval by Wilson."""

    gap: float
    runs: int
    with_bound: float
    false_bound: float
    low: float
    high: float
    false_interval: float


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How often a test that looked after each pair accepted the wrong hypothesis; 95 % interval by Clopper-Pearson."""

    elo0: float
    elo1: float
    model: GameModel
    truth: str
    allowed: float
    runs: int
    wrong: float
    low: float
    high: float
    mean_pairs: float
    undecided: int


def ends_of_bootstrap(outcomes: Sequence[PairOutcome], seed: int) -> Ends:
    """The percentile bootstrap over pairs, stratified by match-up, which `rate` doesn't use."""
    generator = np.random.default_rng(seed)
    players = sorted({player for outcome in outcomes for player in (outcome.player_a, outcome.player_b)})
    points = np.zeros((RESAMPLES, len(players), len(players)))
    for a, b in sorted({(outcome.player_a, outcome.player_b) for outcome in outcomes}):
        counts = np.array(pentanomial([o for o in outcomes if (o.player_a, o.player_b) == (a, b)], a))
        of_a = generator.multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES) @ PAIR_POINTS
        points[:, players.index(a), players.index(b)] = of_a
        points[:, players.index(b), players.index(a)] = 2 * counts.sum() - of_a
    origin = players.index(ANCHOR)
    leads = leads_to(points)
    above, below = leads[:, :, origin], leads[:, origin]
    tied = above & below
    is_fixed = ~tied | (np.arange(len(players)) == origin)
    fitted = maximise(points * (tied[:, :, None] & tied[:, None, :]), np.zeros(tied.shape), is_fixed)
    lows = np.where(tied, fitted, np.where(above, np.inf, -np.inf)) / NATURAL
    highs = np.where(tied, fitted, np.where(below, -np.inf, np.inf)) / NATURAL
    ends = {}
    for i, player in enumerate(players):
        low = float(np.quantile(lows[:, i], 0.025, method="lower"))
        high = float(np.quantile(highs[:, i], 0.975, method="higher"))
        ends[player] = (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
    return ends


def coverage(what: str, ladder: SimulatedLadder, *, runs: int, seed: int, is_bootstrapped: bool = False) -> Coverage:
    """Simulate a ladder and look whether its intervals hold the truth; those of `rate`, or of the bootstrap."""
    generator = np.random.default_rng(seed)
    truth = {player: elo for player, elo in ladder.truth.items() if player != ANCHOR}
    too_high, too_low = np.zeros((runs, len(truth)), dtype=bool), np.zeros((runs, len(truth)), dtype=bool)
    widths = np.full((runs, len(truth)), np.nan)
    num_bounds = 0
    for run in range(runs):
        outcomes = ladder.play(generator)
        ratings = rate(outcomes, anchor=ANCHOR)
        num_bounds += sum(rating.bound in ("below", "above") for rating in ratings)
        ends: Ends = {rating.player: (rating.low, rating.high) for rating in ratings}
        if is_bootstrapped:
            ends = ends_of_bootstrap(outcomes, run)
        for i, (player, elo) in enumerate(truth.items()):
            low, high = ends[player]
            too_high[run, i] = low is not None and low > elo
            too_low[run, i] = high is not None and high < elo
            if low is not None and high is not None:
                widths[run, i] = high - low
    covered = ~(too_high | too_low)
    by_run = covered.mean(axis=1)
    error = 1.96 * by_run.std(ddof=1) / runs**0.5
    return Coverage(
        what=what,
        how="percentile bootstrap" if is_bootstrapped else "profile likelihood",
        runs=runs,
        covered=float(covered.mean()),
        low=float(covered.mean() - error),
        high=float(covered.mean() + error),
        lowest=float(covered.mean(axis=0).min()),
        highest=float(covered.mean(axis=0).max()),
        too_high=float(too_high.mean()),
        too_low=float(too_low.mean()),
        bounds=num_bounds / covered.size,
        infinite=float(np.isnan(widths).mean()) - num_bounds / covered.size,
        median_width=float(np.nanmedian(widths)),
    )


def bound_check(gap: float, *, runs: int, seed: int) -> BoundCheck:
    """The strongest of three is `gap` above the second, who is 100 above the anchor; it often wins everything."""
    ladder = SimulatedLadder((100.0, gap), pairs=50)
    generator = np.random.default_rng(seed)
    with_bound = false_bound = false_interval = 0
    for _ in range(runs):
        top = next(rating for rating in rate(ladder.play(generator), anchor=ANCHOR) if rating.player == "p02")
        is_false = (top.low or -np.inf) > 100 + gap or (top.high or np.inf) < 100 + gap
        with_bound += top.bound == "above"
        false_bound += top.bound == "above" and is_false
        false_interval += top.bound == "interval" and is_false
    share = wilson(false_bound, runs)
    return BoundCheck(gap, runs, with_bound / runs, share.value, share.low, share.high, false_interval / runs)


def error_rate(sprt: Sprt, model: GameModel, *, h1: bool, runs: int, seed: int, most_pairs: int = 20_000) -> ErrorRate:
    """Run a test many times under one of its hypotheses, looking after each pair."""
    generator = np.random.default_rng(seed)
    probabilities = pentanomial_probabilities(sprt.elo1 if h1 else sprt.elo0, model)
    edges = np.cumsum(probabilities)[:-1]
    counts = np.zeros((runs, 5), dtype=np.int64)
    lower, upper = sprt.bounds
    wrong = total_pairs = 0
    for num_pairs in range(1, most_pairs + 1):
        counts[np.arange(len(counts)), np.searchsorted(edges, generator.random(len(counts)))] += 1
        llrs = sprt.llrs(counts)
        is_over = (llrs <= lower) | (llrs >= upper)
        wrong += int((llrs <= lower).sum() if h1 else (llrs >= upper).sum())
        total_pairs += num_pairs * int(is_over.sum())
        counts = counts[~is_over]
        if not len(counts):
            break
    ends = binomtest(wrong, runs).proportion_ci(0.95)
    return ErrorRate(
        elo0=sprt.elo0,
        elo1=sprt.elo1,
        model=model,
        truth="H1" if h1 else "H0",
        allowed=sprt.beta if h1 else sprt.alpha,
        runs=runs,
        wrong=wrong / runs,
        low=float(ends.low),
        high=float(ends.high),
        mean_pairs=total_pairs / max(1, runs - len(counts)),
        undecided=len(counts),
    )


def as_markdown(
    coverages: Sequence[Coverage], bounds: Sequence[BoundCheck], errors: Sequence[ErrorRate], *, seed: int
) -> str:
    """The tables, as they are committed."""
    lines = [
        "# Simulated strength",
        "",
        f"Made by `python -m benchmarks.elo_simulation --seed {seed}`; the simulation is described in",
        "`benchmarks/simulated_pairs.py`, the statistics in `docs/strength-statistics.md`.",
        "",
        "## Do 95 % intervals hold the truth?",
        "",
        "Anchor: the weakest. Brackets: 95 % interval of the share, over runs. Unless told otherwise, 50 pairs of",
        "games between neighbours, 27 % draws between equals, openings worth ± 120 Elo to White and ± 60 to a player.",
        "",
        "| simulated | interval | runs | covered | by player | wholly too high, too low | one-sided | an end missing |"
        " median width |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {c.what} | {c.how} | {c.runs:,} | {c.covered:.1%} [{c.low:.1%}, {c.high:.1%}] |"
        f" {c.lowest:.1%}–{c.highest:.1%} | {c.too_high:.1%}, {c.too_low:.1%} | {c.bounds:.1%} | {c.infinite:.1%} |"
        f" {c.median_width:.0f} |"
        for c in coverages
    ]
    lines += [
        "",
        "## Do one-sided bounds hold?",
        "",
        "Three players, 50 pairs between neighbours; the strongest is so far above the second that it often wins every",
        "game. A bound may be false in 2.5 % of all runs.",
        "",
        "| Elo above the second | runs | won everything | bound false | interval false |",
        "|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {b.gap:.0f} | {b.runs:,} | {b.with_bound:.1%} | {b.false_bound:.2%} [{b.low:.2%}, {b.high:.2%}] |"
        f" {b.false_interval:.2%} |"
        for b in bounds
    ]
    lines += [
        "",
        "## Does the SPRT keep its promises?",
        "",
        "Looked at after each pair, until decided.",
        "",
        "| H0, H1 | draw Elo, colour, style | true | allowed | runs | accepted the other | mean pairs | undecided |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {e.elo0:g}, {e.elo1:g} | {e.model.draw_elo:g}, {e.model.colour:g}, {e.model.style:g} | {e.truth} |"
        f" {e.allowed:.0%} | {e.runs:,} | {e.wrong:.2%} [{e.low:.2%}, {e.high:.2%}] | {e.mean_pairs:.0f} |"
        f" {e.undecided} |"
        for e in errors
    ]
    return "\n".join(lines) + "\n"


def main(
    out: Annotated[Path, typer.Option(help="folder for elo_simulation.json and .md")] = RESULTS,
    runs: Annotated[int, typer.Option(help="ladders of each kind", min=2)] = 1_000,
    tests: Annotated[int, typer.Option(help="SPRTs of each kind", min=1)] = 10_000,
    seed: int = 0,
    jobs: Annotated[int, typer.Option(help="processes", min=1)] = 1,
) -> None:
    """Simulate everything and write the tables."""
    with ProcessPoolExecutor(jobs) as pool:
        covered = []
        for what, ladder in LADDERS.items():
            covered.append(pool.submit(coverage, what, ladder, runs=runs, seed=seed))
            if what in BOOTSTRAPPED:
                few = max(2, runs // 5)  # it takes twenty times as long
                covered.append(pool.submit(coverage, what, ladder, runs=few, seed=seed, is_bootstrapped=True))
        held = [pool.submit(bound_check, gap, runs=runs, seed=seed) for gap in BOUND_GAPS]
        decided = [
            pool.submit(error_rate, sprt, model, h1=h1, runs=tests, seed=seed)
            for sprt, model in SPRTS
            for h1 in (False, True)
        ]
        coverages = [study.result() for study in covered]
        bounds = [study.result() for study in held]
        errors = [study.result() for study in decided]
    out.mkdir(parents=True, exist_ok=True)
    results = {
        "format": FORMAT,
        "seed": seed,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "coverage": [asdict(row) for row in coverages],
        "bounds": [asdict(row) for row in bounds],
        "sprt": [asdict(row) for row in errors],
    }
    write_json(out / "elo_simulation.json", results)
    write_bytes(out / "elo_simulation.md", as_markdown(coverages, bounds, errors, seed=seed).encode())


if __name__ == "__main__":
    typer.run(main)
