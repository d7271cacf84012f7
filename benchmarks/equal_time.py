"""Quality at equal wall time, beside nanoGPT's way on the same games: `python -m benchmarks.equal_time DIR`.

Knows: both sides' jobs, how the held-out positions are put to both, the record and the table.
Doesn't know: what a side does inside (`equal_time_sides`, `equal_time_char`), or how positions are measured (`eval`).

Each side is a process of its own, and everything from its start to its last checkpoint counts: imports, compiling (in a
cache of its own, empty at first), reading. Preparing the games doesn't, on either side. Both are judged by the same
code on the same positions, each in the text that it learned: ours in its notation, the peer as a Hugging Face folder
whose games begin with the newline that begins them in its training text; p(move) is then that of the characters.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer

from benchmarks.equal_time_char import CharSettings, write_text
from benchmarks.equal_time_sides import DONE_FILE
from chesslm.config import TrainConfig, load_config
from chesslm.errors import ChesslmError, InputError, OutputError
from chesslm.files import read_json, write_bytes, write_json
from chesslm.game_files import games_folder, read_manifest
from chesslm.provenance import cpu_name, source_commit
from chesslm.training_inputs import RunData
from eval.aggregation import Subset
from eval.comparison import Column, compared
from eval.intervals import PAIRED_BOOTSTRAP, GameBootstrap, Interval
from eval.legality import measured, quantities
from eval.records import AFTER_PLY_10, ALL, Results
from eval.study import Study, prepare_study

FORMAT = "chesslm-equal-time/1"
ROOT = Path(__file__).resolve().parents[1]
METRICS = ("first_choice_legal", "legal_mass", "move_match", "move_nats")
OURS, PEER = "ours", "peer"
BARS = {"first_choice_legal": 0.10, "move_nats": 0.10}
_BUSY_LOAD = 0.3
_INTERRUPTED = 130
_LATE = 1.02  # of its minutes: so much a side may take


@dataclass(frozen=True, slots=True)
class Judged:
    """Both sides on the same positions.

    Args:
        results: records of both and paired differences, ours minus the peer's.
        nats_saved: the share by which our move_nats is lower, over all positions.
    """

    results: Results
    nats_saved: Interval


def jobs(
    config: TrainConfig, settings: CharSettings, *, folder: Path, text: Path, threads: int, cores: Sequence[list[int]]
) -> dict[str, dict[str, Any]]:
    """What each side's process is told, but for the time; `cores`: of ours, of the peer's, empty for all."""
    shared = {"threads": threads, "folder": str(folder)}
    return {
        OURS: {"side": OURS, **shared, "cores": cores[0], "config": config.model_dump(mode="json")},
        PEER: {"side": PEER, **shared, "cores": cores[1], "settings": asdict(settings), "text": str(text)},
    }


def train_sides(told: dict[str, dict[str, Any]], scratch: Path, *, minutes: float, together: bool) -> dict[str, Any]:
    """Let both train, one after the other or together; what came of each.

    Raises:
        InputError: a side failed; what it said last.
    """
    found: dict[str, Any] = {}
    groups = [list(told)] if together else [[side] for side in told]
    for group in groups:
        with ExitStack() as stack:
            running = {side: stack.enter_context(_Side(told[side], scratch / side, minutes)) for side in group}
            found |= {side: process.result() for side, process in running.items()}
    return found


class _Side:
    """A side's process; ended with the block, whatever happens."""

    def __init__(self, job: dict[str, Any], folder: Path, minutes: float) -> None:
        folder.mkdir()
        self._side, self._folder = job["side"], folder
        began = time.time()
        write_json(folder / "job.json", {**job, "began": began, "deadline": began + minutes * 60})
        # Nothing that was compiled before may help.
        cache = {"TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled")}
        with (folder / "said").open("wb") as said:
            # A session of its own: Ctrl-C is for the command alone, which then ends its sides.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.equal_time_sides", str(folder / "job.json")],
                cwd=ROOT,
                env={**os.environ, **cache},
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def __enter__(self) -> _Side:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # and what it has started
            self._process.wait()

    def result(self) -> dict[str, Any]:
        if self._process.wait():
            said = (self._folder / "said").read_text(errors="replace").strip().splitlines()
            raise InputError(f"{self._side}: {said[-1] if said else 'it ended without a word'}")
        return dict(read_json(self._folder / DONE_FILE))


def judge(study: Study) -> Judged:
    """Put the study's positions to its two models, ours first.

    Raises:
        InputError: a model's numbers aren't finite.
    """
    subsets = [Subset(name, mask) for name, mask in study.held_out.subsets().items() if name != AFTER_PLY_10]
    columns, nats = {}, []
    for contender in study.contenders:
        numbers = quantities(measured(contender, study.held_out.positions))
        columns[contender.label] = [Column(numbers[metric], tuple(subsets)) for metric in METRICS]
        nats.append(numbers["move_nats"].numerators)
    found = compared(study.aggregator(), study.contenders, columns)
    bootstrap = GameBootstrap(len(nats[0]), seed=study.seed)
    saved = bootstrap.interval(np.stack(nats, axis=1), lambda sums: 1 - sums[..., 0] / sums[..., 1])
    return Judged(study.results("legality", found.measures, found.differences), saved)


def markdown(record: dict[str, Any], judged: Judged) -> str:
    """The record for people."""
    ours, peer, results = record["sides"][OURS], record["sides"][PEER], judged.results
    lines = [
        f"{record['minutes']:g} minutes each, {record['order']}, {record['threads']} threads of {record['cpu']}; "
        f"commit {record['commit']}; games {record['games_digest'][:12]}; "
        f"n = {results.measures[0].n:,} held-out positions, seed {record['seed']}."
    ]
    if record["load"] > _BUSY_LOAD:
        lines.append(f"**The machine had other work (load average {record['load']:.1f} at the start).**")
    late = [side for side, found in record["sides"].items() if found["wall_s"] > record["minutes"] * 60 * _LATE]
    lines += [f"**{side} went over its time: no fair comparison.**" for side in late]
    lines += [
        "",
        "| | chesslm | character-level GPT-2 (nanoGPT's loop) |",
        "|---|---|---|",
        f"| weights | {ours['num_params']:,} | {peer['num_params']:,} |",
        f"| seconds, start to checkpoint | {ours['wall_s']:,.0f} | {peer['wall_s']:,.0f} |",
        f"| steps | {ours['steps']:,} of {ours['steps_planned']:,} planned | {peer['steps']:,} |",
        f"| read | {ours['tokens']:,} tokens | {peer['characters']:,} characters |",
        f"| games' worth | {ours['games']:,} | {peer['games']:,.0f} |",
        f"| peak memory | {ours['peak_bytes'] / 1e6:,.0f} MB | {peer['peak_bytes'] / 1e6:,.0f} MB |",
        "",
        "| metric | positions | n | chesslm | characters | difference (paired, 95 %) |",
        "|---|---|---|---|---|---|",
    ]
    values = {(m.model, m.metric, m.subset): m for m in results.measures}
    for gap in results.differences:
        one, other = (values[label, gap.metric, gap.subset] for label in (gap.model_a, gap.model_b))
        cells = [
            f"{m.value:.4f} [{m.low:.4f}, {m.high:.4f}]"
            if m.low is not None and m.high is not None
            else f"{m.value:.4f} [–]"
            for m in (one, other, gap)
        ]
        lines.append(f"| {gap.metric} | {gap.subset} | {gap.n:,} | {' | '.join(cells)} |")
    saved = judged.nats_saved
    lines += ["", f"move_nats is {saved.value:.1%} [{saved.low:.1%}, {saved.high:.1%}] lower ({PAIRED_BOOTSTRAP})."]
    held = {True: "holds", False: "doesn't hold"}
    lines += [
        f"Bars: first_choice_legal at least 10 points higher {held[record['bars']['first_choice_legal']]}, move_nats "
        f"at least 10 % lower {held[record['bars']['move_nats']]}."
    ]
    return "\n".join([*lines, ""])


def _record(judged: Judged, sides: dict[str, Any], **more: Any) -> dict[str, Any]:
    results = judged.results
    gap = next(d for d in results.differences if (d.metric, d.subset) == ("first_choice_legal", ALL))
    reached = {"first_choice_legal": gap.value, "move_nats": judged.nats_saved.value}
    return {
        "format": FORMAT,
        **more,
        "torch": torch.__version__,
        "sides": sides,
        "move_nats_lower_by": asdict(judged.nats_saved),
        "bars": {metric: reached[metric] >= bar for metric, bar in BARS.items()},
        "results": results.model_dump(mode="json"),
    }


def benchmark(
    data: Path,
    out: Path,
    *,
    config: TrainConfig,
    settings: CharSettings,
    minutes: float,
    threads: int,
    side_by_side: bool,
    positions: int,
    seed: int,
) -> str:
    """Train both, judge both, write `equal_time.json`, `equal_time.md` and the models; the table.

    Raises:
        UserError: data or settings can't be used; a folder of models is there already.
    """
    models, load = out / "equal_time_models", os.getloadavg()[0]
    if models.exists():
        raise OutputError(f"{models} exists already; choose another --out")
    RunData.open(config)  # a mistake is told before the minutes
    cores = sorted(os.sched_getaffinity(0))
    if side_by_side and len(cores) < 2:
        raise InputError("--side-by-side needs two cores")
    with tempfile.TemporaryDirectory(prefix="equal-time-") as scratch:
        text = Path(scratch) / "characters"
        num_games, num_characters = write_text(data, text)
        if num_characters <= settings.block:
            raise InputError(f"{data}: {num_characters} characters of games are fewer than a block")
        told = jobs(
            config,
            settings,
            folder=models.resolve(),
            text=text,
            threads=threads,
            cores=([cores[0]], [cores[1]]) if side_by_side else ([], []),
        )
        models.mkdir(parents=True)
        try:
            sides = train_sides(told, Path(scratch), minutes=minutes, together=side_by_side)
        except BaseException:
            shutil.rmtree(models)  # half of a comparison is none
            raise
    sides[PEER]["games"] = sides[PEER]["characters"] / (num_characters / num_games)
    torch.set_num_threads(threads)
    named = [sides[OURS]["checkpoint"], f"hf:{models.resolve() / 'char-gpt2'}"]
    judged = judge(prepare_study(named, data, positions=positions, seed=seed, device="cpu"))
    record = _record(
        judged,
        sides,
        minutes=minutes,
        threads=threads,
        order="side by side, one core each" if side_by_side else "one after the other",
        seed=seed,
        load=load,
        cpu=cpu_name(),
        commit=source_commit(),
        games_digest=str(read_manifest(games_folder(data))["games_digest"]),
        config=config.model_dump(mode="json"),
        peer_settings=asdict(settings),
    )
    said = markdown(record, judged)
    write_json(out / "equal_time.json", record)
    write_bytes(out / "equal_time.md", said.encode())
    return said


def main(
    data: Annotated[
        Path, typer.Argument(metavar="DIR", help="folder that `chesslm data prepare` made, with the config's tokens")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="where equal_time.json, equal_time.md and the models are written")
    ] = Path("bench"),
    minutes: Annotated[float, typer.Option(min=0.01, help="wall time of each training")] = 20.0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of each; all cores if absent")] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="both at once, one core each, instead of one after the other")
    ] = False,
    positions: Annotated[int, typer.Option(min=1, help="held-out positions, each of another game")] = 2_000,
    seed: Annotated[int, typer.Option(min=0, help="of weights, order and positions")] = 0,
    config: Annotated[Path, typer.Option(metavar="FILE", help="ours: shape and optimiser")] = ROOT
    / "configs/shipped-pgn.toml",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="one setting of ours; repeatable")
    ] = None,
    peer_block: Annotated[int, typer.Option(min=128, help="the peer's context, in characters")] = 1_024,
    peer_rows: Annotated[int, typer.Option(min=1, help="blocks in a step of the peer's")] = 4,
    peer_learning_rate: Annotated[float, typer.Option(min=1e-9, help="the peer's highest")] = 1e-3,
    peer_dtype: Annotated[Literal["float32", "bfloat16"], typer.Option(help="the peer's arithmetic")] = "float32",
    peer_compile: Annotated[bool, typer.Option("--peer-compile", help="the peer through torch.compile")] = False,
) -> None:
    """Train ours and a plain character-level GPT-2 for the same minutes; compare them on the same positions."""
    used = 1 if side_by_side else threads or len(os.sched_getaffinity(0))
    # Ours gets a process of one thread for each, the peer torch's threads.
    given = [f"data.games={data.resolve()}", "training.threads=1", f"run.seed={seed}", "training.device=cpu"]
    try:
        ours = load_config(TrainConfig, config, [*given, *(set_ or ())])
        shape = ours.model
        # A SwiGLU layer has three matrices where GPT-2's has two.
        settings = CharSettings(
            width=shape.width,
            depth=shape.depth,
            heads=shape.heads,
            mlp_width=shape.mlp_width * 3 // 2,
            block=peer_block,
            rows=peer_rows,
            learning_rate=peer_learning_rate,
            dtype=peer_dtype,
            compiled=peer_compile,
            seed=seed,
        )
        said = benchmark(
            data,
            out,
            config=ours,
            settings=settings,
            minutes=minutes,
            threads=used,
            side_by_side=side_by_side,
            positions=positions,
            seed=seed,
        )
    except ChesslmError as error:
        typer.echo(f"equal_time: {error}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo("equal_time: interrupted; nothing is written", err=True)
        raise typer.Exit(_INTERRUPTED) from error
    typer.echo(said)


if __name__ == "__main__":
    typer.run(main)
