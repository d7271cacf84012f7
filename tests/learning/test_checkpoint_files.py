"""From a name or a path to a model, and every way in which that fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from chesslm import checkpoints
from chesslm.checkpoint_files import list_checkpoints, read_info
from chesslm.checkpoints import find_checkpoint, latest_checkpoint, load_model, shipped_models, untrained
from chesslm.errors import FormatError, InputError
from chesslm.files import sha256_file
from chesslm.training import train


@pytest.fixture
def run(tiny: Any) -> Path:
    return train(tiny(training__steps=4), command=["chesslm", "train", "tiny.toml"]).folder


@pytest.fixture
def checkpoint(run: Path) -> Path:
    return run / "checkpoints" / "step_00000004"


def test_a_run_a_checkpoint_and_a_shipped_name_all_lead_to_a_model(
    run: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "models"
    shutil.copytree(checkpoint, shipped / "tiny-pgn", ignore=shutil.ignore_patterns("training.safetensors"))
    monkeypatch.setattr(checkpoints, "SHIPPED_FOLDER", shipped)
    assert shipped_models() == ["tiny-pgn"]
    loaded = [load_model(what) for what in (run, str(checkpoint), "tiny-pgn")]
    assert [model.name for model in loaded] == ["run", "run", "tiny-pgn"]
    assert load_model(run / "checkpoints" / "step_00000003").name == "run/step_00000003"
    digests = {model.digest for model in loaded}
    assert digests == {sha256_file(checkpoint / "model.safetensors")}
    tokens = torch.tensor([[0, 5, 9]])
    logits = [model.model(tokens) for model in loaded]
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(logits[0], logits[2])


def test_a_loaded_model_says_what_it_is(run: Path, tiny: Any) -> None:
    loaded = load_model(run, device="cpu")
    assert (loaded.step, loaded.games_seen) == (4, 44)
    assert loaded.tokens_seen > 1000
    assert loaded.train_seconds > 0
    assert loaded.config == tiny(training__steps=4)
    assert loaded.notation.name == "pgn"
    assert not loaded.model.training
    assert loaded.provenance["command"] == ["chesslm", "train", "tiny.toml"]
    assert {"torch", "python", "chesslm"} <= set(loaded.provenance["versions"])
    assert loaded.provenance["cpu"]


def test_the_control_has_the_first_weights_of_its_seed(run: Path) -> None:
    loaded = load_model(run)
    control, again = untrained(loaded), untrained(loaded)
    assert control.name == "run untrained"
    assert control.digest == f"untrained:{loaded.digest}"
    assert (control.step, control.games_seen, control.tokens_seen, control.train_seconds) == (0, 0, 0, 0.0)
    assert torch.equal(control.model.embedding.weight, again.model.embedding.weight)
    assert not torch.equal(control.model.embedding.weight, loaded.model.embedding.weight)


def test_a_run_that_is_still_training_means_its_newest_checkpoint(run: Path) -> None:
    (run / "run.json").unlink()
    assert [path.name for path in list_checkpoints(run)] == ["step_00000003", "step_00000004"]
    assert latest_checkpoint(run) == find_checkpoint(run) == run / "checkpoints" / "step_00000004"
    assert load_model(run).name == "run/step_00000004"


def test_an_unknown_name_lists_the_shipped_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SHIPPED_FOLDER", tmp_path / "models")
    with pytest.raises(InputError, match=r"gpt: is no folder, and no model of that name is shipped \(shipped: none\)"):
        load_model("gpt")
    for name in ("small-pgn", "small-english"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "checkpoint.json").write_text("{}")
    with pytest.raises(InputError, match=r"\(shipped: small-english, small-pgn\)"):
        load_model("gpt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no checkpoint"):
        load_model(tmp_path / "empty")


@pytest.mark.parametrize("cut", [0, 5, 200])
def test_weights_that_are_cut_short_are_refused(checkpoint: Path, cut: int) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[: cut - 1 if cut else 0])
    with pytest.raises(InputError, match=r"model\.safetensors: not a readable file of tensors"):
        load_model(checkpoint)


def test_changed_and_missing_files_are_refused(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"model\.safetensors: its sha256 is"):
        load_model(checkpoint)
    path.unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: not a readable file of tensors: No such file"):
        load_model(checkpoint)
    path.write_bytes((checkpoint / "training.safetensors").read_bytes())
    with pytest.raises(FormatError, match=r"expected chesslm-weights/1, found 'chesslm-training/1'"):
        load_model(checkpoint)
    (checkpoint / "vocabulary.json").unlink()
    with pytest.raises(FormatError, match=r"no vocabulary\.json"):
        load_model(checkpoint)


def test_a_vocabulary_that_the_weights_do_not_belong_to_is_refused(checkpoint: Path) -> None:
    # Computed vocabularies can't be swapped at all, so it is the checkpoint that names another one.
    info = checkpoint / "checkpoint.json"
    content = json.loads(info.read_text(encoding="utf-8"))
    right, content["vocabulary_fingerprint"] = content["vocabulary_fingerprint"], "f" * 64
    info.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FormatError, match=f"vocabulary is {right[:12]}, but its weights belong to ffffffffffff"):
        load_model(checkpoint)


def test_weights_of_another_shape_are_refused(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    weights = load_file(path)
    weights["norm.weight"] = torch.ones(5)
    save_file(weights, path, metadata={"format": "chesslm-weights/1"})
    info = checkpoint / "checkpoint.json"
    content = json.loads(info.read_text(encoding="utf-8"))
    content["model_sha256"] = sha256_file(path)
    info.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FormatError, match=r"weight norm\.weight is \(5,\) .* but the model's is \(12,\)"):
        load_model(checkpoint)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "chesslm-checkpoint/9"}, "expected chesslm-checkpoint/1, found 'chesslm-checkpoint/9'"),
        ({"config": {"run": {}}}, "not a usable checkpoint"),
        ({"step": None}, "not a usable checkpoint"),
    ],
)
def test_a_checkpoint_of_another_format_is_refused(checkpoint: Path, change: dict[str, Any], says: str) -> None:
    path = checkpoint / "checkpoint.json"
    content = {**json.loads(path.read_text(encoding="utf-8")), **change}
    content = {key: value for key, value in content.items() if value is not None}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(FormatError, match=says):
        read_info(checkpoint)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(FormatError, match="found 'list'"):
        read_info(checkpoint)


def test_a_run_file_of_another_kind_is_refused(run: Path) -> None:
    (run / "run.json").write_text('{"format": "else"}', encoding="utf-8")
    with pytest.raises(FormatError, match=r"run\.json: expected chesslm-run/1, found 'else'"):
        load_model(run)


def test_equal_weights_are_equal_bytes_that_all_may_read(run: Path, tiny: Any) -> None:
    again = train(tiny(out="again", training__steps=4), command=["other"])
    one, other = run / "checkpoints" / "step_00000004" / "model.safetensors", again.checkpoint / "model.safetensors"
    assert one.read_bytes() == other.read_bytes()
    assert one.stat().st_mode == (one.parent / "vocabulary.json").stat().st_mode
