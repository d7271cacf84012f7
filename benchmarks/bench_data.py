"""Data preparation against public peers, in one run on the same file: `python -m benchmarks.bench_data --out FOLDER`.

Knows: the peers' commands, repetitions, medians, ratios, and what the table says of a peer that isn't there.
Doesn't know: what a peer does inside (`data_peers`), or how a process is watched (`data_prep.processes`).

Every run is a process of its own, its start included. Peers take turns, so that whatever else the machine does meets
all of them. Speeds are of wall time; MB are of the packed file.
"""

from __future__ import annotations

import json
import platform
import re
import shlex
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from os import getloadavg, sched_getaffinity
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.data_peers import READ_GAME_GAMES
from chesslm.errors import ChesslmError
from chesslm.files import sha256_file, write_bytes, write_json
from data_prep.dump_generator import SAMPLE, DumpStyle, read_source, write_dump
from data_prep.manifest import provenance
from data_prep.processes import Measured, measure

ROOT = Path(__file__).resolve().parents[1]
FORMAT = "chesslm-bench-data/1"
REFERENCE = "ours-pgn"  # the row that ratios are of
_BUSY_LOAD = 0.3  # of a core: from here on the table says that the machine had other work
_MATCHED = re.compile(r"(\d+) games? matched")


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the table.

    Args:
        name: short.
        what: for people.
        command: from the packed file and an empty folder, the command.
        missing: why it can't run here; None if it can.
        most_games: games of the file that it gets; None for all.
    """

    name: str
    what: str
    command: Callable[[Path, Path], Sequence[str]]
    missing: str | None = None
    most_games: int | None = None


def peers() -> list[Peer]:
    """All of them, those that aren't installed with the reason."""
    zstd = shutil.which("zstd")
    # Debian puts games where root's path doesn't lead.
    extract = shutil.which("pgn-extract") or shutil.which("pgn-extract", path="/usr/games")
    binding = find_spec("rust_pgn_reader_python_binding")
    no_zstd = None if zstd else "not installed (Debian package zstd)"

    def python(name: str) -> Callable[[Path, Path], Sequence[str]]:
        return lambda file, scratch: [sys.executable, "-m", "benchmarks.data_peers", name, str(file), str(scratch)]

    def pipe(file: Path, _scratch: Path) -> Sequence[str]:
        return ["sh", "-c", f"{zstd} -d -q -c {shlex.quote(str(file))} | {extract} -Wuci >/dev/null"]

    return [
        Peer(
            "zstd", "`zstd -d` to nowhere: the floor", lambda file, _: [str(zstd), "-d", "-q", "-c", str(file)], no_zstd
        ),
        Peer("ours-games", "chesslm: games, every move checked", python("ours-games")),
        Peer("ours-pgn", "chesslm: games and `pgn` tokens", python("ours-pgn")),
        Peer("ours-pgn-unique", "the same, duplicates dropped", python("ours-pgn-unique")),
        Peer("ours-english", "chesslm: games and `english` tokens", python("ours-english")),
        Peer(
            "compiled-reader",
            "rust-pgn-reader-python-binding, boards in memory",
            python("compiled-reader"),
            None if binding else "not installed (PyPI rust-pgn-reader-python-binding)",
        ),
        Peer(
            "pgn-extract",
            "`zstd -d` into `pgn-extract -Wuci`",
            pipe,
            no_zstd or (None if extract else "not installed (Debian package pgn-extract)"),
        ),
        Peer("read-game", "python-chess `read_game`", python("read-game"), most_games=READ_GAME_GAMES),
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one peer.

    Args:
        name: of the peer.
        what: for people.
        problem: why there are no numbers; None if there are.
        games: games that it read.
        wall_s: median seconds.
        runs_s: seconds of each run.
        cpu_s: median processor seconds.
        peak_bytes: the largest peak of all runs.
        games_per_s: of wall time.
        mb_per_s: of the packed file; None where it got only a part of it.
        ratio: how many times more games a second `REFERENCE` reads; None if that one has no numbers.
    """

    name: str
    what: str
    problem: str | None
    games: int = 0
    wall_s: float = 0.0
    runs_s: tuple[float, ...] = ()
    cpu_s: float = 0.0
    peak_bytes: int = 0
    games_per_s: float = 0.0
    mb_per_s: float | None = None
    ratio: float | None = None


def run(file: Path, num_games: int, chosen: Sequence[Peer], *, repeats: int, scratch: Path) -> list[Row]:
    """Measure peers on a file.

    Args:
        file: a packed dump.
        num_games: games in it.
        chosen: the peers, in the table's order.
        repeats: runs of each.
        scratch: a folder for what they write; emptied after every run.
    """
    done: dict[str, list[Measured]] = {peer.name: [] for peer in chosen if peer.missing is None}
    for _ in range(repeats):
        for peer in chosen:
            if peer.missing is None:
                folder = Path(tempfile.mkdtemp(dir=scratch))
                done[peer.name].append(measure(peer.command(file, folder), cwd=ROOT, keep_output=peer.name != "zstd"))
                shutil.rmtree(folder)
    size = file.stat().st_size
    rows = [
        Row(peer.name, peer.what, peer.missing) if peer.missing else _row(peer, done[peer.name], num_games, size)
        for peer in chosen
    ]
    reference = next((row.games_per_s for row in rows if row.name == REFERENCE and row.problem is None), None)
    return [_with_ratio(row, reference) for row in rows]


def _row(peer: Peer, runs: Sequence[Measured], num_games: int, size: int) -> Row:
    failed = next((one for one in runs if one.code), None)
    if failed is not None:
        return Row(peer.name, peer.what, f"failed: {(failed.err.strip().splitlines() or ['?'])[-1][:100]}")
    expected = min(num_games, peer.most_games or num_games)
    counted = {_games_said(one, expected) for one in runs}
    if counted != {expected}:
        return Row(peer.name, peer.what, f"read {', '.join(map(str, sorted(counted)))} games of {expected}")
    wall_s = statistics.median(one.wall_s for one in runs)
    return Row(
        peer.name,
        peer.what,
        None,
        expected,
        wall_s,
        tuple(one.wall_s for one in runs),
        statistics.median(one.cpu_s for one in runs),
        max(one.peak_bytes for one in runs),
        expected / wall_s,
        size / 1e6 / wall_s if expected == num_games else None,
    )


def _games_said(run: Measured, default: int) -> int:
    """How many games a process says that it read; `default` for one that doesn't count."""
    if run.out.startswith("{"):
        return int(json.loads(run.out)["games"])
    matched = _MATCHED.search(run.err)
    return int(matched[1]) if matched else default


def _with_ratio(row: Row, reference: float | None) -> Row:
    if row.problem is not None or reference is None:
        return row
    return Row(**{**asdict(row), "ratio": reference / row.games_per_s})


def markdown(record: dict[str, Any]) -> str:
    """The record of a run as a table for people."""
    lines = [
        f"{record['games']:,} games, {record['file_bytes'] / 1e6:,.1f} MB packed; {record['cores']} cores "
        f"({record['processor']}), medians of {record['repeats']} runs, commit {record['commit']}.",
        "",
        "| peer | games/s | MB/s | seconds | CPU seconds | peak memory | `pgn` tokens are so many times as fast |",
        "|---|---|---|---|---|---|---|",
    ]
    if record["load_before"] > _BUSY_LOAD * record["cores"]:
        lines.insert(1, f"**The machine had other work (load average {record['load_before']:.1f}).**")
    for row in record["rows"]:
        if row["problem"] is not None:
            lines.append(f"| {row['what']} | {row['problem']} | | | | | |")
            continue
        speed = "" if row["mb_per_s"] is None else f"{row['mb_per_s']:,.1f}"
        part = "" if row["games"] == record["games"] else f" (the first {row['games']:,} games)"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:,.2f}"
        lines.append(
            f"| {row['what']}{part} | {row['games_per_s']:,.0f} | {speed} | {row['wall_s']:,.2f} | {row['cpu_s']:,.2f} "
            f"| {row['peak_bytes'] / 1e6:,.0f} MB | {ratio} |"
        )
    return "\n".join(lines) + "\n"


def main(
    out: Annotated[Path, typer.Option(help="folder for bench_data.json and bench_data.md")],
    file: Annotated[Path | None, typer.Option(help="a packed dump; made if absent")] = None,
    games: Annotated[int, typer.Option(min=1, help="games of the file, or of the one to make")] = 100_000,
    source: Annotated[Path, typer.Option(help="whose moves a made file has: a prepared folder or a PGN")] = SAMPLE,
    seed: Annotated[int, typer.Option(help="of a made file")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="runs of every peer")] = 3,
    peer: Annotated[list[str] | None, typer.Option(help="only this one; repeatable")] = None,
) -> None:
    """Measure data preparation and its peers on one file."""
    known = peers()
    chosen = [one for one in known if peer is None or one.name in peer]
    unknown = set(peer or ()) - {one.name for one in known}
    if unknown:
        raise typer.BadParameter(f"no peer {', '.join(sorted(unknown))}; known: {', '.join(one.name for one in known)}")
    load = getloadavg()[0]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        try:
            if file is None:
                file = Path(folder) / "made-up.pgn.zst"
                write_dump(file, read_source(source), games, DumpStyle(seed=seed))
            rows = run(file, games, chosen, repeats=repeats, scratch=Path(folder))
            record = {
                "format": FORMAT,
                "games": games,
                "file_bytes": file.stat().st_size,
                "file_sha256": sha256_file(file),
                "made_with_seed": None if file.parent != Path(folder) else seed,
                "repeats": repeats,
                "cores": len(sched_getaffinity(0)),
                "processor": _processor(),
                "load_before": load,
                "rows": [asdict(row) for row in rows],
                **provenance(),
            }
            write_json(out / "bench_data.json", record)
            write_bytes(out / "bench_data.md", markdown(record).encode())
        except ChesslmError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
    typer.echo(markdown(record), nl=False)


def _processor() -> str:
    names = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    typer.run(main)
