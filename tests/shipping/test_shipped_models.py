"""From a trained run to a model that comes with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from chesslm import checkpoints, models_cli, shipping
from chesslm.checkpoint_files import TrainingState, read_info, write_checkpoint
from chesslm.checkpoints import fresh_model, load_model
from chesslm.config import TrainConfig, validate
from chesslm.errors import FormatError, InputError, OutputError
from chesslm.notation.registry import default_notation
from chesslm.shipping import CARD_FILE, export, list_shipped, without_folders, write_card

NOTATION = default_notation("pgn")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    values: dict[str, Any] = {
        "run": {"out": "/home/somebody/runs/tiny", "branch_from": "/home/somebody/runs/stem/checkpoints/step_3"},
        "data": {"games": "/home/somebody/data/otb", "notation": "pgn"},
        "model": {"width": 12, "depth": 1, "heads": 3, "mlp_width": 20, "context_len": 64},
        "training": {"steps": 7, "games_per_step": 11},
    }
    config = validate(TrainConfig, values, source="test")
    model = fresh_model(config.model, len(NOTATION.vocabulary), seed=1)
    return write_checkpoint(
        tmp_path / "run",
        state=TrainingState(step=7, games_seen=77, tokens_seen=1234, train_s=7200.0),
        config=config,
        notation=NOTATION,
        games_digest="d" * 64,
        provenance={"command": ["chesslm", "train", "/home/somebody/tiny.toml"], "cpu": "a CPU", "commit": "c" * 40},
        weights=model.state_dict(),
        training={},
    )


def results(digest: str) -> dict[str, Any]:
    measure = {"metric": "first_choice_legal", "subset": "all", "detail": None, "first_ply": None, "unit": "rate"}
    measure |= {"value": 0.8125, "low": 0.79, "high": 0.83, "n": 2000, "checkpoint_digest": digest}
    others = [{**measure, "checkpoint_digest": "e" * 64, "value": 0.111}, {**measure, "first_ply": 10, "value": 0.222}]
    games = {"source": "data/otb", "split": "test"}
    return {"format": "chesslm-results/1", "games": games, "measures": [measure, *others]}


def test_an_exported_model_is_the_trained_one_rounded_to_half_precision(checkpoint: Path, tmp_path: Path) -> None:
    out = export(str(checkpoint), tmp_path / "small")
    trained, shipped = load_model(checkpoint), load_model(out)
    assert (shipped.name, shipped.games_seen, shipped.tokens_seen) == ("small", 77, 1234)
    for one, other in zip(trained.model.parameters(), shipped.model.parameters(), strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one.to(torch.float16).float(), other)
    assert not (out / "training.safetensors").exists()
    assert (out / "model.safetensors").stat().st_size < 0.6 * (checkpoint / "model.safetensors").stat().st_size


def test_no_folder_of_the_machine_that_trained_is_told(checkpoint: Path, tmp_path: Path) -> None:
    out = export(str(checkpoint), tmp_path / "small")
    for path in out.iterdir():
        assert b"somebody" not in path.read_bytes()
    assert "`otb`" in (out / CARD_FILE).read_text()
    assert without_folders("x=/a/b/c.toml y=/d") == "x=c.toml y=/d"
    assert (
        without_folders("x='/a/b/c' runs/stem/step_1 x=stem/checkpoints/step_1")
        == "x='c' runs/stem/step_1 x=stem/checkpoints/step_1"
    )


def test_the_card_shows_what_was_measured_of_exactly_these_weights(checkpoint: Path, tmp_path: Path) -> None:
    out = export(str(checkpoint), tmp_path / "small")
    assert "Nothing yet." in (out / CARD_FILE).read_text()
    path = tmp_path / "legality.json"
    path.write_text(json.dumps(results(load_model(out).digest)))
    card = write_card(out, [path]).read_text()
    assert "| otb (test) | first_choice_legal | all | 81.2 % | 79.0 % – 83.0 % | 2,000 |" in card
    assert "11.1 %" not in card
    assert "22.2 %" not in card
    for fact in ("# small", "77 games", "1,234 tokens", "2.0 hours on a CPU", "GPL-3.0-or-later", "c" * 40):
        assert fact in card


def strength(digest: str) -> dict[str, Any]:
    """What `chesslm eval strength` writes, as far as a card reads it."""
    counts = {"games": 8, "wins": 1, "draws": 2, "losses": 5}
    ends = {"elo": 350.4, "low": 159.0, "high": 530.0, "bound": "interval"}
    none = {"elo": None, "low": None, "high": 812.4, "bound": "below"}
    return {
        "format": "chesslm-strength/1",
        "models": [{"label": "mine", "checkpoint_digest": digest}, {"label": "other", "checkpoint_digest": "e" * 64}],
        "players": [
            {"label": "mine lenient", "model": "mine", "policy": "lenient"},
            {"label": "mine strict", "model": "mine", "policy": "strict"},
            {"label": "other lenient", "model": "other", "policy": "lenient"},
            {"label": "random", "model": None, "policy": None},
        ],
        "ratings": [
            {"player": "mine lenient", **ends, **counts},
            {"player": "other lenient", **ends, **counts | {"games": 77}},
            {"player": "random", **ends, **counts | {"games": 78}},
            {"player": "mine strict", **none, **counts},
        ],
    }


def test_the_card_shows_the_strength_of_exactly_these_weights(checkpoint: Path, tmp_path: Path) -> None:
    out = export(str(checkpoint), tmp_path / "small")
    path = tmp_path / "strength.json"
    path.write_text(json.dumps(strength(load_model(out).digest)))
    card = write_card(out, [path]).read_text()
    assert "| lenient | 350 | 159 – 530 | 8 | 1 | 2 | 5 |" in card
    assert "| strict | – | < 812 | 8 | 1 | 2 | 5 |" in card
    assert "77" not in card.split("## Measured")[1]
    path.write_text(json.dumps(strength("f" * 64)))
    with pytest.raises(FormatError, match=r"strength\.json: has no numbers of the model"):
        write_card(out, [path])


def test_the_card_shows_parts_and_numbers_without_an_interval(checkpoint: Path, tmp_path: Path) -> None:
    out = export(str(checkpoint), tmp_path / "small")
    content = results(load_model(out).digest)
    template = next(each for each in content["measures"] if each["checkpoint_digest"] == load_model(out).digest)
    content["measures"] = [
        {**template, "metric": "probe_piece", "detail": "best layer"},
        {**template, "metric": "probe_piece", "detail": "layer 3", "value": 0.333},
        {**template, "metric": "error_kind", "detail": "null move", "value": 0.444},
        {**template, "metric": "move_nats", "detail": None, "unit": "nats", "low": None, "high": None, "value": 2.5},
    ]
    path = tmp_path / "probe.json"
    path.write_text(json.dumps(content))
    card = write_card(out, [path]).read_text()
    assert "| probe_piece | all, best layer | 81.2 % | 79.0 % – 83.0 % |" in card
    assert "| move_nats | all | 2.500 | – |" in card
    assert "33.3 %" not in card
    assert "44.4 %" not in card


def test_the_card_tells_what_the_first_weights_had_seen(checkpoint: Path, tmp_path: Path) -> None:
    path = checkpoint / "checkpoint.json"
    content = json.loads(path.read_text())
    content["provenance"]["commit"] = None
    content["provenance"]["ancestors"] = [
        {
            "model": "/home/somebody/older",
            "model_sha256": "d" * 64,
            "games_seen": 23,
            "tokens_seen": 66,
            "train_s": 3600,
        }
    ]
    path.write_text(json.dumps(content))
    card = (export(str(checkpoint), tmp_path / "small") / CARD_FILE).read_text()
    assert "`older` (`dddddddddddddddd`): 23 games, 66 tokens, 1.0 hours" in card
    assert "In all 100 games, 1,300 tokens, 3.0 hours" in card
    assert "at no recorded commit" in card


def test_numbers_of_other_weights_and_other_files_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    out = export(str(checkpoint), tmp_path / "small")
    path = tmp_path / "legality.json"
    path.write_text(json.dumps(results("f" * 64)))
    with pytest.raises(FormatError, match=r"legality\.json: has no numbers of the model"):
        write_card(out, [path])
    path.write_text("[]")
    with pytest.raises(FormatError, match=r"legality\.json: expected chesslm-results/1"):
        write_card(out, [path])


def test_nothing_is_overwritten_and_nothing_half_done_is_left(checkpoint: Path, tmp_path: Path) -> None:
    out = export(str(checkpoint), tmp_path / "small")
    with pytest.raises(OutputError, match="exists already"):
        export(str(checkpoint), out)
    with pytest.raises(InputError, match="is no folder"):
        export(str(tmp_path / "missing"), tmp_path / "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't write"):
        export(str(checkpoint), tmp_path / "file" / "model")
    assert {path.name for path in tmp_path.iterdir()} == {"run", "small", "file"}


def test_weights_that_half_precision_cant_hold_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    loaded = load_model(checkpoint)
    weights = {name: tensor * 1e9 for name, tensor in loaded.model.state_dict().items()}
    large = write_checkpoint(
        tmp_path / "large",
        state=read_info(checkpoint).state,
        config=loaded.config,
        notation=NOTATION,
        games_digest="",
        provenance={},
        weights=weights,
        training={},
    )
    with pytest.raises(FormatError, match="half precision can't hold"):
        export(str(large), tmp_path / "out")


def test_the_command_lists_exports_and_writes_cards(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner()
    shipped = tmp_path / "models"
    for module in (checkpoints, shipping):
        monkeypatch.setattr(module, "SHIPPED_FOLDER", shipped)
    assert "No models are shipped" in run.invoke(models_cli.app).output
    done = run.invoke(models_cli.app, ["export", str(checkpoint), "--out", str(shipped / "small")])
    assert (done.exit_code, done.output.count("written")) == (0, 1)
    assert "written" in run.invoke(models_cli.app, ["card", str(shipped / "small")]).output
    assert [(model.name, model.notation, model.games_seen) for model in list_shipped()] == [("small", "pgn", 77)]
    assert "small  pgn" in run.invoke(models_cli.app).output
    assert load_model("small").name == "small"
