"""One run at a constant rate, many ends: branches from its checkpoints, and more steps for the run itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chesslm import cli
from chesslm.errors import ConfigError, InputError, OutputError
from chesslm.files import read_json, read_lines
from chesslm.run_folder import CONFIG_FILE
from chesslm.training import RunResult, train

STABLE: dict[str, Any] = {"optimiser__decay_share": 0.0, "training__keep_checkpoints": 20}


def tensors(folder: Path, step: int) -> dict[str, bytes]:
    checkpoint = folder / "checkpoints" / f"step_{step:08d}"
    return {path.name: path.read_bytes() for path in checkpoint.glob("*.safetensors")}


@pytest.fixture
def stem(tiny: Any) -> Path:
    """A finished run of seven steps whose rate never falls, with a checkpoint at each."""
    return train(tiny(out="stem", training__checkpoint_every=1, **STABLE), command=["test"]).folder


def branch(tiny: Any, stem: Path, step: int, **changes: Any) -> RunResult:
    source = str(stem / "checkpoints" / f"step_{step:08d}")
    values = {"training__checkpoint_every": 1, **STABLE, **changes, "run__branch_from": source}
    return train(tiny(out="branch", **values), command=["test"])


def test_a_branch_makes_the_same_steps_as_its_stem_while_the_rates_agree(tiny: Any, stem: Path) -> None:
    # Ten steps, of which the last four decay: the first of these still has the whole rate.
    done = branch(tiny, stem, 3, training__steps=10, optimiser__decay_share=0.4)
    for step in (4, 5, 6, 7):
        assert tensors(done.folder, step) == tensors(stem, step)
    lines = list(read_lines(done.folder / "metrics.jsonl"))
    assert (lines[0]["kind"], lines[0]["step"], lines[0]["games"]) == ("validation", 3, 33)
    assert [line["learning_rate"] for line in lines if line["kind"] == "train"] == pytest.approx(
        [0.01, 0.01, 0.0075, 0.0025]
    )
    assert read_json(done.folder / "run.json")["steps"] == 10


def test_a_branch_that_was_stopped_goes_on_without_its_stem(tiny: Any, stem: Path) -> None:
    whole = branch(tiny, stem, 3, training__steps=9, optimiser__decay_share=0.4)
    kept = tensors(whole.folder, 9)
    whole.folder.rename(whole.folder.with_name("whole"))
    source = str(stem / "checkpoints" / "step_00000003")
    changes = {**STABLE, "training__steps": 9, "optimiser__decay_share": 0.4, "training__checkpoint_every": 1}
    config = tiny(out="branch", run__branch_from=source, **changes)
    assert train(config, command=["test"], should_stop=lambda: True).outcome == "interrupted"
    stem.rename(stem.with_name("gone"))
    assert train(config, command=["test"]).outcome == "finished"
    assert tensors(whole.folder, 9) == kept


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"run__seed": 4}, r"branch_from .*step_00000003: run\.seed is 3 there, 4 here"),
        ({"training__games_per_step": 5}, r"training\.games_per_step is 11 there, 5 here"),
        ({"model__width": 24}, r"model\.width is 12 there, 24 here"),
        ({"data__max_games": 30}, r"data\.max_games is None there, 30 here"),
        ({"optimiser__learning_rate": 0.02}, r"optimiser\.learning_rate is 0\.01 there, 0\.02 here"),
        ({"data__notation": "english"}, r"vocabulary is [0-9a-f]{12} there, [0-9a-f]{12} here"),
        ({"training__steps": 3}, r"training\.steps is 3, but run\.branch_from .* has 3 steps already"),
        ({"training__steps": 5, "optimiser__decay_share": 0.8}, "has 3 steps, but this run's decay begins after 2"),
    ],
)
def test_what_a_branch_must_share_is_named(tiny: Any, stem: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        branch(tiny, stem, 3, **changes)
    assert not stem.with_name("branch").exists()


def test_a_checkpoint_in_the_decay_is_no_place_to_branch(tiny: Any) -> None:
    changes = {"training__checkpoint_every": 1, "training__keep_checkpoints": 9, "optimiser__decay_share": 0.5}
    decayed = train(tiny(out="decayed", **changes), command=["test"]).folder
    with pytest.raises(ConfigError, match="it has 6 steps, but its run's decay begins after 4"):
        branch(tiny, decayed, 6, training__steps=20)
    assert branch(tiny, decayed, 4, training__steps=5).outcome == "finished"


def test_a_branch_from_nothing_or_from_weights_too_is_refused(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: is no folder"):
        train(tiny(run__branch_from="nowhere"), command=["test"])
    with pytest.raises(ConfigError, match=r"give init_from .* or branch_from .*, not both"):
        tiny(run__branch_from="a", run__init_from="b")


def test_a_run_without_decay_can_be_given_more_steps(tiny: Any) -> None:
    whole = train(tiny(out="whole", training__steps=9, **STABLE), command=["test"]).folder
    train(tiny(out="run", training__steps=4, **STABLE), command=["test"])
    longer = tiny(out="run", training__steps=9, **STABLE)
    folder = train(longer, command=["test"]).folder
    assert tensors(folder, 9) == tensors(whole, 9)
    assert read_json(folder / "run.json")["steps"] == 9
    assert read_json(folder / CONFIG_FILE)["config"]["training"]["steps"] == 9
    assert train(longer, command=["test"]).outcome == "already finished"
    with pytest.raises(OutputError, match=r"training\.steps is 9 there, 4 here"):
        train(tiny(out="run", training__steps=4, **STABLE), command=["test"])


def test_a_run_that_decays_keeps_its_end(tiny: Any) -> None:
    train(tiny(training__steps=4), command=["test"])
    with pytest.raises(OutputError, match=r"training\.steps is 4 there, 9 here"):
        train(tiny(training__steps=9), command=["test"])


def test_a_run_that_is_older_than_a_setting_goes_on_with_its_default(tiny: Any) -> None:
    config = tiny(training__steps=2)
    folder = train(config, command=["test"], should_stop=lambda: True).folder
    stored = read_json(folder / CONFIG_FILE)
    del stored["config"]["training"]["parallel"]
    (folder / CONFIG_FILE).write_text(json.dumps(stored), encoding="utf-8")
    assert train(config, command=["test"]).outcome == "finished"


def test_a_dry_run_does_its_steps_and_writes_nothing(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["train", str(config_path), "--dry-run", "2", "--set", "data.max_games=1_000_000"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("2 steps done, nothing written; peak memory ")
    assert "37 games, 2 steps on cpu" in said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_end_of_a_run_says_how_much_memory_it_took(tiny: Any) -> None:
    peak = read_json(train(tiny(training__steps=1), command=["test"]).folder / "run.json")["peak_memory"]
    assert peak["process_bytes"] > 50_000_000
    assert peak["device_bytes"] is None
