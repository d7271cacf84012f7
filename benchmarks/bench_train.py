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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from os import getloadavg, sched_getaffinity
from pathlib import Path
from typing import Annotated

import typer

from chesslm.errors import ChesslmError
from chesslm.files import write_bytes, write_json
from chesslm.provenance import cpu_name, source_commit

FORMAT = "chesslm-bench-train/3"
ROOT = Path(__file__).resolve().parents[1]
_BUSY_LOAD = 0.3
TRAINING = {
    "train-ours": "chesslm: bfloat16, compiled, Muon, a process for each thread",
    "train-ours32": "chesslm: eager float32, Muon, a process for each thread",
    "train-gpt2": "plain loop around Hugging Face GPT-2, no dropout",
    "train-gpt2dropout": "plain loop around Hugging Face GPT-2, dropout 0.1 as its configuration comes",
    "train-llama": "plain loop around Hugging Face Llama",
}
# Who decodes -> in which precisions; the peers have no int8 of their own on a CPU.
DECODERS = {
    "ours": ("chesslm `sample_text`", ("float32", "bfloat16", "int8")),
    "gpt2": ("`transformers.generate`, GPT-2", ("float32", "bfloat16")),
    "llama": ("`transformers.generate`, Llama", ("float32", "bfloat16")),
}
DECODING = {
    f"decode-{who}-{rows}-{precision}": f"{what}, {rows} at once, {precision}"
    for rows in (1, 64)
    for who, (what, precisions) in DECODERS.items()
    for precision in precisions
}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one peer at one size.

    Args:
        name: of the peer.
        what: for people.
        size: of the model, as `train_peers.SIZES` has it.
        threads: that it was given.
        problem: why there are no numbers; None if there are.
        num_params: weights.
        tokens_per_s: the median.
        runs: of each run.
        peak_bytes: the largest resident size of all runs.
        ratio: how many times more tokens a second ours has at the same task, in the same precision; in our own rows of
            decoding, than the faster peer. None without the other side, so of int8, too.
        ratio_to_fastest: in our own rows of decoding, how many times more than the fastest peer in any precision.
    """

    name: str
    what: str
    size: str
    threads: int
    problem: str | None
    num_params: int = 0
    tokens_per_s: float = 0.0
    runs: tuple[float, ...] = ()
    peak_bytes: int = 0
    ratio: float | None = None
    ratio_to_fastest: float | None = None


def measured(
    data: Path, sizes: list[str], peers: Mapping[str, str], *, repeats: int, threads: int, seconds: float
) -> list[Row]:
    """All peers at all sizes, in turns."""
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
    medians = {key: statistics.median(run["tokens_per_s"] for run in runs) for key, runs in found.items()}
    rows = []
    for size in sizes:
        speeds = {name: speed for (name, its_size), speed in medians.items() if its_size == size}
        for name, what in peers.items():
            runs = found.get((name, size), [])
            if not runs:
                rows.append(Row(name, what, size, threads, problems.get((name, size))))
                continue
            rows.append(
                Row(
                    name,
                    what,
                    size,
                    threads,
                    None,
                    num_params=int(runs[0]["num_params"]),
                    tokens_per_s=medians[name, size],
                    runs=tuple(run["tokens_per_s"] for run in runs),
                    peak_bytes=int(max(run["peak_bytes"] for run in runs)),
                    ratio=ratio(name, speeds),
                    ratio_to_fastest=ratio_to_fastest(name, speeds),
                )
            )
    return rows


def ratio(name: str, speeds: Mapping[str, float]) -> float | None:
    """As `Row` says; `speeds` are the tokens a second of peers at one size.

    >>> ratio("decode-gpt2-1-float32", {"decode-gpt2-1-float32": 2.0, "decode-ours-1-float32": 8.0})
    4.0
    """
    kind, who, *task = name.split("-")
    if kind == "decode" and who == "ours":
        return _ratio_to(name, speeds, precisions=task[1:])
    ours = speeds.get("-".join([kind, "ours", *task]))
    return None if ours is None else ours / speeds[name]


def ratio_to_fastest(name: str, speeds: Mapping[str, float]) -> float | None:
    """As `Row` says; `speeds` are the tokens a second of peers at one size.

    >>> ratio_to_fastest("decode-ours-64-int8", {"decode-gpt2-64-float32": 2.0, "decode-ours-64-int8": 8.0})
    4.0
    """
    kind, who, *_ = name.split("-")
    is_ours = kind == "decode" and who == "ours"
    return _ratio_to(name, speeds, precisions=("float32", "bfloat16")) if is_ours else None


def _ratio_to(name: str, speeds: Mapping[str, float], *, precisions: Sequence[str]) -> float | None:
    """Our decoding against the fastest peer that decodes as many rows in one of the precisions."""
    kind, ours, rows, _ = name.split("-")
    peers = [f"{kind}-{peer}-{rows}-{precision}" for peer in DECODERS if peer != ours for precision in precisions]
    fastest = max(speeds.get(peer, 0.0) for peer in peers)
    return speeds[name] / fastest if fastest else None


def table(rows: list[Row], *, threads: Sequence[int], repeats: int, load: float) -> str:
    """Markdown."""
    lines = [
        f"{', '.join(map(str, threads))} threads of {len(sched_getaffinity(0))} cores ({cpu_name()}), medians of "
        f"{repeats} runs, commit {source_commit()}. Times as fast: in the same precision, our own rows against "
        "the faster peer (in int8 there is none), and against the fastest peer in whichever precision."
    ]
    if load > _BUSY_LOAD:
        lines.append(f"**The machine had other work (load average {load:.1f}).**")
    lines += [
        "",
        "| model | threads | weights | tokens/s | peak memory | chesslm is so many times as fast | as the fastest |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row.problem is not None:
            lines.append(f"| {row.what} ({row.size}) | {row.threads} | | {row.problem} | | | |")
        else:
            same, fastest = ("" if x is None else f"{x:.2f}" for x in (row.ratio, row.ratio_to_fastest))
            lines.append(
                f"| {row.what} ({row.size}) | {row.threads} | {row.num_params:,} | {row.tokens_per_s:,.0f} "
                f"| {row.peak_bytes / 1e6:,.0f} MB | {same} | {fastest} |"
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
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, help="CPU threads; repeatable; one and all cores if absent (training: all)"),
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="peers whose name begins so: train, decode-ours")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="measured seconds of a run, after warming up")] = 5.0,
) -> None:
    """Measure training and decoding beside Hugging Face models of the same shape."""
    load = getloadavg()[0]
    used = threads or sorted({1, len(sched_getaffinity(0))})
    try:
        rows = []
        for number in used:
            peers = {**(TRAINING if number == max(used) else {}), **DECODING}
            chosen = {name: what for name, what in peers.items() if name.startswith(only or "")}
            rows += measured(
                data.resolve(), size or ["1M", "5M"], chosen, repeats=repeats, threads=number, seconds=seconds
            )
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
