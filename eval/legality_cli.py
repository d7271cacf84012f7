"""The `chesslm eval legality` command.

Knows: its options, and that `--complete` stands for all definitions of legality at their usual sizes.
Doesn't know: how anything is measured; what that needs is imported when the command runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chesslm.errors import InputError
from eval.command import (
    ADevice,
    ASplit,
    Controls,
    Device,
    Force,
    Games,
    Json,
    Models,
    MoreModels,
    NoNew,
    check_output,
    hand_out,
    named_models,
    progress_bars,
)

if TYPE_CHECKING:
    from chesslm.inference import AnsweredPosition, Position
    from chesslm.quantise import Precision
    from eval.contenders import Contender

# Where nothing is asked for; a suite has its own.
POSITIONS, SEED = 2_000, 0
# What `--complete` asks for, where no number is given.
COMPLETION_GAMES, FREE_GAMES, RANDOM_GAMES = 200, 200, 1_000


class FewerBits(StrEnum):
    """What `--precision` takes: how a copy's matrices are rounded."""

    BFLOAT16 = "bfloat16"
    INT8 = "int8"


Positions = Annotated[
    int | None,
    typer.Option(min=1, help=f"positions, each of another game; fewer if there are fewer games [default: {POSITIONS}]"),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help=f"chooses games and plies, and seeds the intervals [default: {SEED}]")
]
Players = Annotated[
    list[str] | None,
    typer.Option(
        "--player", metavar="RUNG", help="a player of the ladder (random, material-1, stockfish@100 ...); repeatable"
    ),
]
Suite = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="a fixed suite (bench-v1): its own positions, split and seed, and classes"),
]
Dump = Annotated[
    Path | None,
    typer.Option(metavar="OUT.parquet", help="write what the models said, position by position; see docs/legality.md"),
]
Retry = Annotated[
    bool, typer.Option("--retry", help="up to five attempts a position, ever bolder, as chess_gpt_eval has it")
]
Cloze = Annotated[
    bool, typer.Option("--cloze", help="where does a move of this piece (or from this square) end? in 1,000 games")
]
CompletionGames = Annotated[
    int | None,
    typer.Option("--completion-games", min=0, metavar="N", help="held-out games followed whole, one side's plies"),
]
FreeGames = Annotated[
    int | None,
    typer.Option("--free-running", min=0, metavar="N", help="games that each model writes on its own, both sides"),
]
RandomPlies = Annotated[
    int | None,
    typer.Option("--random-plies", min=0, metavar="N", help="positions after 10, and after 20, random plies"),
]
PrecisionOption = Annotated[
    list[FewerBits] | None,
    typer.Option("--precision", help="a copy of each model in fewer bits beside it, and what that changes; repeatable"),
]
Complete = Annotated[
    bool,
    typer.Option(
        "--complete",
        help=f"all of these: --retry --cloze --completion-games {COMPLETION_GAMES} --free-running {FREE_GAMES} "
        f"--random-plies {RANDOM_GAMES}, unless another number is given",
    ),
]


def legality(
    games: Games,
    model: Models = None,
    more: MoreModels = None,
    player: Players = None,
    positions: Positions = None,
    seed: Seed = None,
    split: ASplit = None,
    suite: Suite = None,
    json: Json = None,
    dump: Dump = None,
    force: Force = False,
    controls: Controls = False,
    no_new: NoNew = False,
    retry: Retry = False,
    cloze: Cloze = False,
    completion_games: CompletionGames = None,
    free_running: FreeGames = None,
    random_plies: RandomPlies = None,
    complete: Complete = False,
    precision: PrecisionOption = None,
    device: ADevice = Device.AUTO,
) -> None:
    """How often models break the rules, and how well they foresee the moves that were played."""
    names = named_models(model, more) if model or more or not player else []
    check_output(json, force=force)
    check_output(dump, force=force, option="--dump")
    for option, given in {"--positions": positions, "--seed": seed, "--split": split}.items():
        if suite is not None and given is not None:
            raise InputError(f"{option}: the suite {suite} decides that, so leave it out")
    from eval.legality import Extent, measure_legality
    from eval.players import load_players
    from eval.precision import Choices, with_precisions
    from eval.predictions import Predictions
    from eval.study import prepare_study, prepare_suite

    def number(given: int | None, usual: int) -> int:
        return (usual if complete else 0) if given is None else given

    extent = Extent(
        with_retry=retry or complete,
        with_cloze=cloze or complete,
        completion_games=number(completion_games, COMPLETION_GAMES),
        free_games=number(free_running, FREE_GAMES),
        random_games=number(random_plies, RANDOM_GAMES),
    )
    with ExitStack() as stack, progress_bars() as progress:
        players = load_players(player or [], seed=SEED if seed is None else seed)
        for entrant in players:
            stack.enter_context(entrant.player)
        if suite is not None:
            study = prepare_suite(
                names,
                games,
                suite,
                device=device.value,
                with_controls=controls,
                with_new=not no_new,
                progress=progress,
            )
        else:
            study = prepare_study(
                names,
                games,
                positions=POSITIONS if positions is None else positions,
                seed=SEED if seed is None else seed,
                split=split.value if split else None,
                device=device.value,
                with_controls=controls,
                with_new=not no_new,
                progress=progress,
            )
        precisions: list[Precision] = ["int8" if one is FewerBits.INT8 else "bfloat16" for one in precision or ()]
        study = with_precisions(replace(study, players=tuple(players)), precisions)
        predictions, choices = None if dump is None else Predictions(), Choices()

        def tell(
            contender: Contender, part: str, asked: Sequence[Position], answers: Sequence[AnsweredPosition]
        ) -> None:
            choices.take(contender, part, asked, answers)
            if predictions is not None:
                predictions.take(contender, part, asked, answers)

        results = choices.added(measure_legality(study, progress, extent=extent, tell=tell), study, precisions)
    try:
        hand_out(results, json)
    finally:
        if predictions is not None and dump is not None:
            predictions.write(dump, results)
