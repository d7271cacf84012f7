"""Results of matches as typed records: ratings with all they depend on, in one JSON file a command.

Knows: the format `chesslm-strength/1`, how it is written whole and read back strictly.
Doesn't know: how games are played (`match`), ratings are fitted (`elo`) or shown (`strength_tables`).

The file is one JSON object, keys as the fields of `StrengthResults`; `kind` says which command made it:

    strength   models against the rungs of a ladder, in both policies
    ladder     the rungs against each other; the one that is shipped rates models
    sprt       one model against another, until it is clear which of two differences is true

The same command on the same inputs writes the same bytes: there is no date in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from chesslm.files import read_json
from eval.documents import write_document
from eval.records import ModelRecord, Number, Record, parse_document

STRENGTH_FORMAT: Literal["chesslm-strength/1"] = "chesslm-strength/1"

Kind = Literal["strength", "ladder", "sprt"]
Policy = Literal["lenient", "strict"]
SprtDecision = Literal["elo0", "elo1", "undecided"]
Bound = Literal["interval", "below", "above", "anchor", "unknown"]


class PolicyRecord(Record):
    """All rules of the match: a rating holds under these and no others."""

    lenient: str = Field(description="what a model plays under this policy")
    strict: str
    temperature: Number = Field(description="of the models, over legal moves; 0 plays the most probable")
    max_plies: int = Field(description="plies, the opening included, at which a game is adjudicated")
    adjudicator: str = Field(description="who judges games that can't go on, and by what limit")
    draws: str = Field(description="which draws are taken")
    openings: str = Field(description="where games begin")
    book_digest: str = Field(description="sha256 (hex) of the book's lines")
    timeout_s: Number = Field(description="seconds an engine has for a move")
    fit: str = Field(description="how ratings are made of games")
    stockfish: str | None = Field(description="the engine's own name; None where there is none")


class PlayerRecord(Record):
    """Who took part."""

    label: str = Field(description="unique in the file; ratings and pairings name players by it")
    kind: Literal["model", "rung"]
    policy: Policy | None = Field(description="of a model")
    model: str | None = Field(description="label of a model's record; two policies share it")
    needs_stockfish: bool
    is_deterministic: bool = Field(description="the same move in the same game whatever the seed")
    is_repeatable: bool = Field(description="the same move in the same game with the same seed")


class PairGroup(Record):
    """Pairs of games that went alike, from the first player's side."""

    first_game: Number = Field(description="points of the game in which it had White: 1, 0.5 or 0")
    second_game: Number = Field(description="points of the game in which it had Black")
    pairs: int = Field(ge=1)


class PairingRecord(Record):
    """All games of two players."""

    first: str = Field(description="label")
    second: str = Field(description="label")
    games: int
    wins: int = Field(description="of the first player")
    draws: int
    losses: int
    pentanomial: tuple[int, int, int, int, int] = Field(
        description="pairs in which the first player made 0, 0.5, 1, 1.5 and 2 points"
    )
    pairs: tuple[PairGroup, ...]
    los: Number | None = Field(description="likelihood that the first player is the stronger one; None: all drawn")
    distinct_games: int = Field(description="different sequences of moves among the games")
    mean_plies: Number
    reasons: dict[str, int] = Field(description="how games ended -> games")
    adjudicated: dict[str, int] = Field(description="who judged -> games")
    illegal_first_choices: dict[str, int] = Field(description="label -> games it lost by one")
    failures: dict[str, int] = Field(description="label -> games it lost because it crashed, hung, lied or was missing")

    @model_validator(mode="after")
    def _consistent(self) -> PairingRecord:
        sums = (self.wins + self.draws + self.losses, sum(self.reasons.values()), 2 * sum(self.pentanomial))
        if set(sums) != {self.games} or 2 * sum(group.pairs for group in self.pairs) != self.games:
            raise ValueError(f"{self.first} and {self.second}: counts don't add up to {self.games} games")
        return self


class RatingRecord(Record):
    """A player's strength on the ladder's scale."""

    player: str = Field(description="label")
    elo: Number | None = Field(description="maximum likelihood; None where only a bound can be given")
    low: Number | None = Field(description="lower end of the 95 % interval; of `above`: the bound")
    high: Number | None = Field(description="upper end of the 95 % interval; of `below`: the bound")
    bound: Bound = Field(
        description="below, above: all lost or all won, so there is a one-sided bound; anchor: fixed; unknown: no bound"
    )
    games: int
    wins: int
    draws: int
    losses: int


class LadderUse(Record):
    """The ladder that models are rated on."""

    source: str = Field(description="shipped, or the file given to --ladder")
    digest: str = Field(description="sha256 (hex) of its canonical JSON")
    commit: str | None = Field(description="that measured it")
    stockfish: str | None = Field(description="that it was measured with")
    games: int = Field(description="its games, which take part in the fit")


class ControlRecord(Record):
    """A test of the harness: a model against itself must come out level."""

    model: str = Field(description="label of a model's record")
    kind: Literal["same player, pairs", "sampled, unpaired"]
    temperature: Number
    games: int
    score: Number = Field(description="points a game of the first seat, in [0, 1]")
    low: Number = Field(description="lower end of the 95 % interval (first kind: the lowest pair's score)")
    high: Number = Field(description="upper end of the 95 % interval (first kind: the highest pair's score)")
    distinct_games: int
    passed: bool = Field(description="first kind: exactly 0.5 in each pair; second kind: 0.5 lies in the interval")


class SprtRecord(Record):
    """A sequential probability ratio test of `first` against `second`."""

    first: str = Field(description="label")
    second: str = Field(description="label")
    elo0: Number
    elo1: Number
    alpha: Number
    beta: Number
    max_pairs: int
    pairs: int = Field(description="that were counted")
    llr: Number = Field(description="log-likelihood ratio after these pairs")
    lower: Number = Field(description="at or below: elo0 is accepted")
    upper: Number = Field(description="at or above: elo1 is accepted")
    decision: SprtDecision


class StrengthResults(Record):
    """What one `chesslm eval strength`, `ladder` or `sprt` found out."""

    format: Literal["chesslm-strength/1"] = STRENGTH_FORMAT
    kind: Kind
    chesslm_version: str
    commit: str | None = Field(description="of the code; None where it isn't run from a git checkout")
    command: tuple[str, ...] = Field(description="as it was typed")
    seed: int = Field(description="of openings, players' chances and controls' intervals")
    policy: PolicyRecord
    anchor: str | None = Field(description="label of the player whose rating is fixed; None where nobody is rated")
    anchor_elo: Number | None
    ladder: LadderUse | None = Field(description="None for a ladder itself")
    models: tuple[ModelRecord, ...]
    players: tuple[PlayerRecord, ...]
    left_out: tuple[str, ...] = Field(description="rungs that need a Stockfish that wasn't there")
    ratings: tuple[RatingRecord, ...] = Field(description="of all who were fitted together, strongest first")
    pairings: tuple[PairingRecord, ...]
    controls: tuple[ControlRecord, ...]
    sprt: SprtRecord | None
    games: int = Field(description="that were counted")
    distinct_games: int
    games_digest: str = Field(description="sha256 (hex) over numbers, results, reasons and moves of all counted games")

    @model_validator(mode="after")
    def _labels_are_known(self) -> StrengthResults:
        labels = [player.label for player in self.players]
        if len(set(labels)) != len(labels):
            raise ValueError("labels of players are unique")
        for pairing in self.pairings:
            if unknown := {pairing.first, pairing.second} - set(labels):
                raise ValueError(f"no player {unknown.pop()!r}")
        return self

    def rating(self, player: str) -> RatingRecord | None:
        """The rating of a label, if it has one."""
        return next((rating for rating in self.ratings if rating.player == player), None)

    def pairing(self, first: str, second: str) -> PairingRecord | None:
        """The games of two players, if they met in this order."""
        found = (pairing for pairing in self.pairings if (pairing.first, pairing.second) == (first, second))
        return next(found, None)


def write_strength(path: Path, results: StrengthResults) -> None:
    """Write the file whole; a `.jsonl` file gets one more line.

    Raises:
        OutputError: no room, no permission; names the file.
    """
    write_document(path, results.model_dump(mode="json"))


def read_strength(path: Path) -> StrengthResults:
    """Read what `write_strength` wrote into a `.json` file.

    Raises:
        InputError: missing or not JSON.
        FormatError: not a file of this format; names the file and the first wrong key.
    """
    return parse_strength(read_json(path), str(path))


def parse_strength(content: Any, where: str) -> StrengthResults:
    """The results that a JSON document holds.

    Args:
        content: the document.
        where: it stands; for messages.

    Raises:
        FormatError: not results of this format; names the place and the first wrong key.
    """
    return parse_document(content, where, StrengthResults, expected=STRENGTH_FORMAT)
