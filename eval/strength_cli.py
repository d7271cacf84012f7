"""`chesslm eval strength`, `eval ladder` and `eval sprt`.

Knows: their options, their one line about a missing Stockfish, and where results go.
Doesn't know: how matches are played or summed up; commands import their modules when they run.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chesslm.errors import ConfigError, InputError
from eval.command import (
    ADevice,
    Device,
    Force,
    Json,
    Models,
    MoreModels,
    check_output,
    named_models,
    print_and_write,
    progress_bars,
)

if TYPE_CHECKING:
    from eval.rungs import RungsAtHand
    from eval.strength_match import Rules
    from eval.strength_records import Policy, StrengthResults

Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="keep every game here as PGN; the same command goes on where it was stopped"),
]
Plies = Annotated[int, typer.Option(min=20, help="length at which a game is adjudicated, the opening included")]
Seed = Annotated[int, typer.Option(min=0, help="of openings, players' chances and intervals")]
RungNames = Annotated[str | None, typer.Option(metavar="NAME,NAME…", help="rungs to play, weakest first")]
AStockfish = Annotated[
    Path | None, typer.Option("--stockfish", metavar="PATH", help="the engine [default: the one on PATH]")
]
MoveTimeout = Annotated[float, typer.Option(min=0.1, help="seconds an engine has for a move; then it has lost")]
ALadder = Annotated[
    Path | None, typer.Option("--ladder", metavar="JSON", help="rate on this ladder [default: the shipped one]")
]

# No engine plays in a test of two models.
_ADJUDICATION_ONLY_S = 30.0


def strength(
    model: Models = None,
    more: MoreModels = None,
    rungs: RungNames = None,
    games_per_pair: Annotated[
        int, typer.Option(min=2, help="games of each model, in each policy, with each rung; half with each colour")
    ] = 20,
    policy: Annotated[str, typer.Option(metavar="lenient,strict", help="how models play")] = "lenient,strict",
    temperature: Annotated[float, typer.Option(min=0, help="of the models; 0 plays the most probable move")] = 0.0,
    controls: Annotated[bool, typer.Option("--controls", help="let each model play itself, too")] = False,
    ladder: ALadder = None,
    out: Out = None,
    json: Json = None,
    force: Force = False,
    seed: Seed = 0,
    plies: Plies = 200,
    stockfish: AStockfish = None,
    move_timeout: MoveTimeout = 30.0,
    device: ADevice = Device.AUTO,
) -> None:
    """How strong models are: matches against the rungs of the ladder, and ratings with intervals."""
    names = named_models(model, more)
    policies = _policies(policy)
    _check_even("--games-per-pair", games_per_pair)
    _check_finite("--temperature", temperature)
    check_output(json, force=force)
    from eval.contenders import load_contenders
    from eval.ladder_table import DEFAULT_RUNGS, load_ladder
    from eval.strength import measure_strength

    table = load_ladder(ladder)
    at_hand = _rungs(rungs, DEFAULT_RUNGS, stockfish)
    contenders = load_contenders(names, device=device.value, with_controls=False, seed=seed)
    with progress_bars() as progress:
        results = measure_strength(
            contenders,
            at_hand,
            _rules(at_hand, seed, plies, move_timeout, temperature),
            policies=policies,
            games_per_pair=games_per_pair,
            ladder=table,
            num_control_games=games_per_pair if controls else 0,
            out=out,
            command=_command(),
            progress=progress,
        )
    _hand_out(results, json, out)


def ladder(
    show: Annotated[bool, typer.Option("--show", help="print the shipped ladder and play nothing")] = False,
    games_per_pair: Annotated[int, typer.Option(min=2, help="games of two neighbours, half with each colour")] = 100,
    rungs: RungNames = None,
    anchor: Annotated[str | None, typer.Option(help="the rung whose rating is fixed")] = None,
    anchor_elo: Annotated[float | None, typer.Option(help="its rating")] = None,
    out: Out = None,
    json: Json = None,
    force: Force = False,
    seed: Seed = 0,
    plies: Plies = 200,
    stockfish: AStockfish = None,
    move_timeout: MoveTimeout = 30.0,
) -> None:
    """Measure the ladder: its rungs play each other and are rated together."""
    _check_even("--games-per-pair", games_per_pair)
    _check_finite("--anchor-elo", anchor_elo)
    check_output(json, force=force)
    from eval.ladder_table import ANCHOR, ANCHOR_ELO, LADDER, load_ladder

    if show:
        _hand_out(load_ladder().results, json, None)
        return
    from eval.strength_ladder import measure_ladder

    at_hand = _rungs(rungs, LADDER, stockfish)
    if anchor is None:
        anchor = ANCHOR if ANCHOR in {rung.name for rung in at_hand.rungs} else at_hand.rungs[-1].name
    if anchor_elo is None:
        anchor_elo = ANCHOR_ELO if anchor == ANCHOR else _shipped_elo(anchor)
    with progress_bars() as progress:
        results = measure_ladder(
            at_hand,
            _rules(at_hand, seed, plies, move_timeout),
            games_per_pair=games_per_pair,
            anchor=anchor,
            anchor_elo=anchor_elo,
            out=out,
            command=_command(),
            progress=progress,
        )
    _hand_out(results, json, out)


def sprt(
    model: Models = None,
    more: MoreModels = None,
    elo0: Annotated[float, typer.Option(help="hypothesis 0: the first model is so much stronger, in Elo")] = 0.0,
    elo1: Annotated[float, typer.Option(help="hypothesis 1: it is so much stronger; more than --elo0")] = 30.0,
    alpha: Annotated[float, typer.Option(help="chance of hypothesis 1 where 0 is true")] = 0.05,
    beta: Annotated[float, typer.Option(help="chance of hypothesis 0 where 1 is true")] = 0.05,
    max_pairs: Annotated[int, typer.Option(min=1, help="pairs after which it stays undecided")] = 90,
    policy: Annotated[str, typer.Option(metavar="lenient|strict", help="how both models play")] = "lenient",
    temperature: Annotated[float, typer.Option(min=0, help="of the models; 0 plays the most probable move")] = 0.0,
    out: Out = None,
    json: Json = None,
    force: Force = False,
    seed: Seed = 0,
    plies: Plies = 200,
    stockfish: AStockfish = None,
    device: ADevice = Device.AUTO,
) -> None:
    """Is the first model stronger than the second? Pairs of games until a sequential test is sure."""
    names = named_models(model, more)
    policies = _policies(policy)
    if len(policies) != 1:
        raise ConfigError("--policy: a test has one policy, lenient or strict")
    _check_finite("--temperature", temperature)
    check_output(json, force=force)
    from eval.contenders import load_contenders
    from eval.sprt import Sprt
    from eval.strength_sprt import Plan, run_sprt

    plan = Plan(Sprt(elo0, elo1, alpha, beta), policies[0], max_pairs)
    at_hand = _rungs(None, ("random",), stockfish)
    contenders = load_contenders(names, device=device.value, with_controls=False, seed=seed)
    with progress_bars() as progress:
        rules = _rules(at_hand, seed, plies, _ADJUDICATION_ONLY_S, temperature)
        results = run_sprt(contenders, rules, plan, out=out, command=_command(), progress=progress)
    _hand_out(results, json, out)


def _rungs(names: str | None, default: tuple[str, ...], stockfish: Path | None) -> RungsAtHand:
    """The rungs that can be played here; one line says what is missing."""
    from eval.rungs import parse_rungs, rungs_at_hand

    if stockfish is not None and not (stockfish.is_file() and os.access(stockfish, os.X_OK)):
        raise InputError(f"--stockfish {stockfish}: no such program")
    wanted = parse_rungs([name.strip() for name in names.split(",")] if names is not None else default)
    at_hand = rungs_at_hand(wanted, stockfish)
    if at_hand.why is not None:
        typer.echo(f"chesslm: {at_hand.why}", err=True)
    if not at_hand.rungs:
        raise InputError("--rungs: none of them can be played without Stockfish")
    return at_hand


def _shipped_elo(rung: str) -> float:
    """So that a ladder without the anchor, which needs Stockfish, stays on the shipped scale as well as it can."""
    from eval.ladder_table import load_ladder

    rating = load_ladder().results.rating(rung)
    if rating is None or rating.elo is None:
        raise ConfigError(f"--anchor {rung} needs --anchor-elo: no rating of this rung is shipped")
    return rating.elo


def _rules(at_hand: RungsAtHand, seed: int, plies: int, timeout_s: float, temperature: float = 0.0) -> Rules:
    from eval.strength_match import Rules

    return Rules(seed, plies, timeout_s, at_hand.stockfish, temperature)


def _policies(text: str) -> list[Policy]:
    from eval.strength import POLICIES

    wanted = [name.strip() for name in text.split(",")]
    unknown = [name for name in wanted if name not in POLICIES]
    if unknown:
        raise ConfigError(f"--policy: {unknown[0]} is none; they are {', '.join(POLICIES)}")
    return [policy for policy in POLICIES if policy in wanted]


def _check_finite(option: str, number: float | None) -> None:
    if number is not None and not math.isfinite(number):
        raise ConfigError(f"{option} {number}: not a finite number")


def _check_even(option: str, number: int) -> None:
    if number % 2:
        raise ConfigError(f"{option} must be even: games come in pairs, colours swapped")


def _command() -> list[str]:
    """The command line without the folder that the program stands in."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _hand_out(results: StrengthResults, path: Path | None, out: Path | None) -> None:
    """Tables, file and where the games are."""
    from eval.strength_records import write_strength
    from eval.strength_tables import summary, tables

    games = None if out is None else out / "games.pgn"
    print_and_write(
        lambda: (summary(results), tables(results)), lambda file: write_strength(file, results), path, games=games
    )
