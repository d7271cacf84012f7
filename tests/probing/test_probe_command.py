"""`chesslm eval probe`: activations, results, the picture, mistakes."""

from __future__ import annotations

from pathlib import Path

import chess
import pytest
import torch

from chesslm.checkpoints import load_model
from chesslm.cli import main
from chesslm.errors import InputError
from chesslm.game import Game
from eval.contenders import load_contenders
from eval.metrics import PROBES
from eval.probe import BEST_LAYER, MAJORITY, activations, layer_name, prepare_probe, probe_data
from eval.probe_activations import residual_streams
from eval.probe_figure import draw_probes
from eval.records import Results, read_results


def test_streams_are_those_of_the_network_whatever_stands_beside_a_text(runs: Path) -> None:
    loaded = load_model(runs / "pgn")
    texts = [[1, 5, 9, 30, 7], [1, 8], [1, 40, 41]]
    told: list[int] = []
    found = residual_streams(loaded.model, texts, [[0, 4], [1], []], told=told.append)
    assert found.shape == (3, 3, 16)
    assert told == [3]
    with torch.inference_mode():
        assert torch.equal(found[0], loaded.model.embedding(torch.tensor([1, 7, 8])))
        for text, place, slot in ((texts[0], 0, 0), (texts[0], 4, 1), (texts[1], 1, 2)):
            hidden = loaded.model.hidden(torch.tensor([text]))[0, place]
            torch.testing.assert_close(loaded.model.norm(found[-1, slot]), hidden)
    assert not any(module._forward_hooks for module in loaded.model.modules())


@pytest.mark.parametrize("name", ["pgn", "english"])
def test_activations_are_those_at_the_last_token_before_the_move(name: str, runs: Path, folder: Path) -> None:
    study = prepare_probe([str(runs / name)], folder, positions=60, seed=0)
    data = probe_data(study.held_out, seed=0)
    contender = study.contenders[0]
    found = activations(contender, study.held_out, data)
    game, plies = study.held_out.games[0], data.plies[0]
    board = chess.Board()
    for san in game.san[: plies[1]]:
        board.push_san(san)
    prompt = contender.notation.prompt(board)
    alone = residual_streams(load_model(runs / name).model, [prompt], [[len(prompt) - 1]])
    torch.testing.assert_close(found[:, 1], alone[:, 0])


def test_a_model_without_layers_cannot_be_probed(runs: Path, folder: Path) -> None:
    study = prepare_probe([str(runs / "pgn")], folder, positions=60, seed=0)
    uniform = load_contenders([str(runs / "pgn")], device="cpu", with_controls=True, seed=0)[-1]
    with pytest.raises(InputError, match=r"uniform tokens .*: its layers can't be read"):
        activations(uniform, study.held_out, probe_data(study.held_out, seed=0))


@pytest.fixture(scope="module")
def probed(runs: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path, Path]:
    out = tmp_path_factory.mktemp("out")
    command = ["eval", "probe", "--model", str(runs / "pgn"), str(runs / "english"), "--games", str(folder)]
    options = ["--positions", "150", "--json", str(out / "probe.json"), "--plot", str(out / "heat.png")]
    with pytest.MonkeyPatch.context() as patch:
        # What is learned is tested elsewhere.
        patch.setattr("eval.probe_fit.MAX_STEPS", 20)
        assert main([*command, *options]) == 0
    return read_results(out / "probe.json"), out / "probe.json", out / "heat.png"


def test_every_layer_of_every_model_is_measured(probed: tuple[Results, Path, Path]) -> None:
    results, _, _ = probed
    assert (results.kind, results.games.chosen) == ("probe", 30)
    assert [model.label for model in results.models] == ["pgn", "english", "pgn untrained", "english untrained"]
    assert results.probe is not None
    assert (results.probe.train_games, results.probe.validation_games, results.probe.test_games) == (21, 3, 6)
    for label, num_layers in (("pgn", 3), ("english", 2), ("english untrained", 2)):
        for metric in PROBES.keys() - {"probe_square"}:
            details = {m.detail for m in results.measures if (m.metric, m.model) == (metric, label)}
            wanted = {*(layer_name(layer) for layer in range(num_layers)), BEST_LAYER}
            assert details == wanted | (set() if metric == "probe_material" else {MAJORITY})
            best = results.find(metric, label, detail=BEST_LAYER)
            chosen = results.find(metric, label, detail=layer_name(results.probe.best_layers[label][metric]))
            assert best is not None
            assert chosen is not None
            assert (best.value, best.n) == (chosen.value, 6)
        squares = [results.find("probe_square", label, detail=square) for square in chess.SQUARE_NAMES]
        mean = sum(square.value for square in squares if square) / 64
        layer = results.probe.best_layers[label]["probe_piece"]
        whole = results.find("probe_piece", label, detail=layer_name(layer))
        assert whole is not None
        assert mean == pytest.approx(whole.value)
    # The commonest class is the same whatever the model.
    guesses = {m.value for m in results.measures if (m.metric, m.detail) == ("probe_piece", MAJORITY)}
    assert len(guesses) == 1
    compared = {(record.model_a, record.model_b) for record in results.differences}
    assert compared == {("pgn", "english"), ("pgn", "pgn untrained"), ("english", "english untrained")}
    assert {record.detail for record in results.differences} == {BEST_LAYER}


def test_the_same_results_draw_the_same_picture(probed: tuple[Results, Path, Path]) -> None:
    results, _, picture = probed
    content = draw_probes(results, file_format="png")
    assert content == picture.read_bytes()
    assert content.startswith(b"\x89PNG")
    hostile = results.model_dump_json().replace('"pgn"', '"$pgn\\u001b_^{"')
    assert b"</svg>" in draw_probes(Results.model_validate_json(hostile), file_format="svg")


def test_only_probes_are_drawn(probed: tuple[Results, Path, Path]) -> None:
    results, _, _ = probed
    with pytest.raises(ValueError, match="no probes"):
        draw_probes(results.model_copy(update={"kind": "tactics"}), file_format="png")


def test_mistakes_get_one_line_and_leave_nothing(
    runs: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.png").write_bytes(b"")
    model, games = ("--model", str(runs / "pgn")), ("--games", str(folder))

    def fails(*arguments: str, naming: str) -> None:
        assert main(["eval", "probe", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert naming in captured.err

    fails(*games, naming="--model")
    fails(*model, *games, "--plot", str(tmp_path / "heat.gif"), naming="--plot")
    fails(*model, *games, "--plot", str(tmp_path / "there.png"), naming="--force")
    fails(*model, *games, "--positions", "20", naming="probes need 10 games")
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]


def test_an_illegal_game_is_named(runs: Path, folder: Path) -> None:
    study = prepare_probe([str(runs / "pgn")], folder, positions=60, seed=0)
    position = study.held_out.positions[0]
    broken = type(position)(Game("broken", ("e4",) * 9, "*"), 0)
    held_out = type(study.held_out)((broken, *study.held_out.positions[1:]), None, study.held_out.record)
    with pytest.raises(InputError, match="game broken isn't legal"):
        probe_data(held_out, seed=0)
