"""How strong models are: each in both policies against the rungs of the measured ladder, rated together with it.

Knows: who meets whom in `chesslm eval strength`, and how models take their seats.
Doesn't know: how games are played (`strength_match`), summed up (`strength_ratings`), or controlled
(`strength_controls`, which only its fixtures and records come from).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from chesslm.model_player import ModelPlayer
from chesslm.player import Player
from eval.contenders import Contender
from eval.ladder_table import Ladder
from eval.match_schedule import Pairing, in_one_match, pairs_at_most, schedule
from eval.match_seats import Contestant
from eval.positions import Progress, silent
from eval.rungs import Rung, RungsAtHand
from eval.strength_controls import ModelControls
from eval.strength_match import Arena, Rules, match_config, open_log, rung_contestant, rung_record
from eval.strength_ratings import Scale, strength_results
from eval.strength_records import PlayerRecord, Policy, StrengthResults

POLICIES: tuple[Policy, ...] = ("lenient", "strict")


def player_label(model: str, policy: Policy) -> str:
    """Under which a model is rated in one of its policies."""
    return f"{model} {policy}"


def is_deterministic(policy: Policy, rules: Rules) -> bool:
    """Whether a model always plays the same move in the same game: first choices are never drawn."""
    return policy == "strict" or rules.temperature == 0


def model_contestant(contender: Contender, policy: Policy, rules: Rules) -> Contestant:
    """A model's place in a match; the two policies of a model share its batches."""

    def seat(cycle: int) -> Player:
        return ModelPlayer(
            contender.model,
            contender.notation,
            name=contender.label,
            temperature=rules.temperature,
            seed=rules.seed + cycle,
        )

    return Contestant(
        label=player_label(contender.label, policy),
        player=f"model {contender.label}",
        seat=seat,
        is_strict=policy == "strict",
        is_batched=True,
        is_deterministic=is_deterministic(policy, rules),
    )


def model_player_record(contender: Contender, policy: Policy, rules: Rules) -> PlayerRecord:
    """A model in one of its policies, in results."""
    return PlayerRecord(
        label=player_label(contender.label, policy),
        kind="model",
        policy=policy,
        model=contender.label,
        needs_stockfish=False,
        is_deterministic=is_deterministic(policy, rules),
        is_repeatable=True,
    )


def model_identities(contenders: Sequence[Contender], policies: Sequence[Policy]) -> dict[str, str]:
    """Label -> what tells a model from another of that name."""
    return {
        player_label(contender.label, policy): str(contender.record.checkpoint_digest)
        for contender in contenders
        for policy in policies
    }


def measure_strength(
    contenders: Sequence[Contender],
    at_hand: RungsAtHand,
    rules: Rules,
    *,
    policies: Sequence[Policy],
    games_per_pair: int,
    ladder: Ladder,
    num_control_games: int,
    out: Path | None,
    command: Sequence[str],
    progress: Progress = silent,
) -> StrengthResults:
    """Play the games, or go on with them, and rate the models on the ladder.

    Args:
        contenders: trained models.
        at_hand: rungs to meet.
        rules: for all games.
        policies: one or both.
        games_per_pair: even; of each model in each policy with each rung.
        ladder: takes part in the fit.
        num_control_games: even; of each of the two controls of each model, 0 for none.
        out: folder that keeps the games; None keeps them in memory.
        command: for the record.
        progress: told of every game.

    Raises:
        OutputError, FormatError: the folder can't be used.
        PlayerError: Stockfish can't be started at all.
    """
    policy_record = rules.record()
    pairings = strength_pairings(contenders, policies, at_hand.rungs, games_per_pair, rules)
    controls = [ModelControls(contender, num_control_games, rules) for contender in contenders if num_control_games]
    main = in_one_match(schedule(pairings, seed=rules.seed))
    fixtures = in_one_match(main, *(series for control in controls for series in control.series()))
    contestants = [
        *(model_contestant(contender, policy, rules) for contender in contenders for policy in policies),
        *(rung_contestant(rung, rules) for rung in at_hand.rungs),
        *(contestant for control in controls for contestant in control.contestants()),
    ]
    identities = model_identities(contenders, policies) | {rung.name: rung.name for rung in at_hand.rungs}
    config = match_config("strength", rules, policy_record, identities, fixtures)
    with ExitStack() as stack:
        log = open_log(stack, out, config, fixtures)
        arena = stack.enter_context(Arena(contestants, rules))
        games = arena.play(fixtures, log, progress=progress, stage="games")
    return strength_results(
        "strength",
        rules,
        policy_record,
        command=command,
        scale=Scale.of(ladder),
        players=[
            *(model_player_record(contender, policy, rules) for contender in contenders for policy in policies),
            *(rung_record(rung) for rung in at_hand.rungs),
        ],
        left_out=at_hand.left_out,
        pairings=pairings,
        games=[games[fixture.number] for fixture in main],
        models=[contender.record for contender in contenders],
        controls=[record for control in controls for record in control.records(games.values())],
    )


def strength_pairings(
    contenders: Sequence[Contender],
    policies: Sequence[Policy],
    rungs: Sequence[Rung],
    games_per_pair: int,
    rules: Rules,
) -> list[Pairing]:
    """Every model in every policy meets every rung; both policies of a model side by side, for common batches."""
    pairings = []
    for contender in contenders:
        for rung in rungs:
            for policy in policies:
                both = rung.is_deterministic and is_deterministic(policy, rules)
                num_pairs = pairs_at_most(games_per_pair // 2, both_deterministic=both)
                pairings.append(Pairing(player_label(contender.label, policy), rung.name, num_pairs))
    return pairings


def unknown_to(ladder: Ladder, rungs: Sequence[Rung]) -> list[str]:
    """Rungs that the ladder has no rating of: they are rated from the models' games alone."""
    known: Mapping[str, object] = {rating.player: rating for rating in ladder.results.ratings}
    return [rung.name for rung in rungs if rung.name not in known]
