"""The ladder measured: neighbours play each other, and those that stand two apart play a little.

Knows: who meets whom how often, and the results of `chesslm eval ladder`.
Doesn't know: how games are played (`strength_match`) or summed up (`strength_ratings`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from chesslm.errors import ConfigError
from eval.match_schedule import Pairing, pairs_at_most, schedule
from eval.positions import Progress, silent
from eval.rungs import Rung, RungsAtHand
from eval.strength_match import Arena, Rules, match_config, open_log, rung_contestant, rung_record
from eval.strength_ratings import Scale, strength_results
from eval.strength_records import StrengthResults

SECOND_NEIGHBOURS_SHARE = 5
"""Rungs that stand two apart play one game for so many between neighbours: checks the scale, costs little."""


def ladder_pairings(rungs: Sequence[Rung], games_per_pair: int) -> list[Pairing]:
    """Who meets whom, weaker first; `games_per_pair` is even."""
    pairings = []
    for distance, games in ((1, games_per_pair), (2, games_per_pair // SECOND_NEIGHBOURS_SHARE)):
        for weaker, stronger in zip(rungs, rungs[distance:], strict=False):
            both = weaker.is_deterministic and stronger.is_deterministic
            num_pairs = pairs_at_most(games // 2, both_deterministic=both)
            if num_pairs:
                pairings.append(Pairing(weaker.name, stronger.name, num_pairs))
    return pairings


def measure_ladder(
    at_hand: RungsAtHand,
    rules: Rules,
    *,
    games_per_pair: int,
    anchor: str,
    anchor_elo: float,
    out: Path | None,
    command: Sequence[str],
    progress: Progress = silent,
) -> StrengthResults:
    """Play the ladder's games, or go on with them, and rate all rungs together.

    Raises:
        ConfigError: fewer than two rungs, or the anchor is none of them.
        OutputError, FormatError: the folder can't be used.
        PlayerError: Stockfish can't be started at all.
    """
    if len(at_hand.rungs) < 2:
        raise ConfigError("a ladder needs at least two rungs")
    names = [rung.name for rung in at_hand.rungs]
    if anchor not in names:
        raise ConfigError(f"the anchor {anchor} is not among the rungs that are played; choose one with --anchor")
    policy = rules.record()
    pairings = ladder_pairings(at_hand.rungs, games_per_pair)
    fixtures = list(schedule(pairings, seed=rules.seed))
    config = match_config("ladder", rules, policy, {name: name for name in names}, fixtures)
    with ExitStack() as stack:
        log = open_log(stack, out, config, fixtures)
        arena = stack.enter_context(Arena([rung_contestant(rung, rules) for rung in at_hand.rungs], rules))
        games = arena.play(fixtures, log, progress=progress, stage="the ladder plays")
    return strength_results(
        "ladder",
        rules,
        policy,
        command=command,
        scale=Scale(anchor, anchor_elo, None),
        players=[rung_record(rung) for rung in at_hand.rungs],
        left_out=at_hand.left_out,
        pairings=pairings,
        games=games.values(),
    )
