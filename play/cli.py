"""`chesslm play`: options to a game.

Knows: the options, which of them exclude each other, and the order in which mistakes are found: before a model loads.
Doesn't know: how a game is played (`plain`) or how a model is opened (`opponent`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chesslm.errors import ConfigError
from play.inert_text import inert
from play.ledger import default_ledger, read_entries, tallies
from play.opponent import RANDOM, Policy, absent, check_name, make_policy, open_opponent
from play.pgn_in import GivenGame, read_fen, read_moves, read_pgn
from play.plain import PlainGame
from play.record_text import tally_lines
from play.table import Colour, Table
from play.terminal import Terminal

app = typer.Typer(help="Play against a model in the terminal.", add_completion=False)


@app.command()
def play(
    model: Annotated[
        str | None,
        typer.Option(
            help="a run folder, a checkpoint, a shipped model's name, hf:FOLDER, or random; a shipped model if absent"
        ),
    ] = None,
    colour: Annotated[Colour, typer.Option(help="your colour; random tosses a coin for each game")] = "white",
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="0 (the default) plays the best legal move; higher is more varied")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="draw from the k best legal moves only")] = None,
    top_p: Annotated[float | None, typer.Option(help="draw from the best legal moves that hold this share")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seeds what is drawn")] = 0,
    moves: Annotated[str | None, typer.Option(help='go on after these moves, such as "1. e4 e5"')] = None,
    pgn: Annotated[Path | None, typer.Option(help="go on after the first game of this PGN file")] = None,
    fen: Annotated[str | None, typer.Option(help="begin at this position, if the model can")] = None,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="draw pieces as letters")] = False,
    ledger: Annotated[
        Path | None, typer.Option(help="record games here; if absent, typed games in your home's .local/share/chesslm")
    ] = None,
    no_ledger: Annotated[bool, typer.Option("--no-ledger", help="record no game")] = False,
    record: Annotated[bool, typer.Option("--record", help="show how models did against people, and leave")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="line by line; so it is by itself without a terminal")] = False,
    opponent: Annotated[
        str | None, typer.Option(help="let this model play in your place, and watch (at the board only)")
    ] = None,
    models: Annotated[
        list[Path] | None, typer.Option(help="a folder of runs to choose models from, at the board; repeatable")
    ] = None,
    reveal: Annotated[bool, typer.Option(help="show a model's tokens one after another, at the board")] = True,
) -> None:
    """Play against a model in the terminal, or show the record of games against people.

    A game that is left unfinished (quit, Ctrl-D, Ctrl-C) is recorded as that, and the command that takes it up again
    is printed.
    """
    if no_ledger and (record or ledger is not None):
        raise ConfigError(f"--{'record' if record else 'ledger'} and --no-ledger exclude each other")
    if record:
        _show_record(ledger)
        return
    policy = make_policy(temperature or 0.0, top_k, top_p, seed=seed, dashes="--")
    given = _given(moves, pgn, fen)
    if ledger is not None and ledger.exists():
        # A file of another kind is never appended to, and a ledger that can't be read is better known now.
        read_entries(ledger)
    terminal = Terminal(ascii_only=ascii_only)
    is_board = not plain and terminal.is_screen
    if opponent is not None and not is_board:
        raise ConfigError("--opponent needs the board: a terminal, and no --plain")
    # A game through a pipe isn't a person's, so it is recorded only where that is asked for.
    kept = ledger or (default_ledger() if terminal.is_typed and not no_ledger else None)
    extra = ["--ascii"] * ascii_only + ["--no-ledger"] * no_ledger + (["--ledger", str(ledger)] if ledger else [])
    if is_board:
        near = None if opponent is None else absent(opponent, policy)
        table = Table(absent(model, policy), colour=colour, near=near, ledger=kept, extra=extra)
        _play_at_board(table, policy, terminal, given, folders=models or [], is_revealing=reveal)
        return
    if terminal.is_typed and model != RANDOM:
        terminal.say("Loading the model ...")
    seated = open_opponent(model, policy)
    with seated.player:
        if given is not None and (refusal := seated.refusal(given.board)):
            raise ConfigError(f"--fen: {inert(refusal)}")
        table = Table(seated, colour=colour, ledger=kept, is_typed=terminal.is_typed, extra=extra)
        PlainGame(table, terminal).run(given)


def _play_at_board(
    table: Table,
    policy: Policy,
    terminal: Terminal,
    given: GivenGame | None,
    *,
    folders: list[Path],
    is_revealing: bool,
) -> None:
    from play.board import play_at_board
    from play.board_app import BoardApp

    names = [seat.asked for seat in (table.opponent, table.near) if seat is not None]
    for name in names:
        # What is no folder is looked up now: a mistyped name is said before the screen is taken over.
        if name is None or not Path(name).exists():
            check_name(name)
    beside = [Path(name).parent for name in names if name is not None and Path(name).is_dir()]
    app = BoardApp(
        table,
        open_opponent,
        policy,
        given=given,
        ascii_only=not terminal.is_unicode,
        folders=[*folders, *beside],
        is_revealing=is_revealing,
    )
    play_at_board(app, terminal)


def _given(moves: str | None, pgn: Path | None, fen: str | None) -> GivenGame | None:
    if pgn is not None and (moves is not None or fen is not None):
        raise ConfigError(f"--{'fen' if moves is None else 'moves'} and --pgn exclude each other")
    if pgn is not None:
        return read_pgn(pgn)
    start = None if fen is None else read_fen(fen, source="--fen")
    if moves is not None:
        return GivenGame(read_moves(moves, source="--moves", start=start))
    return None if start is None else GivenGame(start)


def _show_record(ledger: Path | None) -> None:
    path = ledger or default_ledger()
    if ledger is None and not path.exists():
        print(f"No game against a person is recorded yet in {inert(str(path))}")
        return
    entries = read_entries(path)
    print(f"Games against people in {inert(str(path))}: {len(entries)}")
    for line in ["", *tally_lines(tallies(entries))]:
        print(line)
