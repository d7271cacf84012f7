"""Made-up dumps of any size: given moves under made-up headers, with clocks and evaluations, in frames as of `pzstd`.

Knows: what a game of the Lichess dumps looks like, and how often they have clocks, evaluations, titles, tournaments.
Doesn't know: moves; they are those of the games that it is given, over and over.

    python -m data_prep.dump_generator --games 100000 --out made-up.pgn.zst [--source GAMES_OR_PGN] [--seed 1]

For measurements and tests; nothing in such a file but the moves and results was ever played, and ids and names lead
nowhere. Beyond the games of the source the file repeats itself, byte by byte: prepare it with
`--set filters.keep_duplicates=true`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Annotated

import typer

from chesslm.errors import ChesslmError, InputError, OutputError
from chesslm.files import write_whole
from chesslm.game import Game
from chesslm.game_files import games_folder, read_games
from data_prep.decompress import TextInput
from data_prep.frames import pack_frame
from data_prep.games import parse_raw, split_games
from data_prep.replay_block import replay_block
from data_prep.replay_outcome import Replayed

SAMPLE = Path(__file__).parent / "sample" / "sample.pgn.zst"
POOL_LEN = 100_000  # games that are written before the file repeats itself
_BATCH_LEN = 2_000  # games that are replayed at once
_ID_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SPEEDS = {
    "Bullet": ("60+0", "60+0", "120+1"),
    "Blitz": ("180+0", "180+0", "180+2", "300+0", "300+3"),
    "Rapid": ("600+0", "600+0", "600+5", "900+10"),
    "Classical": ("1800+0", "1800+20"),
    "Correspondence": ("-",),
}
_SPEED_WEIGHTS = (30, 48, 19, 2, 1)  # of 100 games
_OPENINGS = (
    ("A00", "Van't Kruijs Opening"),
    ("A40", "Horwitz Defense"),
    ("A45", "Trompowsky Attack"),
    ("B01", "Scandinavian Defense: Mieses-Kotroc Variation"),
    ("B06", "Modern Defense"),
    ("B10", "Caro-Kann Defense"),
    ("B12", "Caro-Kann Defense: Advance Variation"),
    ("B20", "Sicilian Defense: Bowdler Attack"),
    ("B90", "Sicilian Defense: Najdorf Variation"),
    ("C00", "French Defense: Knight Variation"),
    ("C41", "Philidor Defense"),
    ("C44", "Scotch Game"),
    ("C50", "Italian Game: Anti-Fried Liver Defense"),
    ("C65", "Ruy Lopez: Berlin Defense"),
    ("D02", "Queen's Pawn Game: Zukertort Variation"),
    ("D06", "Queen's Gambit Declined: Marshall Defense"),
    ("E61", "King's Indian Defense"),
)


@dataclass(frozen=True, slots=True)
class DumpStyle:
    """How a made-up dump is written; the defaults are what today's dumps are like.

    Args:
        seed: decides every header, clock and evaluation.
        clock_share: share of the games with a clock behind every ply (never in correspondence games).
        eval_share: share of the games with an evaluation behind every ply, and glyphs.
        frame_len: bytes of text in a frame, which may end anywhere.
        level: of zstd's compression, 1 to 22.
    """

    seed: int = 1
    clock_share: float = 1.0
    eval_share: float = 0.06
    frame_len: int = 1 << 23
    level: int = 9


def write_dump(out: Path, games: Iterable[Game], num_games: int, style: DumpStyle) -> None:
    """Write a made-up dump of exactly `num_games` games, whole or not at all.

    Args:
        out: its name ends in .pgn.zst; an existing file is replaced.
        games: at most the first `POOL_LEN` are taken.
        num_games: games that are written, the pool over and over.
        style: how.

    Raises:
        InputError: no game is given.
        OutputError: `out` has another kind of name or can't be written.
    """
    if not out.name.endswith(".pgn.zst"):
        raise OutputError(f"{out}: the games are written as zstd; the name must end in .pgn.zst")
    pool = list(islice(games, min(POOL_LEN, num_games)))
    if not pool:
        raise InputError("no game to make a dump of")
    repeats, rest = divmod(num_games, len(pool))

    def write(path: Path) -> None:
        with path.open("wb") as file:
            _write(file, pool, repeats, rest, style)

    write_whole(out, write)


def _write(file: IO[bytes], pool: Sequence[Game], repeats: int, rest: int, style: DumpStyle) -> None:
    frames = list(_frames(pool, style))
    for _ in range(repeats):
        file.writelines(frames)
    file.writelines(_frames(pool[:rest], style))


def _frames(games: Iterable[Game], style: DumpStyle) -> Iterator[bytes]:
    pending = bytearray()
    for index, game in enumerate(games):
        pending += dump_text(game, index, style)
        while len(pending) >= style.frame_len:
            yield pack_frame(bytes(pending[: style.frame_len]), level=style.level)
            del pending[: style.frame_len]
    if pending:
        yield pack_frame(bytes(pending), level=style.level)


def dump_text(game: Game, index: int, style: DumpStyle) -> bytes:
    """A game as the dumps write it; the same for the same index and style."""
    generator = random.Random(style.seed << 32 | index)
    (speed,) = generator.choices(list(_SPEEDS), _SPEED_WEIGHTS)
    time_control = generator.choice(_SPEEDS[speed])
    headers = _headers(game, generator, speed, time_control)
    has_clocks = time_control != "-" and generator.random() < style.clock_share
    has_evals = generator.random() < style.eval_share
    movetext = _movetext(game, generator, time_control if has_clocks else None, has_evals)
    return f"{headers}\n{movetext}\n\n".encode("ascii")


def _headers(game: Game, generator: random.Random, speed: str, time_control: str) -> str:
    event = f"Rated {speed} game"
    if generator.random() < 0.1 and speed != "Correspondence":
        event = f"Rated {speed} tournament https://lichess.org/tournament/{_id(generator)}"
    date = f"2024.01.{generator.randrange(1, 32):02d}"
    white, black = (min(max(round(generator.gauss(1650, 370)), 600), 2_900) for _ in range(2))
    diff = {"1-0": (6, -6), "0-1": (-6, 6)}.get(game.result, (0, 0))
    eco, opening = generator.choice(_OPENINGS)
    tags = [
        ("Event", event),
        ("Site", f"https://lichess.org/{_id(generator)}"),
        ("Date", date),
        ("Round", "-"),
        ("White", f"Player_{generator.randrange(10**6)}"),
        ("Black", f"Player_{generator.randrange(10**6)}"),
        ("Result", game.result),
        ("UTCDate", date),
        ("UTCTime", _clock(generator.randrange(86_400), "02d")),
        ("WhiteElo", str(white)),
        ("BlackElo", str(black)),
        ("WhiteRatingDiff", f"{diff[0]:+d}"),
        ("BlackRatingDiff", f"{diff[1]:+d}"),
    ]
    if generator.random() < 0.01:
        tags.append((generator.choice(["WhiteTitle", "BlackTitle"]), generator.choice(["FM", "IM", "GM", "BOT"])))
    termination = "Normal" if game.result != "*" and generator.random() < 0.7 else "Time forfeit"
    tags += [("ECO", eco), ("Opening", opening), ("TimeControl", time_control), ("Termination", termination)]
    return "".join(f'[{name} "{value}"]\n' for name, value in tags)


def _movetext(game: Game, generator: random.Random, time_control: str | None, has_evals: bool) -> str:
    words: list[str] = []
    base, increment = (int(part) for part in (time_control or "0+0").split("+"))
    left_s, evaluation = [base, base], 0.2
    is_bare = time_control is None and not has_evals
    for ply, san in enumerate(game.san):
        if ply % 2 == 0 or not is_bare:
            words.append(f"{ply // 2 + 1}{'.' if ply % 2 == 0 else '...'}")
        if is_bare:
            words.append(san)
            continue
        notes = []
        if has_evals:
            evaluation += generator.gauss(0, 0.6)
            notes.append(f"[%eval {evaluation:.2f}]" if abs(evaluation) < 12 else "[%eval #5]")
        if time_control is not None:
            side = ply % 2
            left_s[side] = max(1, left_s[side] - generator.randrange(1 + base // 30) + increment)
            notes.append(f"[%clk {_clock(left_s[side], 'd')}]")
        glyph = generator.choice(("?!", "?", "??")) if has_evals and generator.random() < 0.15 else ""
        words.append(f"{san}{glyph} {{ {' '.join(notes)} }}")
    return " ".join([*words, game.result])


def _clock(seconds: int, hours: str) -> str:
    return f"{seconds // 3600:{hours}}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _id(generator: random.Random) -> str:
    return "".join(generator.choices(_ID_LETTERS, k=8))


def read_source(path: Path) -> Iterator[Game]:
    """The games of a prepared folder, or the readable ones of a PGN file, packed or not.

    Raises:
        InputError: it can't be read.
    """
    if path.is_dir():
        for row in read_games(games_folder(path)):
            yield row.game
        return
    raws = map(parse_raw, split_games(TextInput(str(path)).blocks()))
    while batch := list(islice(raws, _BATCH_LEN)):
        outcomes = replay_block([raw.movetext for raw in batch]).outcomes()
        for raw, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Replayed) and outcome.san:
                yield Game(str(raw.index), outcome.san, outcome.result or "*")


def main(
    out: Annotated[Path, typer.Option(help="the file to write, NAME.pgn.zst")],
    games: Annotated[int, typer.Option(min=1, help="how many games")] = 100_000,
    source: Annotated[Path, typer.Option(help="whose moves: a prepared folder or a PGN file")] = SAMPLE,
    seed: Annotated[int, typer.Option(help="decides headers, clocks and evaluations")] = 1,
    level: Annotated[int, typer.Option(min=1, max=22, help="of zstd's compression")] = DumpStyle().level,
) -> None:
    """Make a file of the dumps' format."""
    try:
        write_dump(out, read_source(source), games, DumpStyle(seed=seed, level=level))
    except ChesslmError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{out}: {games:,} games, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    typer.run(main)
