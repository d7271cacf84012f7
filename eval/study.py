"""One measurement before and after: which models on which held-out games, and the results file it ends in.

Knows: how a command's arguments become contenders and positions, the same for every model.
Doesn't know: what is measured (`legality`, `likelihood`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import chesslm
from chesslm.errors import InputError
from chesslm.provenance import source_commit
from eval.aggregation import Aggregator
from eval.contenders import Contender, Entrant, fits_all, load_contenders
from eval.players import PlayerEntrant
from eval.positions import HeldOut, Progress, hold_out, silent
from eval.records import DifferenceRecord, MeasureRecord, ResultKind, Results
from eval.suite import Suite, build_suite, load_suite


@dataclass(frozen=True)
class Study:
    """Models and the held-out games on which they are compared.

    Args:
        contenders: trained models in the order given, then controls.
        held_out: games and positions.
        seed: chose them and seeds the bootstrap.
        positions_asked: how many positions were wanted.
        commit: of the measuring code; None where it isn't run from a git checkout.
        suite: the fixed suite that the positions are of; None if they were asked for by number and seed.
        players: are asked for decisions, beside the models.
    """

    contenders: tuple[Contender, ...]
    held_out: HeldOut
    seed: int
    positions_asked: int
    commit: str | None
    suite: Suite | None = None
    players: tuple[PlayerEntrant, ...] = ()

    def aggregator(self) -> Aggregator:
        """Makes this study's records."""
        return Aggregator(seed=self.seed, games_digest=self.held_out.record.digest, commit=self.commit)

    def results(
        self, kind: ResultKind, measures: Sequence[MeasureRecord], differences: Sequence[DifferenceRecord]
    ) -> Results:
        """The results file's content."""
        entrants: tuple[Entrant, ...] = (*self.contenders, *self.players)
        return Results(
            kind=kind,
            chesslm_version=chesslm.__version__,
            commit=self.commit,
            seed=self.seed,
            positions_asked=self.positions_asked,
            games=self.held_out.record,
            suite=self.suite.record if self.suite else None,
            models=tuple(entrant.record for entrant in entrants),
            measures=tuple(measures),
            differences=tuple(differences),
        )


def prepare_study(
    models: Sequence[str],
    games: Path,
    *,
    positions: int,
    seed: int,
    split: str | None = None,
    device: str = "auto",
    with_controls: bool = False,
    with_new: bool = True,
    progress: Progress = silent,
) -> Study:
    """Load the models and choose the positions that all of them are asked about.

    Args:
        models: names or paths, as `chesslm.checkpoints.load_model` takes them.
        games: a games folder or a PGN file.
        positions: how many, each from another game; fewer if there are fewer games.
        seed: decides games, plies, resamples and the uniform controls.
        split: of a games folder; test if None.
        device: auto, cpu or cuda.
        with_controls: measure untrained weights and uniformly random tokens, too.
        with_new: find out which positions the train split lacks.
        progress: told about long readings.

    Raises:
        InputError, FormatError: a model or the games can't be used; names it.
    """
    contenders = load_contenders(models, device=device, with_controls=with_controls, seed=seed)
    held_out = hold_out(
        games,
        count=positions,
        seed=seed,
        split=split,
        fits=fits_all(contenders),
        with_new=with_new,
        progress=progress,
    )
    return Study(tuple(contenders), held_out, seed, positions, source_commit())


def prepare_suite(
    models: Sequence[str],
    games: Path,
    suite: str,
    *,
    device: str = "auto",
    with_controls: bool = False,
    with_new: bool = True,
    progress: Progress = silent,
) -> Study:
    """Load the models and rebuild a fixed suite's positions, which are the same whatever the models.

    Args:
        models: names or paths, as `chesslm.checkpoints.load_model` takes them.
        games: a games folder or a PGN file.
        suite: its name.
        device: auto, cpu or cuda.
        with_controls: measure untrained weights and uniformly random tokens, too.
        with_new: find out which positions the train split lacks.
        progress: told about long readings.

    Raises:
        InputError, FormatError: as `prepare_study`; no such suite; a model whose context is too short for it.
    """
    definition = load_suite(suite)
    contenders = load_contenders(models, device=device, with_controls=with_controls, seed=definition.seed)
    built = build_suite(games, definition, with_new=with_new, progress=progress)
    for contender in contenders:
        why_not = fits_all([contender])
        asked = [*built.held_out.games, *(p.game for positions in built.classes.values() for p in positions)]
        reason = next((why for game in asked if (why := why_not(game))), None)
        if reason is not None and not contender.control_of:
            raise InputError(
                f"model {contender.label}: a game of {suite} is {reason} (context {contender.record.context_len} "
                "tokens), and a suite leaves no game out"
            )
    return Study(tuple(contenders), built.held_out, definition.seed, definition.positions, source_commit(), suite=built)
