"""Models side by side: labels, controls, pairs, and games that fit all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from chesslm.checkpoints import load_model, untrained
from chesslm.errors import InputError
from chesslm.files import read_json
from chesslm.game import Game
from chesslm.inference import Position, measure_positions
from chesslm.notation.registry import default_notation
from chesslm.token_tree import Branches, chain
from eval.contenders import TOO_LONG, Contender, FunctionModel, fits_all, load_contenders, pairs, uniform_model


def loaded(runs: Path, *names: str, with_controls: bool = False) -> list[Contender]:
    paths = [str(runs / name) for name in names]
    return load_contenders(paths, device="cpu", with_controls=with_controls, seed=0)


def test_a_record_says_what_the_model_is(runs: Path) -> None:
    (contender,) = loaded(runs, "pgn")
    record = contender.record
    info = read_json(runs / "pgn" / "checkpoints" / "step_00000003" / "checkpoint.json")
    assert (record.label, record.kind, record.notation) == ("pgn", "trained", "pgn")
    assert record.checkpoint_digest == info["model_sha256"]
    assert (record.step, record.games_seen, record.tokens_seen, record.train_seconds) == (3, 17, 1_900, 2.5)
    assert record.params_embedding == record.vocabulary_len * 16
    assert record.params_head == 0
    assert record.context_len == 420
    assert record.source == str(runs / "pgn")


def test_controls_follow_the_trained_models(runs: Path) -> None:
    contenders = loaded(runs, "pgn", "english", with_controls=True)
    assert [contender.label for contender in contenders] == [
        "pgn",
        "english",
        "pgn untrained",
        "english untrained",
        "uniform tokens (pgn)",
        "uniform tokens (english)",
    ]
    weights = untrained(load_model(runs / "pgn", device="cpu")).model.state_dict()
    control = contenders[2].model
    assert isinstance(control, torch.nn.Module)
    assert all(torch.equal(value, weights[name]) for name, value in control.state_dict().items())
    assert contenders[2].record.checkpoint_digest == f"untrained:{contenders[0].record.checkpoint_digest}"
    assert contenders[4].record.checkpoint_digest is None


def test_models_are_compared_with_each_other_and_with_their_own_controls(runs: Path) -> None:
    compared = [(one.label, other.label) for one, other in pairs(loaded(runs, "pgn", "english", with_controls=True))]
    assert compared == [
        ("pgn", "english"),
        ("pgn", "pgn untrained"),
        ("pgn", "uniform tokens (pgn)"),
        ("english", "english untrained"),
        ("english", "uniform tokens (english)"),
    ]


def test_models_of_one_name_get_their_digest(tmp_path: Path, runs: Path) -> None:
    shutil.copytree(runs / "english", tmp_path / "pgn")
    paths = [str(runs / "pgn"), str(tmp_path / "pgn")]
    labels = [c.label for c in load_contenders(paths, device="cpu", with_controls=False, seed=0)]
    digests = [load_model(path, device="cpu").digest[:8] for path in paths]
    assert labels == [f"pgn {digest}" for digest in digests]


def test_a_model_may_not_be_named_twice(runs: Path) -> None:
    with pytest.raises(InputError, match=r"--model: pgn .* is named twice"):
        loaded(runs, "pgn", "pgn")


def test_models_with_one_vocabulary_share_a_uniform_control(tmp_path: Path, runs: Path) -> None:
    shutil.copytree(runs / "pgn", tmp_path / "other")
    paths = [str(runs / "pgn"), str(tmp_path / "other")]
    contenders = load_contenders(paths, device="cpu", with_controls=True, seed=0)
    uniform = [contender for contender in contenders if contender.record.kind == "uniform"]
    assert [contender.control_of for contender in uniform] == [("pgn", "other")]
    assert len(pairs(contenders)) == 5


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing"):
        load_contenders([str(tmp_path / "nothing")], device="cpu", with_controls=False, seed=0)


def test_games_fit_whole_or_not_at_all(runs: Path, games: list[Game]) -> None:
    why_not = fits_all(loaded(runs, "pgn", "english", with_controls=True))
    longest = max(games, key=lambda game: len(game.san))
    assert why_not(longest) is None
    english = default_notation("english")
    too_long = Game("", longest.san + longest.san + longest.san, "*")
    assert len(english.encode_game(too_long).ids) > 420
    assert why_not(too_long) == TOO_LONG
    beyond_the_last_number = Game("", ("Nf3", "Nf6", "Ng1", "Ng8") * 101, "*")
    assert why_not(beyond_the_last_number) == TOO_LONG


def test_uniform_tokens_are_uniform_and_their_greedy_choice_is_random(games: list[Game]) -> None:
    notation = default_notation("pgn")
    vocabulary = notation.vocabulary
    model = uniform_model(len(vocabulary), context_len=1_000, seed=0)
    positions = [Position(game, min(10, len(game.san) - 1)) for game in games[:60]]
    measures = measure_positions(model, notation, positions)
    num_first = len(vocabulary) - len(vocabulary.not_a_first_token_ids)
    for measure, position in zip(measures, positions, strict=True):
        assert measure.end_mass == pytest.approx(4 / len(vocabulary), rel=1e-3)
        start, end = notation.encode_game(position.game).spans[position.ply]
        expected = np.log(num_first) + (end - start - 1) * np.log(len(vocabulary))
        assert measure.move_logprob == pytest.approx(-expected, abs=1e-3)
    # Nearly all first tokens differ, and the same ones come whatever the batch.
    assert len({measure.first_choice for measure in measures}) > 40
    assert measure_positions(model, notation, positions[7:9]) == measures[7:9]
    other_seed = measure_positions(uniform_model(len(vocabulary), context_len=1_000, seed=1), notation, positions)
    assert [m.first_choice for m in other_seed] != [m.first_choice for m in measures]


def test_a_function_of_the_text_answers_like_a_token_model() -> None:
    seen: list[list[int]] = []

    def next_logits(tokens: Sequence[int]) -> Tensor:
        seen.append(list(tokens))
        return torch.arange(3, dtype=torch.float32)

    model = FunctionModel(next_logits, context_len=9)
    reading = model.read([[5, 6], [7]])
    assert reading.logits([0, 0, 1], [0, 1, 0]).shape == (3, 3)
    assert seen == [[5], [5, 6], [7]]
    seen.clear()
    reading.branch_logits([Branches([1, 2, 3], [-1, 0, -1]), chain([4])])
    assert seen == [[5, 6, 1], [5, 6, 1, 2], [5, 6, 3], [7, 4]]
    seen.clear()
    chosen = reading.select([1])
    chosen.extend([8])
    chosen.extend([9])
    assert seen == [[7, 8], [7, 8, 9]]
    assert reading.branch_logits([chain([]), chain([])]).shape == (0, 3)
