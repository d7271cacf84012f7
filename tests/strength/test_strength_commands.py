"""`chesslm eval strength`, `ladder` and `sprt` as a user meets them, with tiny models and without Stockfish."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from chesslm import uci_player
from chesslm.cli import main
from chesslm.errors import FormatError
from eval import match
from eval.ladder_table import load_ladder
from eval.match_log import GAMES_FILE, read_pgn_records
from eval.strength_records import StrengthResults, read_strength
from eval.strength_tables import summary, tables

Run = Callable[..., tuple[int, str, str]]

RUNGS = "random,random-capture,material-1"
SHORT = ("--plies", 24)

pytestmark = pytest.mark.usefixtures("no_stockfish")


@pytest.fixture(scope="session")
def ladder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little ladder."""
    path = tmp_path_factory.mktemp("ladder") / "ladder.json"
    options = ("--rungs", RUNGS, "--anchor", "material-1", "--anchor-elo", "500", "--games-per-pair", "10")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uci_player.shutil, "which", lambda name: None)
        assert main(["eval", "ladder", *options, "--plies", "60", "--json", str(path)]) == 0
    return path


@pytest.fixture
def strength(run: Run, runs: Path, ladder_file: Path, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """`eval strength` of the tiny model on the little ladder, results into `out.json` of the test's folder."""

    def call(*more: object, model: str = "long", out: str = "out.json") -> tuple[int, str, str]:
        options = ("--model", runs / model, "--ladder", ladder_file, "--rungs", RUNGS, "--games-per-pair", 2, *SHORT)
        return run("strength", *options, "--json", tmp_path / out, "--force", *more)

    return call


def without_command(results: StrengthResults) -> dict[str, object]:
    return results.model_dump(exclude={"command", "commit"})


def test_a_ladder_is_measured_and_rated(ladder_file: Path) -> None:
    results = read_strength(ladder_file)
    assert (results.kind, results.anchor, results.anchor_elo) == ("ladder", "material-1", 500.0)
    assert [(p.first, p.second, p.games) for p in results.pairings] == [
        ("random", "random-capture", 10),
        ("random-capture", "material-1", 10),
        ("random", "material-1", 2),
    ]
    assert results.games == 22
    assert results.distinct_games > 20
    assert {rating.player for rating in results.ratings} == set(RUNGS.split(","))
    anchor = results.rating("material-1")
    assert anchor is not None
    assert (anchor.elo, anchor.bound, anchor.games) == (500.0, "anchor", 12)
    assert sum(sum(p.adjudicated.values()) for p in results.pairings) == sum(
        p.reasons.get("ply limit", 0) for p in results.pairings
    )
    assert "material" in results.policy.adjudicator
    assert results.policy.stockfish is None


def test_a_model_is_rated_in_both_policies_together_with_the_ladder(
    strength: Callable[..., tuple[int, str, str]], tmp_path: Path, ladder_file: Path
) -> None:
    code, out, err = strength("--controls", "--out", tmp_path / "match")
    assert code == 0
    assert err.splitlines()[0].startswith("chesslm: Stockfish is not installed")
    results = read_strength(tmp_path / "out.json")
    assert [player.label for player in results.players if player.kind == "model"] == ["long lenient", "long strict"]
    assert len(results.pairings) == 6
    assert results.games == 12
    strict = [pairing for pairing in results.pairings if pairing.first == "long strict"]
    # A network that learned nothing writes no legal move.
    assert sum(sum(p.illegal_first_choices.values()) for p in strict) == 6
    assert {label for p in strict for label in p.illegal_first_choices} == {"long strict"}
    rating = results.rating("long strict")
    assert rating is not None
    assert (rating.elo, rating.bound, rating.losses) == (None, "below", 6)
    assert results.ladder is not None
    assert results.ladder.games == read_strength(ladder_file).games
    assert {rating.player for rating in results.ratings} >= set(RUNGS.split(","))
    same, sampled = results.controls
    assert (same.kind, same.passed, same.score, same.low, same.high) == ("same player, pairs", True, 0.5, 0.5, 0.5)
    assert (sampled.kind, sampled.temperature, sampled.games) == ("sampled, unpaired", 0.5, 2)
    for word in ("long lenient", "illegal first choice", "LOS", "anchor: material-1 = 500", "adjudicated", "Controls"):
        assert word in out
    records, _ = read_pgn_records((tmp_path / "match" / GAMES_FILE).read_bytes())
    assert len(records) == 16
    assert any("rules infraction" in record and "first " in record for record in records)


def test_a_match_that_was_stopped_ends_as_if_it_had_not_been(
    strength: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "match"
    monkeypatch.setattr(match, "BLOCK_LEN", 4)
    strength("--out", folder, out="whole.json")
    games = folder / GAMES_FILE
    content = games.read_bytes()
    records, _ = read_pgn_records(content)
    for num_kept, torn in ((0, b""), (5, b'[Event "chess'), (9, b"")):
        games.write_bytes("".join(record + "\n\n" for record in records[:num_kept]).encode() + torn)
        code, _, _ = strength("--out", folder, out="resumed.json")
        assert code == 0
        whole, resumed = read_strength(tmp_path / "whole.json"), read_strength(tmp_path / "resumed.json")
        assert without_command(resumed) == without_command(whole)
        assert sorted(read_pgn_records(games.read_bytes())[0]) == sorted(records)


def test_ctrl_c_keeps_what_was_played(
    strength: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "match"
    monkeypatch.setattr(match, "BLOCK_LEN", 4)
    play_block = match._play_block
    blocks_played = []

    def interrupted(*arguments: object) -> object:
        blocks_played.append(1)
        if len(blocks_played) == 3:
            raise KeyboardInterrupt
        return play_block(*arguments)

    monkeypatch.setattr(match, "_play_block", interrupted)
    code, _, err = strength("--out", folder)
    assert (code, err.splitlines()[-1]) == (130, "interrupted")
    assert not (tmp_path / "out.json").exists()
    assert len(read_pgn_records((folder / GAMES_FILE).read_bytes())[0]) == 8
    code, _, _ = strength("--out", folder)
    assert code == 0
    assert len(blocks_played) == 4


def test_another_configuration_in_the_same_folder_is_refused(
    strength: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    folder = tmp_path / "match"
    assert strength("--out", folder)[0] == 0
    for more, key in ((("--seed", 7), "seed"), (("--plies", 30), "policy"), (("--policy", "lenient"), "players")):
        code, _, err = strength("--out", folder, *more)
        assert code == 2
        assert f"holds another match: {key} is" in err.splitlines()[-1]


def test_a_game_that_is_too_long_for_a_model_is_adjudicated(
    strength: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    assert strength("--plies", 120, "--policy", "lenient", model="short")[0] == 0
    results = read_strength(tmp_path / "out.json")
    reasons = {reason for pairing in results.pairings for reason in pairing.reasons}
    assert "game too long" in reasons
    too_long = sum(pairing.reasons.get("game too long", 0) for pairing in results.pairings)
    assert sum(pairing.adjudicated.get("material", 0) for pairing in results.pairings) == too_long


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (("--games-per-pair", 3), "--games-per-pair must be even"),
        (("--policy", "kind"), "--policy: kind is none"),
        (("--rungs", "rybka"), "no rung is called rybka"),
        (("--rungs", "stockfish@5"), "none of them can be played without Stockfish"),
        (("--stockfish", "/nowhere/stockfish"), "no such program"),
        (("--model", "nobody"), "nobody: is no folder"),
        (("--temperature", "inf", "--model", "nobody"), "--temperature inf: not a finite number"),
        (("--ladder", "/nowhere/ladder.json"), "/nowhere/ladder.json"),
    ],
)
def test_mistakes_are_one_line_and_leave_no_folder(
    more: tuple[object, ...], complaint: str, strength: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, err = strength("--out", tmp_path / "match", *more)
    assert code == 2
    assert complaint in err.splitlines()[-1]
    assert not (tmp_path / "match").exists()
    assert not (tmp_path / "out.json").exists()


def test_a_ladder_without_its_anchor_needs_another_and_its_rating(run: Run) -> None:
    code, _, err = run("ladder", "--rungs", RUNGS, "--anchor", "material-2", "--anchor-elo", 3, *SHORT)
    assert code == 2
    assert "the anchor material-2 is not among the rungs" in err.splitlines()[-1]
    code, _, err = run("ladder", "--rungs", RUNGS, "--anchor", "material-1", "--anchor-elo", "nan", *SHORT)
    assert code == 2
    assert "--anchor-elo nan: not a finite number" in err.splitlines()[-1]
    code, _, err = run("ladder", "--rungs", "random", "--anchor", "random", "--anchor-elo", 3)
    assert code == 2
    assert "at least two rungs" in err.splitlines()[-1]
    code, _, err = run("ladder", "--rungs", f"{RUNGS},material-1/random=0.7", *SHORT)
    assert code == 2
    assert "--anchor material-1/random=0.7 needs --anchor-elo" in err.splitlines()[-1]


def test_a_ladder_without_stockfish_stays_on_the_shipped_scale(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "ladder.json"
    assert run("ladder", "--rungs", "random-capture,material-1", "--games-per-pair", 4, *SHORT, "--json", out)[0] == 0
    results, shipped = read_strength(out), load_ladder().results
    assert results.anchor == "material-1"
    assert results.anchor_elo == pytest.approx(shipped.rating("material-1").elo)


def test_the_shipped_ladder_is_shown_without_a_game(run: Run) -> None:
    code, out, err = run("ladder", "--show")
    assert (code, err) == (0, "")
    for word in ("stockfish@5000/elo=1350", "1350 (anchor)", "random-capture", "Pairings"):
        assert word in out


def test_results_of_another_kind_are_no_ladder(run: Run, runs: Path, ladder_file: Path, tmp_path: Path) -> None:
    content = json.loads(ladder_file.read_text(encoding="utf-8"))
    (tmp_path / "sprt.json").write_text(json.dumps(content | {"kind": "sprt"}), encoding="utf-8")
    (tmp_path / "other.json").write_text('{"format": "chesslm-results/1"}', encoding="utf-8")
    content["pairings"][0]["games"] += 2
    (tmp_path / "wrong.json").write_text(json.dumps(content), encoding="utf-8")
    for name, complaint in (
        ("sprt.json", "expected a ladder"),
        ("other.json", "expected chesslm-strength/1"),
        ("wrong.json", "counts don't add up"),
    ):
        code, _, err = run("strength", "--model", runs / "long", "--rungs", "random", "--ladder", tmp_path / name)
        assert code == 2
        assert complaint in err.splitlines()[-1]
    with pytest.raises(FormatError):
        read_strength(tmp_path / "wrong.json")


def test_names_from_outside_are_shown_as_plain_text(ladder_file: Path) -> None:
    text = ladder_file.read_text(encoding="utf-8").replace('"random"', '"[red]ran\\u001bdom"')
    results = StrengthResults.model_validate_json(text)
    console = Console(width=150, record=True)
    console.print(summary(results))
    for table in tables(results):
        console.print(table)
    assert "[red]ran?dom" in console.export_text()
