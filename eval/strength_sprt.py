"""Is one model stronger than another? Pairs of games until a sequential test is sure, or the pairs are used up.

Knows: who plays, in which order pairs are looked at, and the results of `chesslm eval sprt`.
Doesn't know: the test itself (`sprt`), or how games are played (`strength_match`).

Pairs are played many at once but looked at one after the other, in the order of the schedule: those behind the one
that decides are kept as games and don't count. So the end depends neither on how many are played at once nor on stops.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from chesslm.errors import ConfigError
from eval.contenders import Contender
from eval.match_game import PlayedGame
from eval.match_schedule import Pairing, pairs_at_most, schedule
from eval.positions import Progress, silent
from eval.sprt import Decision, Sprt
from eval.strength import is_deterministic, model_contestant, model_identities, model_player_record, player_label
from eval.strength_match import Arena, Rules, match_config, open_log
from eval.strength_ratings import strength_results
from eval.strength_records import Policy, SprtDecision, SprtRecord, StrengthResults

PAIRS_AT_ONCE = 16

_DECISIONS: dict[Decision, SprtDecision] = {"continue": "undecided", "accept H0": "elo0", "accept H1": "elo1"}


@dataclass(frozen=True, slots=True)
class Plan:
    """A test and how far it may go.

    Args:
        test: its hypotheses and error rates.
        policy: both models'.
        max_pairs: after these it is undecided.
    """

    test: Sprt
    policy: Policy
    max_pairs: int


def run_sprt(
    contenders: Sequence[Contender],
    rules: Rules,
    plan: Plan,
    *,
    out: Path | None,
    command: Sequence[str],
    progress: Progress = silent,
) -> StrengthResults:
    """Play until the test is decided, or go on with it.

    Args:
        contenders: two models; the hypotheses are about the first one's strength over the second's.
        rules: for all games.
        plan: the test.
        out: folder that keeps the games; None keeps them in memory.
        command: for the record.
        progress: told of every game.

    Raises:
        ConfigError: not two models, or more pairs than two players without chances can have.
        OutputError, FormatError: the folder can't be used.
        PlayerError: Stockfish can't be started at all.
    """
    if len(contenders) != 2:
        raise ConfigError("--model: name two models to compare")
    most = pairs_at_most(plan.max_pairs, both_deterministic=is_deterministic(plan.policy, rules))
    if most < plan.max_pairs:
        raise ConfigError(f"--max-pairs: where nothing is drawn there are {most} different pairs, one an opening")
    first, second = (player_label(contender.label, plan.policy) for contender in contenders)
    policy = rules.record()
    fixtures = list(schedule([Pairing(first, second, plan.max_pairs)], seed=rules.seed))
    config = match_config("sprt", rules, policy, model_identities(contenders, [plan.policy]), fixtures)
    config["test"] = [plan.test.elo0, plan.test.elo1, plan.test.alpha, plan.test.beta]
    games: list[PlayedGame] = []
    counts = [0, 0, 0, 0, 0]
    with ExitStack() as stack:
        log = open_log(stack, out, config, fixtures)
        contestants = [model_contestant(contender, plan.policy, rules) for contender in contenders]
        arena = stack.enter_context(Arena(contestants, rules))
        for start in range(0, len(fixtures), 2 * PAIRS_AT_ONCE):
            chunk = fixtures[start : start + 2 * PAIRS_AT_ONCE]
            played = arena.play(chunk, log, progress=progress, stage=f"pairs from {start // 2 + 1:,} on")
            for one, other in zip(chunk[::2], chunk[1::2], strict=True):
                if plan.test.decision(counts) == "continue":
                    pair = [played[one.number], played[other.number]]
                    counts[round(2 * sum(game.points_of(first) for game in pair))] += 1
                    games += pair
            if plan.test.decision(counts) != "continue":
                break
    return strength_results(
        "sprt",
        rules,
        policy,
        command=command,
        scale=None,
        players=[model_player_record(contender, plan.policy, rules) for contender in contenders],
        left_out=(),
        pairings=[Pairing(first, second, len(games) // 2)],
        games=games,
        models=[contender.record for contender in contenders],
        sprt=_record(plan, first, second, counts),
    )


def _record(plan: Plan, first: str, second: str, counts: Sequence[int]) -> SprtRecord:
    test = plan.test
    lower, upper = test.bounds
    return SprtRecord(
        first=first,
        second=second,
        elo0=test.elo0,
        elo1=test.elo1,
        alpha=test.alpha,
        beta=test.beta,
        max_pairs=plan.max_pairs,
        pairs=sum(counts),
        llr=test.llr(counts),
        lower=lower,
        upper=upper,
        decision=_DECISIONS[test.decision(counts)],
    )
