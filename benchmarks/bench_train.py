"""Training and decoding against public peers, in one run on the same data: `python -m benchmarks.bench_train DIR`.

Knows: which peers there are, repetitions, medians, ratios, and the table.
Doesn't know: what a peer does inside (`train_peers`).

Every peer is a process of its own; peers take turns, so that whatever else the machine does meets all of them.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from os import getloadavg, sched_getaffinity
from pathlib import Path
from typing import Annotated

import typer

from chesslm.errors import ChesslmError
from chesslm.files import write_bytes, write_json
from chesslm.provenance import cpu_name, source_commit

FORMAT = "chesslm-bench-train/1"
ROOT = Path(__file__).resolve().parents[1]
_BUSY_LOAD = 0.3
TRAINING = {
    "train-ours": "chesslm: bfloat16, compiled, Muon",
    "train-ours32": "chesslm: eager float32, Muon",
    "train-gpt2": "plain loop around Hugging Face GPT-2",
    "train-llama": "plain loop around Hugging Face Llama",
}
DECODING = {
    f"decode-{who}-{rows}": f"{what}, {rows} at once"
    for rows in (1, 64)
    for who, what in (
        ("ours", "chesslm `sample_text`"),
        ("gpt2", "`transformers.generate`, GPT-2"),
        ("llama", "`transformers.generate`, Llama"),
    )
}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one peer at one size.

    Args:
        name: of the peer.
        what: for people.
        size: of the model, as `train_peers.SIZES` has it.
        problem: why there are no numbers; None if there are.
        num_params: weights.
        tokens_per_s: the median.
        runs: of each run.
        peak_bytes: the largest resident size of all runs.
        ratio: how many times more tokens a second ours has at the same task; None without ours.
    """

    name: str
    what: str
    size: str
    problem: str | None
    num_params: int = 0
    tokens_per_s: float = 0.0
    runs: tuple[float, ...] = ()
    peak_bytes: int = 0
    ratio: float | None = None


def measured(data: Path, sizes: list[str], *, repeats: int, threads: int, seconds: float) -> list[Row]:
    """All peers at all sizes, in turns."""
    peers = {**TRAINING, **DECODING}
    lacks = None if find_spec("transformers") else "not installed (PyPI transformers)"
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    problems: dict[tuple[str, str], str] = {}
    for _ in range(repeats):
        for size in sizes:
            for name in peers:
                if lacks and "ours" not in name:
                    problems[name, size] = lacks
                    continue
                command = [sys.executable, "-m", "benchmarks.train_peers", name, size, str(data)]
                done = subprocess.run(
                    [*command, str(threads), str(seconds)], cwd=ROOT, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    problems[name, size] = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
                else:
                    found.setdefault((name, size), []).append(json.loads(done.stdout.splitlines()[-1]))
    rows = []
    for size in sizes:
        for name, what in peers.items():
            runs = found.get((name, size), [])
            if not runs:
                rows.append(Row(name, what, size, problems.get((name, size))))
                continue
            speeds = tuple(run["tokens_per_s"] for run in runs)
            kind, _, *batch = name.split("-")
            ours = [run["tokens_per_s"] for run in found.get(("-".join([kind, "ours", *batch]), size), [])]
            median = statistics.median(speeds)
            rows.append(
                Row(
                    name,
                    what,
                    size,
                    None,
                    num_params=int(runs[0]["num_params"]),
                    tokens_per_s=median,
                    runs=speeds,
                    peak_bytes=int(max(run["peak_bytes"] for run in runs)),
                    ratio=statistics.median(ours) / median if ours else None,
                )
            )
    return rows


def table(rows: list[Row], *, threads: int, repeats: int, load: float) -> str:
    """Markdown."""
    lines = [
        f"{threads} threads of {len(sched_getaffinity(0))} cores ({cpu_name()}), medians of {repeats} runs, commit "
        f"{source_commit()}."
    ]
    if load > _BUSY_LOAD:
        lines.append(f"**The machine had other work (load average {load:.1f}).**")
    lines += [
        "",
        "| model | weights | tokens/s | peak memory | chesslm is so many times as fast |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if row.problem is not None:
            lines.append(f"| {row.what} ({row.size}) | | {row.problem} | | |")
        else:
            ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
            lines.append(
                f"| {row.what} ({row.size}) | {row.num_params:,} | {row.tokens_per_s:,.0f} "
                f"| {row.peak_bytes / 1e6:,.0f} MB | {ratio} |"
            )
    return "\n".join([*lines, ""])


def main(
    data: Annotated[
        Path, typer.Argument(metavar="DIR", help="folder that `chesslm data prepare` made, with pgn tokens")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="where bench_train.json and .md are written")] = Path(
        "bench"
    ),
    size: Annotated[list[str] | None, typer.Option(help="1M or 5M; repeatable; both if absent")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="runs of every peer")] = 3,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all cores if absent")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="measured seconds of a run, after warming up")] = 15.0,
) -> None:
    """Measure training and decoding beside Hugging Face models of the same shape."""
    load, used = getloadavg()[0], threads or len(sched_getaffinity(0))
    try:
        rows = measured(data.resolve(), size or ["1M", "5M"], repeats=repeats, threads=used, seconds=seconds)
        record = {"format": FORMAT, "threads": used, "repeats": repeats, "seconds": seconds, "load": load}
        record |= {"commit": source_commit(), "cpu": cpu_name(), "rows": [asdict(row) for row in rows]}
        text = table(rows, threads=used, repeats=repeats, load=load)
        write_json(out / "bench_train.json", record)
        write_bytes(out / "bench_train.md", text.encode())
    except ChesslmError as error:
        typer.echo(f"bench_train: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(text)


if __name__ == "__main__":
    typer.run(main)
