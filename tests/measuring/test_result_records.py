"""The results file: what is written is read back, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chesslm.errors import FormatError, InputError, OutputError
from eval.records import (
    ALL,
    DifferenceRecord,
    GamesRecord,
    MeasureRecord,
    ModelRecord,
    Results,
    read_results,
    write_results,
)

ESTIMATE: dict[str, Any] = {
    "metric": "first_choice_legal",
    "version": 1,
    "detail": None,
    "unit": "rate",
    "subset": ALL,
    "value": 0.5,
    "n": 10,
    "low": 0.25,
    "high": 0.75,
    "interval": "by hand",
    "seed": 0,
    "policy": "none",
    "games_digest": "0",
    "commit": None,
}


def measure(model: str, **changes: Any) -> MeasureRecord:
    return MeasureRecord(**{**ESTIMATE, "model": model, "notation": "pgn", "checkpoint_digest": None, **changes})


def difference(**changes: Any) -> DifferenceRecord:
    both = {"model_a": "a", "model_b": "b", "checkpoint_digest_a": None, "checkpoint_digest_b": None}
    return DifferenceRecord(**{**ESTIMATE, **both, "excludes_zero": True, **changes})


@pytest.fixture
def make_results(model_record: Callable[..., ModelRecord]) -> Callable[..., Results]:
    def make(**changes: Any) -> Results:
        games = GamesRecord(
            source="games",
            kind="folder",
            split="test",
            digest="0",
            games=20,
            chosen=10,
            left_out={"no moves": 2},
            train_games=None,
        )
        content: dict[str, Any] = {
            "kind": "legality",
            "chesslm_version": "0",
            "commit": None,
            "seed": 0,
            "positions_asked": 10,
            "games": games,
            "models": (model_record("a"), model_record("b")),
            "measures": (
                measure("a"),
                measure("b", value=0.25),
                measure("a", subset="plies 10-19", first_ply=10, last_ply=19),
                measure("a", subset="plies 0-9", first_ply=0, last_ply=9),
                measure("a", metric="error_kind", detail="path blocked"),
            ),
            "differences": (difference(),),
        }
        return Results(**{**content, **changes})

    return make


def test_what_is_written_is_read_back(tmp_path: Path, make_results: Callable[..., Results]) -> None:
    path = tmp_path / "deep" / "results.json"
    write_results(path, make_results())
    assert read_results(path) == make_results()
    write_results(tmp_path / "again.json", make_results())
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_numbers_are_found_by_name(make_results: Callable[..., Results]) -> None:
    results = make_results()
    found = results.find("first_choice_legal", "b")
    assert found is not None
    assert found.value == 0.25
    assert results.find("first_choice_legal", "b", "new") is None
    assert results.find("error_kind", "a", detail="path blocked") is not None
    assert [m.first_ply for m in results.by_ply("first_choice_legal", "a")] == [0, 10]
    assert results.find_difference("first_choice_legal", "a", "b") == difference()
    assert results.find_difference("first_choice_legal", "b", "a") is None
    assert results.model("b").label == "b"
    with pytest.raises(KeyError):
        results.model("c")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": 0.8}, "low 0.8 is above high 0.75"),
        ({"low": None}, "an interval from None to 0.75"),
        ({"value": float("nan")}, "finite"),
        ({"n": 0}, "greater than or equal to 1"),
        ({"unit": "elo"}, "Input should be"),
        ({"extra": 1}, "Extra inputs"),
    ],
)
def test_impossible_estimates_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        measure("a", **change)


def test_a_difference_says_truly_whether_it_excludes_zero() -> None:
    assert difference(low=-0.1, excludes_zero=False).excludes_zero is False
    with pytest.raises(ValidationError, match="excludes_zero"):
        difference(low=-0.1, excludes_zero=True)


def test_a_number_without_an_interval_is_null_in_the_file_and_excludes_nothing(
    tmp_path: Path, make_results: Callable[..., Results]
) -> None:
    nothing = {"low": None, "high": None, "interval": "none: one game"}
    assert measure("a", **nothing).ends is None
    results = make_results(
        measures=(measure("a", **nothing),), differences=(difference(**nothing, excludes_zero=False),)
    )
    write_results(tmp_path / "results.json", results)
    assert read_results(tmp_path / "results.json") == results
    assert json.loads((tmp_path / "results.json").read_bytes())["measures"][0]["low"] is None
    with pytest.raises(ValidationError, match="excludes_zero"):
        difference(**nothing, excludes_zero=True)


def test_models_that_nobody_listed_are_refused(
    make_results: Callable[..., Results], model_record: Callable[..., ModelRecord]
) -> None:
    with pytest.raises(ValidationError, match="no model 'c'"):
        make_results(measures=(measure("c"),))
    with pytest.raises(ValidationError, match="unique"):
        make_results(models=(model_record("a"), model_record("a"), model_record("b")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "found 'list'"),
        ('{"format": "chesslm-results/2"}', "found 'chesslm-results/2'"),
        ('{"format": "chesslm-results/1"}', "kind: Field required"),
    ],
)
def test_other_files_are_named_with_what_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        read_results(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_wrong_value_is_named_by_its_key(tmp_path: Path, make_results: Callable[..., Results]) -> None:
    path = tmp_path / "results.json"
    write_results(path, make_results())
    content = json.loads(path.read_text(encoding="utf-8"))
    content["measures"][1]["n"] = "ten"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FormatError, match=r"measures\.1\.n"):
        read_results(path)


def test_missing_files_and_places_are_named(tmp_path: Path, make_results: Callable[..., Results]) -> None:
    with pytest.raises(InputError, match=r"missing\.json"):
        read_results(tmp_path / "missing.json")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"results\.json"):
        write_results(tmp_path / "file" / "results.json", make_results())
