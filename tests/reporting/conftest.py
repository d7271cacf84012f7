"""Run folders as training leaves them, as far as a report reads them; and results of matches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.ladder_table import load_ladder
from eval.records import ModelRecord
from eval.strength_records import (
    ControlRecord,
    LadderUse,
    PairGroup,
    PairingRecord,
    PlayerRecord,
    PolicyRecord,
    RatingRecord,
    SprtRecord,
    StrengthResults,
)

HOSTILE = '<img src=x>|$a_b$"'


@pytest.fixture(scope="session")
def run_folder() -> Callable[[Path], Path]:
    """Makes a run folder with three validations."""

    def make(path: Path) -> Path:
        path.mkdir()
        (path / "config.json").write_text(json.dumps({"config": {"data": {"notation": "pgn"}}}))
        lines = [
            {"kind": "train", "step": 1},
            *(
                {
                    "kind": "validation",
                    "games": games,
                    "tokens": games * 100,
                    "wall_s": games / 7,
                    "first_choice_legal": games / 200,
                    "legal_mass": games / 300,
                    "move_nats": 5 - games / 50,
                    "n": 40,
                }
                for games in (0, 50, 100)
            ),
        ]
        (path / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
        return path

    return make


@pytest.fixture(scope="session")
def rating_record() -> Callable[..., RatingRecord]:
    """Makes a rating from player, Elo, lower and upper end and bound."""
    return rating


@pytest.fixture(scope="session")
def strength_results() -> Callable[..., StrengthResults]:
    """Makes results of a match of a model with a hostile name; fields can be replaced."""
    return strength


@pytest.fixture(scope="session")
def sprt_results() -> StrengthResults:
    """A sequential test of this model's policies against each other."""
    return sprt()


def model(label: str) -> ModelRecord:
    """A trained model."""
    fields = {
        "label": label,
        "kind": "trained",
        "source": label,
        "notation": "pgn",
        "vocabulary_fingerprint": "f" * 64,
        "checkpoint_digest": "d" * 64,
        "train_seconds": 90.0,
        **dict.fromkeys(("vocabulary_len", "params_trunk", "params_embedding", "params_head", "context_len"), 1_000),
        **dict.fromkeys(("step", "games_seen", "tokens_seen"), 17),
    }
    return ModelRecord.model_validate(fields)


def pairing(first: str, second: str, **more: object) -> PairingRecord:
    fields = {
        "first": first,
        "second": second,
        "games": 4,
        "wins": 1,
        "draws": 1,
        "losses": 2,
        "pentanomial": (1, 0, 0, 1, 0),
        "pairs": (
            PairGroup(first_game=0.0, second_game=0.0, pairs=1),
            PairGroup(first_game=1.0, second_game=0.5, pairs=1),
        ),
        "los": None,
        "distinct_games": 3,
        "mean_plies": 60.0,
        "reasons": {"checkmate": 1, "illegal first choice": 2, "ply limit": 1},
        "adjudicated": {"stockfish": 1},
        "illegal_first_choices": {first: 2},
        "failures": {},
    }
    return PairingRecord.model_validate({**fields, **more})


def rating(player: str, elo: float | None, low: float | None, high: float | None, bound: str) -> RatingRecord:
    return RatingRecord.model_validate(
        {"player": player, "elo": elo, "low": low, "high": high, "bound": bound}
        | {"games": 4, "wins": 1, "draws": 1, "losses": 2}
    )


def strength(**more: object) -> StrengthResults:
    rules = dict.fromkeys(("lenient", "strict", "adjudicator", "draws", "openings", "book_digest", "fit"), "as ever")
    policy = PolicyRecord.model_validate(
        {**rules, "temperature": 0.0, "max_plies": 200, "timeout_s": 30.0, "stockfish": None}
    )

    def player(label: str, of: str | None, how: str | None) -> PlayerRecord:
        return PlayerRecord.model_validate(
            {"label": label, "kind": "model" if of else "rung", "policy": how, "model": of}
            | {"needs_stockfish": False, "is_deterministic": True, "is_repeatable": True}
        )

    lenient, strict = f"{HOSTILE} lenient", f"{HOSTILE} strict"
    fields = {
        "kind": "strength",
        "chesslm_version": "0.1.0",
        "commit": None,
        "command": ("chesslm", "eval", "strength", HOSTILE),
        "seed": 3,
        "policy": policy,
        "anchor": "material-1",
        "anchor_elo": 656.0,
        "ladder": LadderUse(source="shipped", digest=load_ladder().digest, commit=None, stockfish=None, games=2_140),
        "models": (model(HOSTILE),),
        "players": (
            player(lenient, HOSTILE, "lenient"),
            player(strict, HOSTILE, "strict"),
            player("material-1", None, None),
            player("random", None, None),
        ),
        "left_out": ("stockfish@50",),
        "ratings": (
            rating("stockfish@50", None, 1_900.0, None, "above"),
            rating("material-1", 656.0, 656.0, 656.0, "anchor"),
            rating(lenient, 411.0, -140.0, 904.0, "interval"),
            rating(strict, None, None, 427.0, "below"),
        ),
        "pairings": (pairing(lenient, "random"), pairing(strict, "random")),
        "controls": (
            ControlRecord(
                model=HOSTILE,
                kind="same player, pairs",
                temperature=0.0,
                games=2,
                score=0.5,
                low=0.5,
                high=0.5,
                distinct_games=1,
                passed=True,
            ),
        ),
        "sprt": None,
        "games": 8,
        "distinct_games": 6,
        "games_digest": "a" * 64,
    }
    return StrengthResults.model_validate({**fields, **more})


def sprt() -> StrengthResults:
    lenient, strict = (f"{HOSTILE} {policy}" for policy in ("lenient", "strict"))
    test = SprtRecord(
        first=lenient,
        second=strict,
        elo0=0.0,
        elo1=30.0,
        alpha=0.05,
        beta=0.05,
        max_pairs=90,
        pairs=40,
        llr=-1.5,
        lower=-2.94,
        upper=2.94,
        decision="undecided",
    )
    return strength(kind="sprt", sprt=test, ratings=(), pairings=(pairing(lenient, strict),), ladder=None, anchor=None)
