"""The rules that all matches of strength share, and playing one of them under these rules, in a folder or in memory.

Knows: policies in words, contestants from rungs, what identifies a match, progress.
Doesn't know: which matches there are (`strength`, `strength_ladder`, `strength_sprt`), or what their games mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chesslm.files import digest_json
from chesslm.openings import book
from eval.adjudication import Adjudicator
from eval.match import play_fixtures
from eval.match_game import Fixture, PlayedGame
from eval.match_log import MatchLog, in_memory, match_folder
from eval.match_seats import Contestant, Seats
from eval.positions import Progress
from eval.rungs import Rung, stockfish_version
from eval.strength_records import PlayerRecord, PolicyRecord

LENIENT = "the most probable legal move (argmax of p over legal moves)"
STRICT = "the first choice, unmasked and greedy; the first illegal one loses the game"
SAMPLED = "a draw from p over legal moves at the temperature"
DRAWS = "threefold repetition and fifty moves are claimed at once"
FIT = (
    "joint maximum likelihood of the logistic model over all games, the ladder's own among them; draws half a point; "
    "95 % intervals over pairs of games"
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What all games of a match have in common.

    Args:
        seed: of openings, players' chances and controls' intervals.
        max_plies: length at which a game is adjudicated, the opening included.
        timeout_s: seconds an engine has for a move, and for its start.
        stockfish: its path; None where there is none.
        temperature: of the models.
    """

    seed: int
    max_plies: int
    timeout_s: float
    stockfish: Path | None
    temperature: float = 0.0

    def record(self) -> PolicyRecord:
        """The rules as results say them.

        Raises:
            PlayerError: Stockfish can't be started.
        """
        lines = [[opening.name, *opening.san] for opening in book()]
        return PolicyRecord(
            lenient=SAMPLED if self.temperature else LENIENT,
            strict=STRICT,
            temperature=self.temperature,
            max_plies=self.max_plies,
            adjudicator=Adjudicator(self.stockfish).policy,
            draws=DRAWS,
            openings=f"{len(lines)} lines of chesslm.openings in an order by seed; each pair has one, colours swapped",
            book_digest=digest_json(lines),
            timeout_s=self.timeout_s,
            fit=FIT,
            stockfish=stockfish_version(self.stockfish) if self.stockfish else None,
        )


def rung_contestant(rung: Rung, rules: Rules) -> Contestant:
    """A rung's place in a match."""
    return Contestant(
        label=rung.name,
        player=rung.name,
        seat=lambda cycle: rung.seat(seed=rules.seed + cycle, stockfish=rules.stockfish, timeout_s=rules.timeout_s),
        is_deterministic=rung.is_deterministic,
    )


def rung_record(rung: Rung) -> PlayerRecord:
    """A rung in results."""
    return PlayerRecord(
        label=rung.name,
        kind="rung",
        policy=None,
        model=None,
        needs_stockfish=rung.needs_stockfish,
        is_deterministic=rung.is_deterministic,
        is_repeatable=rung.is_repeatable,
    )


class Arena:
    """Plays the games of one match.

    Args:
        contestants: everybody who may play.
        rules: for all games.
        max_plies: of the rules.
    """

    def __init__(self, contestants: Sequence[Contestant], rules: Rules) -> None:
        self._contestants = {contestant.label: contestant for contestant in contestants}
        self._rules = rules
        self._stack = ExitStack()
        self._seats = self._stack.enter_context(Seats())
        self._adjudicator = self._stack.enter_context(Adjudicator(rules.stockfish))

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(
        self, fixtures: Sequence[Fixture], log: MatchLog, *, progress: Progress, stage: str
    ) -> dict[int, PlayedGame]:
        """Play what isn't in the log yet; all games of the fixtures by number."""
        numbers = {fixture.number for fixture in fixtures}
        num_done = len(numbers & log.played.keys())
        progress(stage, num_done, len(fixtures))

        def keep(game: PlayedGame, pgn: str) -> None:
            nonlocal num_done
            log.append(game, pgn)
            num_done += 1
            progress(stage, num_done, len(fixtures))

        play_fixtures(
            fixtures,
            self._contestants,
            seats=self._seats,
            adjudicator=self._adjudicator,
            max_plies=self._rules.max_plies,
            kept=frozenset(log.played),
            on_game=keep,
        )
        return {fixture.number: log.played[fixture.number] for fixture in fixtures}


def open_log(stack: ExitStack, out: Path | None, config: Mapping[str, Any], fixtures: Sequence[Fixture]) -> MatchLog:
    """The games so far: those in the folder `out`, held until the stack is closed, or none.

    Raises:
        OutputError, FormatError: as `match_folder`.
    """
    if out is None:
        return in_memory()
    return stack.enter_context(match_folder(out, config, {fixture.number: fixture for fixture in fixtures}))


def match_config(
    kind: str, rules: Rules, policy: PolicyRecord, players: Mapping[str, str], fixtures: Sequence[Fixture]
) -> dict[str, Any]:
    """All that decides the games of a match.

    Args:
        kind: the command.
        rules: for all games.
        policy: the same as results say it.
        players: label -> what tells the player from another of that name: a checkpoint's digest, or a rung's name.
        fixtures: all of them.
    """
    return {
        "kind": kind,
        "players": dict(players),
        "seed": rules.seed,
        # How ratings are made of games doesn't decide the games.
        "policy": policy.model_dump(mode="json", exclude={"fit"}),
        "games": len(fixtures),
        "games_digest": digest_json([[f.number, f.pair, f.white, f.black, f.opening.name, f.cycle] for f in fixtures]),
    }
