"""Fixed suites: positions that a seed and some games decide, so that two people's numbers are about the same ones.

Knows: a suite's definition (a small file in `eval/suites`), how its positions are rebuilt, and the digest that says
whether two people have the same.
Doesn't know: models, or what is measured.

The rules are part of the definition file; another seed, size or rule is another suite with another name. The digest
of the positions is the same on any machine for the same games; other games have another digest, and it is stored with
every result together with the games'.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import chess
from pydantic import Field

from chesslm.errors import InputError
from chesslm.files import digest_json
from chesslm.game import Game
from chesslm.inference import Position
from eval.position_classes import CLASSES, classes_of
from eval.positions import HeldOut, Progress, choose_games, silent
from eval.records import Record, SuiteRecord

SUITE_FORMAT: Literal["chesslm-suite/1"] = "chesslm-suite/1"
TOO_MANY_PLIES = "more plies than the suite takes"


class SuiteDefinition(Record):
    """What a suite's file says."""

    format: Literal["chesslm-suite/1"]
    name: str
    seed: int = Field(description="decides games and plies")
    split: str = Field(description="of a games folder")
    max_plies: int = Field(ge=1, description="plies of the longest game that is taken")
    positions: int = Field(ge=1, description="one a game, any ply")
    games_searched: int = Field(ge=1, description="games in which positions of the classes are looked for")
    positions_a_class: int = Field(ge=1)
    rules: tuple[str, ...] = Field(description="how the positions follow from the rest, in words")


@dataclass(frozen=True)
class Suite:
    """A suite's positions in some games.

    Args:
        definition: what was rebuilt.
        held_out: the random positions.
        classes: class -> its positions, each of another game; fewer than asked where the games have fewer.
    """

    definition: SuiteDefinition
    held_out: HeldOut
    classes: Mapping[str, tuple[Position, ...]]

    @property
    def record(self) -> SuiteRecord:
        """Goes into the results."""
        parts = {"random": self.held_out.positions, **self.classes}
        return SuiteRecord(
            name=self.definition.name,
            definition_digest=digest_json(self.definition.model_dump(mode="json")),
            games_digest=self.held_out.record.digest,
            positions_digest=digest_json({part: _told(positions) for part, positions in parts.items()}),
            sizes={part: len(positions) for part, positions in parts.items()},
        )


def suite_names() -> list[str]:
    """The suites that ship with the package."""
    files = resources.files("eval").joinpath("suites").iterdir()
    return sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))


def load_suite(name: str) -> SuiteDefinition:
    """A definition by its name.

    Raises:
        InputError: there is none of this name; says which there are.
    """
    if name not in suite_names():
        raise InputError(f"--suite {name}: no such suite; there is {', '.join(suite_names())}")
    content = resources.files("eval").joinpath("suites", f"{name}.json").read_text(encoding="utf-8")
    return SuiteDefinition.model_validate_json(json.dumps(json.loads(content)))


def build_suite(
    path: Path, definition: SuiteDefinition, *, with_new: bool = True, progress: Progress = silent
) -> Suite:
    """The suite's positions in a games folder or a PGN file.

    Raises:
        InputError: no such source, or no game in it that can be used; names it.
    """

    def fits(game: Game) -> str | None:
        return TOO_MANY_PLIES if len(game.san) > definition.max_plies else None

    chosen = choose_games(
        path,
        count=max(definition.games_searched, definition.positions),
        seed=definition.seed,
        split=definition.split if path.is_dir() else None,
        fits=fits,
        progress=progress,
    )
    held_out = chosen.held_out(definition.positions, with_new=with_new, progress=progress)
    return Suite(
        definition, held_out, _class_positions(chosen.games[: definition.games_searched], definition, progress)
    )


def _class_positions(
    games: Sequence[Game], definition: SuiteDefinition, progress: Progress
) -> dict[str, tuple[Position, ...]]:
    found: dict[str, list[Position]] = {name: [] for name in CLASSES}
    for index, game in enumerate(games):
        lacking = [name for name in CLASSES if len(found[name]) < definition.positions_a_class]
        if not lacking:
            break
        if index % 100 == 0:
            progress("looking for classes", index, len(games))
        for name, plies in _plies_of(game, lacking).items():
            generator = random.Random(f"{definition.name}|{definition.seed}|{name}|{' '.join(game.san)}")
            found[name].append(Position(game, generator.choice(plies)))
    progress("looking for classes", len(games), len(games))
    return {name: tuple(positions) for name, positions in found.items() if positions}


def _plies_of(game: Game, names: Sequence[str]) -> dict[str, list[int]]:
    """Class -> the plies of a game before which the position belongs to it; classes without one are left out."""
    plies: dict[str, list[int]] = {}
    board = chess.Board()
    for ply, san in enumerate(game.san):
        for name in classes_of(board, among=names):
            plies.setdefault(name, []).append(ply)
        try:
            board.push_san(san)
        except ValueError as error:
            raise InputError(f"game {game.id} isn't legal: {error}") from error
    return plies


def _told(positions: Sequence[Position]) -> list[str]:
    """Each position as the moves before it and the one that was played."""
    return [" ".join(position.game.san[: position.ply + 1]) for position in positions]
