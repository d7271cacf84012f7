"""`eval legality --precision`: a copy of each model in fewer bits, and how often it chooses otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import chess
import pytest
import torch

from chesslm.cli import main
from chesslm.errors import InputError
from chesslm.model import Decoder
from eval.contenders import uniform_model
from eval.legality import measured
from eval.precision import Choices, with_precisions
from eval.records import ALL, read_results
from eval.study import prepare_study


def test_each_model_has_a_copy_beside_it_and_changes_are_counted(runs: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    options = ["--precision", "int8", "--precision", "bfloat16", "--precision", "int8", "--positions", "11"]
    games = ["--games", str(folder), "--no-new", "--controls", "--json", str(out)]
    assert main(["eval", "legality", "--model", str(runs / "pgn"), *games, *options]) == 0
    results = read_results(out)
    labels = [model.label for model in results.models]
    assert labels[:3] == ["pgn", "pgn int8", "pgn bfloat16"]
    assert results.models[1].checkpoint_digest == f"int8:{results.models[0].checkpoint_digest}"
    assert [model.is_rounded for model in results.models[:4]] == [False, True, True, False]
    for label in labels[1:3]:
        found = {m.metric: m for m in results.measures if m.model == label and m.metric.endswith("_changed")}
        assert sorted(found) == ["first_choice_changed", "lenient_move_changed"]
        assert all(m.n == 11 and 0.0 <= m.value <= 1.0 for m in found.values())
    assert any((d.model_a, d.model_b) == ("pgn", "pgn int8") for d in results.differences)


def test_a_copy_that_chooses_otherwise_is_told_apart(runs: Path, folder: Path) -> None:
    plain = prepare_study([str(runs / "pgn")], folder, positions=13, seed=0, device="cpu", with_new=False)
    study = with_precisions(plain, ["int8"])
    original, copy = study.contenders
    choices = Choices()
    measured(original, study.held_out.positions, tell=choices.take)
    # A copy that isn't one: its weights are all its own.
    torch.manual_seed(1)
    assert isinstance(copy.model, Decoder)
    copy.model.reset_parameters()
    measured(copy, study.held_out.positions, tell=choices.take)
    found = choices.added(study.results("legality", (), ()), study, ["int8"])
    assert [(m.model, m.metric, m.n) for m in found.measures] == [
        ("pgn int8", "first_choice_changed", 13),
        ("pgn int8", "lenient_move_changed", 13),
    ]
    assert all(m.value > 0.5 for m in found.measures)


def test_changes_are_counted_exactly(runs: Path, folder: Path) -> None:
    plain = prepare_study([str(runs / "pgn")], folder, positions=4, seed=0, device="cpu", with_new=False)
    study = with_precisions(plain, ["int8"])
    original, copy = study.contenders

    def answers(*chosen: tuple[str, str]) -> list[Any]:
        return [
            SimpleNamespace(
                measure=SimpleNamespace(first_choice=first),
                probabilities=SimpleNamespace(best=chess.Move.from_uci(best)),
            )
            for first, best in chosen
        ]

    choices = Choices()
    choices.take(original, ALL, (), answers(("e4", "e2e4"), ("Ke3", "d2d4"), ("Nf3", "g1f3"), ("c4", "c2c4")))
    choices.take(original, "in check", (), answers(("a4", "a2a4")))
    choices.take(copy, ALL, (), answers(("e4", "e2e4"), ("Kd3", "d2d4"), ("Nc3", "b1c3"), ("d4", "c2c4")))
    found = choices.added(study.results("legality", (), ()), study, ["int8"])
    assert [(m.metric, m.n, m.value) for m in found.measures] == [
        ("first_choice_changed", 4, 3 / 4),
        ("lenient_move_changed", 4, 1 / 4),
    ]


def test_somebody_elses_model_cant_be_rounded(runs: Path, folder: Path) -> None:
    study = prepare_study([str(runs / "pgn")], folder, positions=2, seed=0, device="cpu", with_new=False)
    foreign = replace(study.contenders[0], model=uniform_model(11, context_len=31, seed=0))
    with pytest.raises(InputError, match="--precision: pgn is no chesslm model"):
        with_precisions(replace(study, contenders=(foreign,)), ["int8"])


def test_a_precision_that_isnt_known_ends_with_one_line(runs: Path, folder: Path) -> None:
    assert main(["eval", "legality", "--model", str(runs / "pgn"), "--games", str(folder), "--precision", "int4"]) == 2
