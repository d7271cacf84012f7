"""`chesslm data prepare`: inputs -> games folder -> token folders, whole or not at all.

Knows: the order of the steps, what an existing output folder may be, and how each step becomes visible only when it is
done: games are made in a hidden sibling of the output folder, tokens in a hidden sibling of their notation's folder.
Doesn't know: how a game is judged (`rows`) or encoded (`tokenise`).

A process that fails or is killed leaves nothing under the final name that isn't whole. What a killed one left under a
hidden name is removed by the next.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from chesslm.errors import ConfigError, InputError, OutputError
from chesslm.files import one_writer, require_utf8, write_json
from chesslm.game_files import GAMES_A_PART, read_manifest
from chesslm.notation.registry import NOTATION_MODULES
from data_prep.config import PrepareConfig
from data_prep.decompress import STANDARD_INPUT, TextInput
from data_prep.games import RawBytes, split_games
from data_prep.games_writer import GamesWriter
from data_prep.manifest import check_same, provenance, record_of
from data_prep.progress import ProgressLine
from data_prep.rows import RawBatch, make_rows
from data_prep.tokenise import read_tokens_manifest, tokenise
from data_prep.workers import ordered_map

GAMES_A_BATCH = 500
_MOVE_OR_RESULT = re.compile(rb"[a-h][1-8]|O-O|0-0|1-0|0-1|1/2-1/2|\*")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` did.

    Args:
        games: the manifest of the games folder.
        tokens: notation -> manifest of its token folder, all that were asked for.
        games_s: seconds it took to make the games; None if they were there already.
        tokens_s: notation -> seconds, of those made now.
    """

    games: dict[str, Any]
    tokens: dict[str, dict[str, Any]]
    games_s: float | None
    tokens_s: dict[str, float]


def prepare(inputs: Sequence[str], out: Path, notations: Sequence[str], config: PrepareConfig) -> Prepared:
    """Make a folder of games and tokens, or complete an existing one of the same inputs and settings.

    Args:
        inputs: PGN files, packed or not, or `-` for standard input; their order is the order of the games.
        out: the folder; its `games/` and `tokens/<notation>/` appear when they are whole.
        notations: names of the registry.
        config: filters, shares of the splits, number of processes.

    Raises:
        ConfigError: a notation is unknown.
        InputError: an input is missing, corrupt or has no game, no game was kept, or the path of `out` isn't UTF-8.
        OutputError: `out` exists and is something else, can't be written, or is being written.
    """
    out = out.resolve()
    require_utf8(out)
    _check_arguments(inputs, notations)
    sources = [TextInput(path) for path in inputs]
    games_s = None
    if _is_prepared(out):
        _check_unchanged(sources, out, config)
    else:
        with ProgressLine("games", _total_size(sources)) as progress:
            _make_games(sources, out, config, progress)
            games_s = progress.elapsed_s
    tokens, tokens_s = {}, {}
    with one_writer(out):
        manifest = read_manifest(out / "games")
        for name in dict.fromkeys(notations):
            folder = out / "tokens" / name
            if not folder.exists():
                with ProgressLine(f"tokens {name}", manifest["games"]) as progress, _becoming(folder) as hidden:
                    tokenise(out / "games", hidden, name, num_workers=config.data.num_workers, progress=progress)
                    tokens_s[name] = progress.elapsed_s
            tokens[name] = read_tokens_manifest(folder, games_digest=manifest["games_digest"])
    return Prepared(manifest, tokens, games_s, tokens_s)


def _check_arguments(inputs: Sequence[str], notations: Sequence[str]) -> None:
    for name in notations:
        if name not in NOTATION_MODULES:
            raise ConfigError(f"--notation {name}: unknown; known: {', '.join(NOTATION_MODULES)}")
    if inputs.count(STANDARD_INPUT) > 1:
        raise InputError("standard input (-) can be read only once")


def _is_prepared(out: Path) -> bool:
    if (out / "games" / "manifest.json").is_file():
        return True
    try:
        if out.exists() and not (out.is_dir() and not any(out.iterdir())):
            raise OutputError(f"{out} exists and is no folder made by `chesslm data prepare`; choose another --out")
    except OSError as error:
        raise OutputError(f"can't look into {out}: {error.strerror or error}") from error
    return False


def _check_unchanged(sources: Sequence[TextInput], out: Path, config: PrepareConfig) -> None:
    for source in sources:
        source.read_to_the_end()
    check_same(out / "games", [record_of(source) for source in sources], config)


def _total_size(sources: Sequence[TextInput]) -> int | None:
    sizes = [source.size for source in sources]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _make_games(sources: Sequence[TextInput], out: Path, config: PrepareConfig, progress: ProgressLine) -> None:
    with one_writer(_hidden(out)), _becoming(out) as hidden:
        folder = hidden / "games"
        folder.mkdir()
        writer = GamesWriter(folder, keep_duplicates=config.filters.keep_duplicates, games_a_part=GAMES_A_PART)
        batches = _batches(sources)
        work = partial(make_rows, config=config)
        for rows in ordered_map(work, batches, num_workers=config.data.num_workers):
            writer.add(rows)
            progress.show(sum(source.num_bytes for source in sources), writer.num_read)
        if not writer.num_kept:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in writer.dropped.items())
            names = ", ".join(source.path for source in sources)
            raise InputError(f"{names}: no game was kept of {writer.num_read:,} read ({reasons})")
        manifest = writer.finish()
        manifest["inputs"] = [record_of(source).to_json() for source in sources]
        manifest["config"] = config.deciding_values()
        manifest["config_digest"] = config.digest()
        write_json(folder / "manifest.json", manifest | provenance())


def _batches(sources: Sequence[TextInput]) -> Iterator[RawBatch]:
    for source in sources:
        games = split_games(source.blocks())
        has_game = False
        while raws := list(islice(games, GAMES_A_BATCH)):
            has_game = has_game or any(map(_is_game, raws))
            if has_game:
                yield RawBatch(raws, source.name)
            elif len(raws) == GAMES_A_BATCH:
                raise InputError(f"{source.path}: no game among its first {GAMES_A_BATCH} sections; is it a PGN?")
        if not has_game:
            raise InputError(f"{source.path}: no game in it")


def _is_game(raw: RawBytes) -> bool:
    return _MOVE_OR_RESULT.search(raw.content, raw.headers_len) is not None


@contextmanager
def _becoming(folder: Path) -> Iterator[Path]:
    """A hidden sibling of `folder`, empty, that gets its name when the block ends, and vanishes if the block fails.

    Raises:
        OutputError: it can't be made or renamed.
    """
    hidden = _hidden(folder)
    try:
        hidden.mkdir(parents=True, exist_ok=True)
        _empty(hidden)
        yield hidden
        hidden.rename(folder)
    except BaseException as error:
        shutil.rmtree(hidden, ignore_errors=True)
        if isinstance(error, OSError):
            raise OutputError(f"can't write {folder}: {error.strerror or error}") from error
        raise


def _hidden(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.partial")


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == "lock":  # held by this process
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
