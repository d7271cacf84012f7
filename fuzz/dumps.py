"""Hostile files through `chesslm data prepare`: every game is kept or counted, every kept game is legal.

Knows: which files are made (damaged games under damaged headers, packed in every way, the packing damaged too), and
what must hold of the folder that comes out, or of the error.
Doesn't know: how preparation works; it is called as the command calls it, in this process.

    python -m fuzz.dumps --runs 300 --seed 1
"""

from __future__ import annotations

import bz2
import faulthandler
import gzip
import logging
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import typer

from chesslm.errors import UserError
from data_prep.blocks import cut_blocks
from data_prep.config import PrepareConfig
from data_prep.frames import pack_frame
from data_prep.games import parse_raw, split_games
from data_prep.headers import TAGS, read_block
from data_prep.prepare import prepare
from data_prep.replay_outcome import Replayed
from data_prep.replay_reference import replay_reference
from fuzz.damage import damaged
from fuzz.games import random_game, random_movetext
from fuzz.movetext import KEPT
from fuzz.oracle import Finding, check_kept

HANG_S = 600  # seconds that a file may take on a busy machine; it takes a fraction of one
MAX_GAMES = 12
_POOL_LEN = 60
REFUSED = "files refused"
_PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".pgn.zst": partial(pack_frame, level=1),
    ".pgn.gz": partial(gzip.compress, compresslevel=1, mtime=0),
    ".pgn.bz2": bz2.compress,
}


def hostile_text(generator: random.Random, pool: Sequence[bytes]) -> bytes:
    """Up to `MAX_GAMES` games one after the other, damaged one by one and all together."""
    games: list[bytes] = []
    for _ in range(generator.randrange(1, MAX_GAMES + 1)):
        movetext = generator.choice(pool)
        if generator.random() < 0.5:
            movetext = damaged(generator, movetext, pool)
        game = random_game(generator, movetext)
        games.append(damaged(generator, game, games) if generator.random() < 0.3 else game)
    text = b"".join(games)
    return damaged(generator, text, games) if generator.random() < 0.3 else text


@dataclass(frozen=True, slots=True)
class HostileFile:
    """One file.

    Args:
        suffix: how its name ends.
        content: its bytes.
        text: what it holds; None if its packing was damaged.
    """

    suffix: str
    content: bytes
    text: bytes | None


def hostile_file(generator: random.Random, pool: Sequence[bytes]) -> HostileFile:
    """A hostile text, packed in some way, one in ten damaged after it was packed."""
    text = hostile_text(generator, pool)
    suffix = generator.choice([".pgn", ".pgn", ".pgn.zst", ".pgn.gz", ".pgn.bz2"])
    if suffix == ".pgn":
        return HostileFile(suffix, text, text)
    frame_len = max(generator.randrange(1, len(text) + 2), len(text) // 50)
    pieces = [text[start : start + frame_len] for start in range(0, len(text), frame_len)]
    content = b"".join(_PACKINGS[suffix](piece) for piece in pieces)
    if generator.random() < 0.1:
        return HostileFile(suffix, damaged(generator, content, []), None)
    return HostileFile(suffix, content, text)


def check(file: Path, out: Path, config: PrepareConfig, text: bytes | None) -> Counter[str]:
    """Prepare one file and judge what came of it.

    Args:
        file: the input.
        out: a folder that doesn't exist.
        config: as for `prepare`.
        text: the file's text, None if its packing was damaged.

    Returns:
        games kept, and dropped by reason.

    Raises:
        Finding: a promise was broken.
    """
    try:
        manifest = prepare([str(file)], out, [], config).games
    except UserError as error:
        if out.exists() or "\n" in str(error):
            raise Finding(f"an error left {out} behind, or has two lines: {error}") from error
        return Counter({REFUSED: 1})
    except Exception as error:
        raise Finding(f"`prepare` raised {error!r}") from error
    dropped = Counter(manifest["dropped"])
    rows = [row for part in manifest["parts"] for row in pq.read_table(out / "games" / part["file"]).to_pylist()]
    if len(rows) != manifest["kept"] or manifest["kept"] + dropped.total() != manifest["read"]:
        raise Finding(f"{len(rows)} rows, {manifest['kept']} kept + {dropped.total()} dropped, {manifest['read']} read")
    if text is not None:
        _check_rows(rows, manifest["read"], text)
    return dropped + Counter({KEPT: manifest["kept"]})


def _check_rows(rows: Sequence[dict[str, Any]], num_read: int, text: bytes) -> None:
    """Every byte of the text belongs to a game, and every row is what its game says, read by slower ways."""
    raws = list(split_games([text]))
    if sum(raw.num_bytes for raw in raws) != len(text) or len(raws) != num_read:
        raise Finding(f"{num_read} games were read of {len(raws)}, in {len(text)} bytes")
    if [row["source_index"] for row in rows] != sorted({row["source_index"] for row in rows}):
        raise Finding(f"rows out of order: {[row['source_index'] for row in rows]}")
    for row in rows:
        raw = parse_raw(raws[row["source_index"]])
        outcome = replay_reference(raw.movetext)
        if not isinstance(outcome, Replayed) or list(outcome.san) != row["san"]:
            raise Finding(f"kept as {row['san']}, but the reference says {outcome}")
        check_kept(raw.movetext, outcome)
        if row["result"] not in (outcome.result, raw.headers.get("Result", "").strip(), "*"):
            raise Finding(f"result {row['result']} of {outcome.result} in the movetext and headers {raw.headers}")


def check_borders(text: bytes, block_len: int) -> None:
    """The blocks of a text have the games and tags that the splitter finds in the whole of it, one by one.

    Raises:
        Finding: they haven't.
    """
    expected = []
    for raw in split_games([text]):
        headers = parse_raw(raw).headers
        movetext = raw.offset + raw.headers_len
        end = raw.offset + raw.num_bytes
        expected.append((raw.offset, movetext, end, {tag: headers[tag] for tag in TAGS if tag in headers}))
    found = []
    for block in cut_blocks([text], block_len=block_len):
        games = read_block(block)
        for row in range(len(games)):
            cuts = (block.offset + int(cut[row]) for cut in (games.starts, games.movetexts, games.ends))
            codes = {tag: int(games[tag].codes[row]) for tag in TAGS}
            found.append((*cuts, {tag: games[tag].values[code] for tag, code in codes.items() if code >= 0}))
    for one, other in zip_longest(found, expected):
        if one != other:
            raise Finding(f"in blocks of {block_len} bytes a game is {one}, in the whole text {other}")


def main(
    runs: Annotated[int, typer.Option(min=1, help="files")] = 300,
    seed: Annotated[int, typer.Option(help="decides every file")] = 1,
) -> None:
    """Prepare hostile files and judge what comes out."""
    logging.disable(logging.CRITICAL)
    generator = random.Random(seed)
    pool = [random_movetext(generator) for _ in range(_POOL_LEN)]
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(runs):
            faulthandler.dump_traceback_later(HANG_S, exit=True, file=2)
            hostile = hostile_file(generator, pool)
            file = Path(scratch) / f"hostile{hostile.suffix}"
            file.write_bytes(hostile.content)
            out = Path(scratch) / "out"
            config = PrepareConfig.model_validate(
                {"data": {"workers": 1}, "filters": {"keep_duplicates": generator.random() < 0.5, "min_plies": 1}}
            )
            try:
                counts += check(file, out, config, hostile.text)
                if hostile.text is not None:
                    check_borders(hostile.text, generator.randrange(40, 4_000))
            except Finding as finding:
                typer.echo(f"seed {seed}, file {number}: {finding}: {hostile.content!r}", err=True)
                raise typer.Exit(1) from finding
            if out.exists():
                shutil.rmtree(out)
    faulthandler.cancel_dump_traceback_later()
    typer.echo(f"{runs:,} files, {counts.total() - counts[REFUSED]:,} games, seed {seed}, no finding: {dict(counts)}")


if __name__ == "__main__":
    typer.run(main)
