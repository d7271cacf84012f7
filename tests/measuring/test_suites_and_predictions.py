"""Fixed suites are the same for everybody, and what models said can be computed again from a file."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import chess
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chesslm.cli import main
from chesslm.errors import FormatError, InputError
from chesslm.game import Game
from chesslm.inference import Position
from chesslm.notation.registry import default_notation
from eval.contenders import uniform_model
from eval.position_classes import CLASSES, classes_of
from eval.predictions import read_predictions
from eval.records import read_results
from eval.study import prepare_suite
from eval.suite import SuiteDefinition, build_suite, load_suite, suite_names

FolderMaker = Callable[[Path, Mapping[str, Sequence[Game]]], Path]
SMALL = SuiteDefinition(
    format="chesslm-suite/1",
    name="small",
    seed=3,
    split="test",
    max_plies=40,
    positions=12,
    games_searched=60,
    positions_a_class=3,
    rules=(),
)


def board_at(position: Position) -> chess.Board:
    board = chess.Board()
    for san in position.game.san[: position.ply]:
        board.push_san(san)
    return board


def test_the_same_games_give_the_same_suite_in_any_order(
    tmp_path: Path, games: list[Game], make_folder: FolderMaker
) -> None:
    some = games[:80]
    shuffled = random.Random(1).sample(some, len(some))
    first = build_suite(make_folder(tmp_path / "a", {"test": some}), SMALL)
    second = build_suite(make_folder(tmp_path / "b", {"test": shuffled}), SMALL)
    assert first.record.positions_digest == second.record.positions_digest
    assert first.record.games_digest != second.record.games_digest  # files of other bytes, which is named
    others = build_suite(make_folder(tmp_path / "c", {"test": games[80:160]}), SMALL)
    assert others.record.positions_digest != first.record.positions_digest
    reseeded = build_suite(tmp_path / "a", SMALL.model_copy(update={"seed": 4}))
    assert reseeded.record.positions_digest != first.record.positions_digest
    assert reseeded.record.definition_digest != first.record.definition_digest


def test_a_suite_has_random_positions_and_as_many_of_each_class(folder: Path) -> None:
    suite = build_suite(folder, SMALL)
    assert suite.record.sizes["random"] == len(suite.held_out.positions) == 12
    assert all(len(game.san) <= 40 for game in suite.held_out.games)
    assert list(suite.classes) == [name for name in CLASSES if name in suite.classes]
    assert {"in check", "pinned piece"} <= set(suite.classes)
    for name, positions in suite.classes.items():
        assert 1 <= len(positions) <= 3
        assert len({position.game.san for position in positions}) == len(positions)
        assert all(name in classes_of(board_at(position)) for position in positions)


def test_suites_that_ship_are_found_and_others_named() -> None:
    assert suite_names() == ["bench-v1"]
    definition = load_suite("bench-v1")
    assert (definition.name, definition.positions, definition.positions_a_class) == ("bench-v1", 2_000, 100)
    with pytest.raises(InputError, match="--suite mine: no such suite; there is bench-v1"):
        load_suite("mine")


def test_a_model_that_cannot_hold_the_suite_is_named(
    folder: Path, contender_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    notation = default_notation("pgn")
    short = contender_of(uniform_model(len(notation.vocabulary), context_len=20, seed=0), notation, "short")
    monkeypatch.setattr("eval.study.load_suite", lambda _name: SMALL)
    monkeypatch.setattr("eval.study.load_contenders", lambda *_args, **_kwargs: [short])
    with pytest.raises(InputError, match=r"model short: a game of small is too long for a model \(context 20 tokens\)"):
        prepare_suite(["short"], folder, "small", with_new=False)


@pytest.fixture(scope="module")
def measured_suite(runs: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The results and the dump of a small suite, measured by the command."""
    out = tmp_path_factory.mktemp("suite")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eval.study.load_suite", lambda _name: SMALL)
        asked = ("--model", runs / "pgn", "--games", folder, "--suite", "small", "--no-new")
        files = ("--json", out / "results.json", "--dump", out / "predictions.parquet")
        code = main(["eval", "legality", *map(str, (*asked, *files))])
    assert code == 0
    return out / "results.json", out / "predictions.parquet"


def test_results_say_which_suite_they_are_of(measured_suite: tuple[Path, Path]) -> None:
    results = read_results(measured_suite[0])
    assert results.suite is not None
    assert (results.suite.name, results.seed, results.positions_asked) == ("small", 3, 12)
    assert results.suite.games_digest == results.games.digest
    for name, size in results.suite.sizes.items():
        found = results.find("first_choice_legal", "pgn", "all" if name == "random" else f"suite class: {name}")
        assert found is not None
        assert found.n == size


def test_everything_can_be_computed_again_from_what_models_said(measured_suite: tuple[Path, Path]) -> None:
    results = read_results(measured_suite[0])
    provenance, rows = read_predictions(measured_suite[1])
    assert provenance["games"]["digest"] == results.games.digest
    assert provenance["suite"]["positions_digest"] == (results.suite and results.suite.positions_digest)
    assert [model["label"] for model in provenance["models"]] == ["pgn"]
    by_part = defaultdict(list)
    for row in rows:
        by_part[row["part"]].append(row)
        board = chess.Board()
        for san in row["moves_before"]:
            board.push_san(san)
        assert (board.fen(), len(row["moves_before"])) == (row["fen"], row["ply"])
        assert sorted(row["legal_moves"]) == sorted(board.san(move) for move in board.legal_moves)
        assert (row["first_choice_move"] is None) == (row["error_kind"] is not None)
    assert len(by_part) == len(results.suite.sizes if results.suite else ())
    for part, answers in by_part.items():
        again = {
            "first_choice_legal": [row["first_choice_move"] is not None for row in answers],
            "legal_mass": [min(1.0, sum(map(math.exp, row["legal_logprobs"]))) for row in answers],
            "move_nats": [-row["legal_logprobs"][row["legal_moves"].index(row["true_move"])] for row in answers],
        }
        for metric, values in again.items():
            record = results.find(metric, "pgn", part)
            assert record is not None
            assert record.value == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_files_that_are_no_predictions_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(FormatError, match=r"other\.parquet: expected chesslm-predictions/1"):
        read_predictions(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no", encoding="utf-8")
    with pytest.raises(InputError, match=r"text\.parquet: not a readable Parquet file"):
        read_predictions(tmp_path / "text.parquet")


def test_mistakes_with_suites_and_dumps_get_one_line(
    runs: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*arguments: str | Path, naming: str) -> None:
        capsys.readouterr()
        code = main(["eval", "legality", "--model", str(runs / "pgn"), "--games", str(folder), *map(str, arguments)])
        said = capsys.readouterr()
        assert (code, said.out, said.err.count("\n")) == (2, "", 1)
        assert naming in said.err

    (tmp_path / "there.parquet").write_text("mine", encoding="utf-8")
    fails("--suite", "mine", naming="--suite mine")
    fails("--suite", "bench-v1", "--positions", "5", naming="--positions: the suite bench-v1 decides that")
    fails("--suite", "bench-v1", "--seed", "0", naming="--seed")
    fails("--suite", "bench-v1", "--split", "val", naming="--split")
    fails("--dump", tmp_path / "there.parquet", naming="--dump")
