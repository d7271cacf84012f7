"""How long, how much memory and how much disk a dump will take here, from a short run on made-up games.

Knows: what is measured, and how it is carried over to a dump of another size.
Doesn't know: how many games a dump has (`download_index`), or how an estimate is shown (`estimate_cli`).

Two runs of different length on this machine, with the settings that are asked about, give the seconds that every run
takes and those that every game takes. Real games are not made-up games: they may be longer or shorter, and their text,
too. So the time is given twice, in proportion to games and to packed bytes; the truth should be near or between them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from os import getloadavg
from pathlib import Path

from chesslm.errors import InputError
from chesslm.game import Game
from data_prep.config import PrepareConfig
from data_prep.dump_generator import SAMPLE, DumpStyle, read_source, write_dump
from data_prep.processes import Measured, measure

POOL_GAMES = 12_000  # different games of the runs
SHORT_GAMES, TARGET_S, MAX_REPEATS = 12_000, 20.0, 30  # the long run is to take so many seconds, in so many repeats
SEEN_BYTES = 16  # a game, at most, that the filter of duplicates remembers: see `seen`


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured here.

    Args:
        games: of the long run.
        packed_bytes: of its file.
        start_s: seconds that a run takes before and after its games.
        game_s: seconds a game.
        peak_bytes: the most memory that the long run had, all processes together.
        games_bytes: bytes a game of the games folder.
        token_bytes: notation -> bytes a game of its token folder.
        workers: blocks of games at work at once.
        load: work that the machine had before, as the average number of processes that wanted a core.
    """

    games: int
    packed_bytes: int
    start_s: float
    game_s: float
    peak_bytes: int
    games_bytes: float
    token_bytes: dict[str, float]
    workers: int
    load: float = 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a dump will take.

    Args:
        games: in the dump.
        dump_bytes: packed.
        seconds: by games, and by packed bytes.
        memory_bytes: all processes together, at most.
        games_bytes: of the games folder, if every game is kept.
        token_bytes: notation -> of its token folder, if every game is kept.
    """

    games: int
    dump_bytes: int
    seconds: tuple[float, float]
    memory_bytes: int
    games_bytes: int
    token_bytes: dict[str, int]

    @property
    def disk_bytes(self) -> int:
        """The dump and all that is made of it."""
        return self.dump_bytes + self.games_bytes + sum(self.token_bytes.values())


def measure_speed(config: PrepareConfig, notations: Sequence[str], scratch: Path) -> Speed:
    """Prepare made-up games twice, a few and then more.

    Args:
        config: the settings that are asked about; duplicates are kept, because the games repeat themselves.
        notations: whose tokens are written.
        scratch: an empty folder.

    Raises:
        InputError: preparation fails; says how.
    """
    load = getloadavg()[0]
    games = list(islice(read_source(SAMPLE), POOL_GAMES))
    short, _ = _prepared(scratch / "short", games_in=SHORT_GAMES, config=config, notations=notations, pool=games)
    repeats = min(max(2, round(TARGET_S / short.wall_s)), MAX_REPEATS)
    num_games = SHORT_GAMES * repeats
    long, file = _prepared(scratch / "long", games_in=num_games, config=config, notations=notations, pool=games)
    game_s = max(long.wall_s - short.wall_s, 0.0) / (num_games - SHORT_GAMES) or long.wall_s / num_games
    out = scratch / "long" / "out"
    kept = json.loads((out / "games" / "manifest.json").read_text())["kept"]
    return Speed(
        games=num_games,
        packed_bytes=file.stat().st_size,
        start_s=max(short.wall_s - SHORT_GAMES * game_s, 0.0),
        game_s=game_s,
        peak_bytes=long.peak_bytes,
        games_bytes=_size(out / "games") / kept,
        token_bytes={name: _size(out / "tokens" / name) / kept for name in notations},
        workers=config.data.num_workers,
        load=load,
    )


def estimate(speed: Speed, config: PrepareConfig, *, games: int | None, dump_bytes: int | None) -> Estimate:
    """Carry a measurement over to a dump.

    Args:
        speed: measured with `config`.
        config: the settings.
        games: in the dump; if None, as many as so many bytes of made-up games have.
        dump_bytes: packed; if None, as many as so many made-up games have.

    Raises:
        ValueError: neither is given.
    """
    if games is None and dump_bytes is None:
        raise ValueError("neither games nor bytes are given")
    bytes_a_game = speed.packed_bytes / speed.games
    num_games = round((dump_bytes or 0) / bytes_a_game) if games is None else games
    num_bytes = round(num_games * bytes_a_game) if dump_bytes is None else dump_bytes
    return Estimate(
        games=num_games,
        dump_bytes=num_bytes,
        seconds=(
            speed.start_s + num_games * speed.game_s,
            speed.start_s + num_bytes / bytes_a_game * speed.game_s,
        ),
        memory_bytes=speed.peak_bytes + (0 if config.filters.keep_duplicates else SEEN_BYTES * num_games),
        games_bytes=round(num_games * speed.games_bytes),
        token_bytes={name: round(num_games * each) for name, each in speed.token_bytes.items()},
    )


def _prepared(
    folder: Path, *, games_in: int, config: PrepareConfig, notations: Sequence[str], pool: Sequence[Game]
) -> tuple[Measured, Path]:
    """A run of the command on made-up games, and its file; what it wrote is in `folder`/out."""
    folder.mkdir()
    file = folder / "made-up.pgn.zst"
    write_dump(file, pool, games_in, DumpStyle())
    command = [sys.executable, "-m", "chesslm.cli", "data", "prepare", str(file), "--out", str(folder / "out")]
    command += [f"--notation={name}" for name in notations]
    command += [f"--set={setting}" for setting in _settings(config)]
    measured = measure([*command, "--set=filters.keep_duplicates=true"], cwd=folder)
    if measured.code:
        said = (measured.err.strip().splitlines() or ["no word of why"])[-1].removeprefix("chesslm: ")
        raise InputError(f"the run to measure speed by failed: {said}")
    return measured, file


def _settings(config: PrepareConfig) -> Iterator[str]:
    """A configuration as the command line takes it; JSON's values are TOML's, but for null."""
    for section, values in config.model_dump(mode="json").items():
        for key, value in values.items():
            if value is not None:
                yield f"{section}.{key}={json.dumps(value)}"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
