"""`chesslm data prepare`: inputs -> games folder -> token folders, whole or not at all.

Knows: the order of the steps, what an existing output folder may be, and how each step becomes visible only when it is
done: games are made in a hidden sibling of the output folder, tokens in a hidden sibling of their notation's folder.
Doesn't know: how a game is judged (`rows`) or encoded (`tokenise`).

A process that fails or is killed leaves nothing under the final name that isn't whole. What a killed one left under a
hidden name is where the next goes on, if it has the same inputs and settings and is the same version: the journal there
says how far the folder is whole.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from chesslm.errors import ConfigError, InputError, OutputError
from chesslm.files import one_writer, require_utf8, write_json
from chesslm.game_files import GAMES_A_PART, read_manifest
from chesslm.notation.registry import NOTATION_MODULES
from data_prep.config import PrepareConfig
from data_prep.decompress import STANDARD_INPUT, TextInput
from data_prep.games_writer import GamesWriter
from data_prep.journal import JOURNAL, JOURNAL_FORMAT, Journal, has_entries
from data_prep.manifest import check_same, provenance, record_of
from data_prep.progress import ProgressLine
from data_prep.rows import make_rows
from data_prep.source_reader import SourceReader
from data_prep.tokenise import read_tokens_manifest, tokenise
from data_prep.workers import ordered_map_in_threads

log = logging.getLogger(__name__)


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
        if out.is_mount():
            raise OutputError(f"{out} is a mount point, which can't be made anew; give --out a folder inside it")
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
        folder.mkdir(exist_ok=True)
        journal = Journal(hidden, _journal_header(sources, config))
        keep_duplicates = config.filters.keep_duplicates
        with GamesWriter(folder, journal, keep_duplicates=keep_duplicates, games_a_part=GAMES_A_PART) as writer:
            reader = SourceReader(sources, writer.mark)
            work = partial(make_rows, config=config)
            for rows in ordered_map_in_threads(work, reader.blocks(), num_workers=config.data.num_workers):
                writer.add(*reader.placed(rows))
                progress.show(sum(source.num_bytes for source in sources), writer.tally.read)
            reader.check_last()
            tally = writer.tally
            if not tally.kept:
                reasons = ", ".join(f"{reason} {count:,}" for reason, count in writer.dropped.items())
                names = ", ".join(source.path for source in sources)
                raise InputError(f"{names}: no game was kept of {tally.read:,} read ({reasons})")
            manifest = writer.finish()
        records = reader.records()
        manifest["inputs"] = [record.to_json() for record in records]
        manifest["warnings"] = [record.warning for record in records if record.warning is not None]
        for warning in manifest["warnings"]:
            log.warning("%s", warning)
        manifest["config"] = config.deciding_values()
        manifest["config_digest"] = config.digest()
        write_json(folder / "manifest.json", manifest | provenance())


def _journal_header(sources: Sequence[TextInput], config: PrepareConfig) -> dict[str, Any]:
    inputs = [{"name": source.name, "size": source.size} for source in sources]
    return {
        "format": JOURNAL_FORMAT,
        "games_a_part": GAMES_A_PART,
        "config": config.deciding_values(),
        "inputs": inputs,
    } | provenance()


@contextmanager
def _becoming(folder: Path) -> Iterator[Path]:
    """A hidden sibling of `folder` that gets its name when the block ends.

    If the block is interrupted or finds no room, and its journal has something to go on from, it stays for the next;
    if it fails otherwise, it vanishes.

    Raises:
        OutputError: it can't be made or renamed.
    """
    hidden = _hidden(folder)
    try:
        hidden.mkdir(parents=True, exist_ok=True)
        yield hidden
        hidden.rename(folder)
        (folder / JOURNAL).unlink(missing_ok=True)  # last: without it nothing could go on if the name couldn't be given
    except BaseException as error:
        if not (isinstance(error, KeyboardInterrupt | OutputError | OSError) and has_entries(hidden)):
            shutil.rmtree(hidden, ignore_errors=True)
        if isinstance(error, OSError):
            raise OutputError(f"can't write {folder}: {error.strerror or error}") from error
        raise


def _hidden(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.partial")
