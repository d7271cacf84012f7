"""What a run writes, what it refuses, and what it leaves behind when it can't go on."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from chesslm import training
from chesslm.checkpoint_files import read_info
from chesslm.checkpoints import fresh_model, load_model, untrained
from chesslm.errors import ConfigError, FormatError, InputError, OutputError, TrainingError
from chesslm.files import one_writer, read_json, read_lines
from chesslm.game_files import smallest_hash_games
from chesslm.inference import measure_games
from chesslm.training import train
from chesslm.training_watcher import RunOutline, Watcher
from chesslm.validation import Validator


def lines_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in read_lines(folder / "metrics.jsonl") if line["kind"] == kind]


def test_a_run_writes_its_log_its_configuration_and_its_totals(tiny: Any, data: Path, tmp_path: Path) -> None:
    config = tiny()
    result = train(config, command=["chesslm", "train"])
    assert result.outcome == "finished"
    training, validations = lines_of(result.folder, "train"), lines_of(result.folder, "validation")
    assert [line["step"] for line in training] == [2, 4, 6, 7]
    assert [line["step"] for line in validations] == [0, 4, 7]
    assert [line["games"] for line in training] == [22, 44, 66, 77]
    assert [line["learning_rate"] for line in training] == pytest.approx([0.01, 0.01, 0.01, 0.005])
    assert training[-1]["loss_nats"] < training[0]["loss_nats"]
    assert all(line["grad_norm"] > 0 and line["tokens_per_s"] > 0 for line in training)
    run = read_json(result.folder / "run.json")
    assert run["final_checkpoint"] == "checkpoints/step_00000007"
    assert (run["games_seen"], run["tokens_seen"]) == (77, training[-1]["tokens"])
    assert run["epochs"] == pytest.approx(77 / 37)
    assert run["validation"] == validations[-1]
    stored = read_json(result.folder / "config.json")
    assert stored["digest"] == config.digest()
    assert stored["config"]["data"]["notation"] == "pgn"
    assert sorted(path.name for path in result.checkpoint.parent.iterdir()) == ["step_00000006", "step_00000007"]


def test_the_first_validation_is_of_the_untrained_model(tiny: Any, data: Path) -> None:
    config = tiny()
    folder = train(config, command=["test"]).folder
    control = untrained(load_model(folder, device="cpu"))
    games = smallest_hash_games(data / "games", "val", 3)
    values = Validator(config.validation, games, control.notation, context_len=331).measure(control.model)
    line = lines_of(folder, "validation")[0]
    assert {key: line[key] for key in values} == pytest.approx(values)
    assert line["first_choice_legal"] == 0.0
    measures = measure_games(control.model, control.notation, games[:2])
    nats = sum(measure.text_nats for measure in measures)
    assert line["text_nats_per_move"] == pytest.approx(nats / sum(measure.num_plies for measure in measures))
    assert line["val_loss_nats"] == pytest.approx(nats / sum(measure.num_tokens for measure in measures))


def test_the_watcher_is_told_everything_in_order(tiny: Any) -> None:
    told: list[str] = []

    class Scribe(Watcher):
        def began(self, outline: RunOutline) -> None:
            told.append(f"began {outline.num_games} {outline.steps} {outline.from_step} {outline.device}")

        def trained(self, state: Any, loss_nats: float) -> None:
            told.append(f"trained {state.step}")

        def validating(self) -> None:
            told.append("validating")

        def validated(self, line: dict[str, Any]) -> None:
            told.append(f"validated {line['step']}")

        def saved(self, folder: Path) -> None:
            told.append(f"saved {folder.name}")

    train(tiny(training__steps=2, training__checkpoint_every=1), command=["test"], watcher=Scribe())
    assert told == [
        "began 37 2 0 cpu",
        *("validating", "validated 0"),
        *("trained 1", "saved step_00000001"),
        *("trained 2", "validating", "validated 2", "saved step_00000002"),
    ]


def test_english_trains_on_the_same_games_and_bfloat16_trains_too(tiny: Any) -> None:
    pgn = train(tiny(out="pgn", training__steps=2), command=["test"]).folder
    changes = {"data__notation": "english", "training__steps": 2, "training__dtype": "bfloat16"}
    english = train(tiny(out="english", **changes), command=["test"]).folder
    counts = [read_json(folder / "run.json") for folder in (pgn, english)]
    assert counts[0]["games_seen"] == counts[1]["games_seen"]
    assert counts[0]["num_params"]["trunk"] == counts[1]["num_params"]["trunk"]
    assert lines_of(english, "train")[-1]["loss_nats"] < 7


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's compiler looks at all
def test_a_compiled_run_learns_and_validates_as_an_eager_one(tiny: Any) -> None:
    eager = train(tiny(out="eager", training__steps=2), command=["test"]).folder
    compiled = train(tiny(out="compiled", training__steps=2, training__compile=True), command=["test"]).folder
    for kind, key in (("train", "loss_nats"), ("validation", "val_loss_nats"), ("validation", "legal_mass")):
        for one, other in zip(lines_of(eager, kind), lines_of(compiled, kind), strict=True):
            assert other[key] == pytest.approx(one[key], rel=1e-4)


def test_another_configuration_in_the_folder_is_refused_by_its_first_key(tiny: Any) -> None:
    folder = train(tiny(training__steps=1), command=["test"]).folder
    before = (folder / "config.json").read_bytes()
    with pytest.raises(OutputError, match=r"optimiser\.learning_rate is 0\.01 there, 0\.02 here"):
        train(tiny(training__steps=1, optimiser__learning_rate=0.02), command=["test"])
    assert (folder / "config.json").read_bytes() == before


def test_a_moved_run_is_the_same_run(tiny: Any, tmp_path: Path) -> None:
    folder = train(tiny(training__steps=1), command=["test"]).folder
    folder.rename(tmp_path / "moved")
    assert train(tiny(out="moved", training__steps=1), command=["test"]).outcome == "already finished"


def test_other_games_in_the_data_folder_are_refused(tiny: Any, data: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(data, copied)
    config = tiny(training__steps=1, data__games=str(copied))
    train(config, command=["test"])
    manifest = copied / "games" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"games_digest": "', '"games_digest": "0'))
    with pytest.raises(OutputError, match="games_digest is"):
        train(config, command=["test"])
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FormatError, match="but the games folder is 0"):
        train(config, command=["test"])
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_left_alone(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    with pytest.raises(OutputError, match=r"exists and is no run \(it holds thesis\.tex\)"):
        train(tiny(), command=["test"])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"can't use .*file as run\.out"):
        train(tiny(out="file"), command=["test"])
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "config.json").write_text('{"format": "else"}')
    with pytest.raises(FormatError, match="expected chesslm-run-config/1, found 'else'"):
        train(tiny(out="odd"), command=["test"])
    (tmp_path / "odd" / "config.json").write_text('{"format": "chesslm-run-config/1", "config": 3}')
    with pytest.raises(FormatError, match="no configuration of a run"):
        train(tiny(out="odd"), command=["test"])


def test_one_run_has_one_writer(tiny: Any, tmp_path: Path) -> None:
    with one_writer(tmp_path / "run"), pytest.raises(OutputError, match="being written by another process"):
        train(tiny(), command=["test"])


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({"data__games": "nowhere"}, InputError, "nowhere: no games folder"),
        ({"data__notation": "english_varied"}, InputError, "prepared notations: english, pgn"),
        ({"data__max_games": 1000}, ConfigError, r"data\.max_games is 1000"),
        ({"model__context_len": 9}, ConfigError, r"model\.context_len is 9, but the longest train game has"),
        ({"training__tokens_per_micro_batch": 9}, ConfigError, r"training\.tokens_per_micro_batch is 9"),
        ({"run__init_from": "nowhere"}, InputError, "nowhere: is no folder, and no model of that name is shipped"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(
    tiny: Any, tmp_path: Path, changes: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        train(tiny(**changes), command=["test"])
    assert not (tmp_path / "run").exists()


def test_a_val_game_beyond_the_context_is_refused(tiny: Any, data: Path) -> None:
    config = tiny()
    notation = load_model(train(tiny(training__steps=1), command=["test"]).folder).notation
    games = smallest_hash_games(data / "games", "val", 3)
    with pytest.raises(ConfigError, match=r"model\.context_len is 20, but val game game\d+ has \d+ tokens"):
        Validator(config.validation, games, notation, context_len=20)


def test_a_device_that_is_not_there_is_refused(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch finds no CUDA device"):
        train(tiny(training__device="cuda"), command=["test"])


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(tiny: Any) -> None:
    config = tiny(
        optimiser__learning_rate=1e37, optimiser__warmup_steps=4, training__checkpoint_every=1, optimiser__eps=1e-30
    )
    with pytest.raises(TrainingError, match=r"step \d gave a loss of .*newest checkpoint is .*step_0000000\d"):
        train(config, command=["test"])
    assert load_model(config.run.out).step >= 1
    assert not (Path(config.run.out) / "run.json").exists()


@contextmanager
def no_room_beyond(num_bytes: int) -> Iterator[None]:
    """Writing a file beyond this size fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [20_000, 40_000])
def test_no_room_on_the_disk_is_an_error_that_leaves_the_last_checkpoint(tiny: Any, tmp_path: Path, room: int) -> None:
    config = tiny()

    class FullDisk(Watcher):
        """Lets the first checkpoint through; then there is room for less than a file of tensors."""

        def saved(self, folder: Path) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with no_room_beyond(1_000_000), pytest.raises(OutputError, match=r"can't write .*step_00000006.*safetensors"):
        train(config, command=["test"], watcher=FullDisk())
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step_00000003"]
    assert load_model(tmp_path / "run").step == 3
    # With room again, the run goes on.
    assert train(config, command=["test"]).outcome == "finished"


def test_a_run_that_fails_before_its_first_checkpoint_leaves_room_for_the_mended_command(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_trainer", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(config, command=["test"])
    assert not Path(config.run.out).exists()
    assert train(tiny(optimiser__weight_decay=0.05), command=["test"]).outcome == "finished"


def test_a_log_that_cannot_grow_is_an_error(tiny: Any, tmp_path: Path) -> None:
    class FullDisk(Watcher):
        def validating(self) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with no_room_beyond(1_000_000), pytest.raises(OutputError, match=r"can't write .*metrics\.jsonl"):
        train(tiny(), command=["test"], watcher=FullDisk())


def test_init_from_takes_the_weights_and_nothing_else(tiny: Any, tmp_path: Path) -> None:
    source = train(tiny(out="source", training__steps=3), command=["test"])
    config = tiny(out="next", run__init_from=str(source.folder), training__steps=1)
    lines_before = lines_of(source.folder, "validation")[-1]
    lines = lines_of(train(config, command=["test"]).folder, "validation")
    assert lines[0]["val_loss_nats"] == lines_before["val_loss_nats"]
    assert (lines[0]["step"], lines[0]["games"]) == (0, 0)


def test_a_checkpoint_names_whose_weights_it_began_with_also_after_a_stop_and_a_branch(tiny: Any) -> None:
    first = train(tiny(out="first", training__steps=3), command=["test"])
    config = tiny(out="second", run__init_from=str(first.folder), optimiser__decay_share=0.0)
    assert train(config, command=["test"], should_stop=lambda: True).outcome == "interrupted"
    second = train(config, command=["test"])
    steps = config.training.steps
    branch = tiny(out="third", run__branch_from=str(second.folder), training__steps=steps + 1, optimiser__decay_share=0)
    last = train(tiny(out="fourth", run__init_from=str(train(branch, command=["test"]).folder)), command=["test"])
    known = [info.provenance["ancestors"] for info in map(read_info, (first.checkpoint, second.checkpoint))]
    begun = read_info(first.checkpoint)
    assert known[0] == []
    assert [each["model"] for each in known[1]] == [str(first.folder)]
    assert known[1][0]["model_sha256"] == begun.model_sha256
    assert known[1][0]["games_seen"] == begun.state.games_seen > 0
    told = read_info(last.checkpoint).provenance["ancestors"]
    assert told[:-1] == known[1]
    assert Path(told[-1]["model"]).name == "third"


def test_a_run_that_has_a_checkpoint_no_longer_needs_what_it_began_from(tiny: Any, tmp_path: Path) -> None:
    source = train(tiny(out="source", training__steps=1), command=["test"]).folder
    config = tiny(out="next", run__init_from=str(source))
    assert train(config, command=["test"], should_stop=lambda: True).outcome == "interrupted"
    shutil.rmtree(source)
    assert train(config, command=["test"]).outcome == "finished"


def test_init_from_another_vocabulary_or_shape_names_both_sides(tiny: Any) -> None:
    source = train(tiny(out="source", training__steps=1), command=["test"]).folder
    with pytest.raises(FormatError, match=r"init_from .*vocabulary is [0-9a-f]{12} \(pgn\).* is [0-9a-f]{12} \(engl"):
        train(tiny(out="b", run__init_from=str(source), data__notation="english"), command=["test"])
    with pytest.raises(FormatError, match=r"blocks\.0\.mlp\.gate_up\.weight is \(40, 12\) .*model's is \(48, 12\)"):
        train(tiny(out="b", run__init_from=str(source), model__mlp_width=24), command=["test"])
    with pytest.raises(FormatError, match=r"weight blocks\.2\..* is missing"):
        train(tiny(out="b", run__init_from=str(source), model__depth=3), command=["test"])


def test_the_seed_alone_decides_the_first_weights(tiny: Any) -> None:
    shape = tiny().model
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first, again, other = (fresh_model(shape, 19, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.embedding.weight, other.embedding.weight)
