"""The log of a run, and where a run says it was made."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chesslm import run_folder, training
from chesslm.checkpoint_files import checkpoint_name, keep_newest
from chesslm.config import ValidationSection
from chesslm.errors import FormatError, InputError, OutputError
from chesslm.files import read_json, read_lines, write_json
from chesslm.metrics_log import MetricsLog
from chesslm.provenance import cpu_name, provenance, source_commit
from chesslm.run_folder import CONFIG_FILE, RunIdentity, require_same_run, writing_run
from chesslm.training import train
from chesslm.validation import loss_means, val_games


def line(kind: str, step: int) -> dict[str, Any]:
    return {"kind": kind, "step": step, "loss_nats": 0.1 + step / 3}


def test_a_log_keeps_what_came_before_a_step_and_forgets_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path, through_step=None) as log:
        assert log.last("train") is None
        for step in range(5):
            log.append(line("train", step))
        log.append(line("validation", 4))
    kept = path.read_bytes().splitlines(keepends=True)[:3]
    with MetricsLog(path, through_step=2) as log:
        assert log.last("train") == line("train", 2)
        assert log.last("validation") is None
        assert path.read_bytes() == b"".join(kept)
    with MetricsLog(path, through_step=None):
        assert list(read_lines(path)) == []


def test_a_checkpoint_finds_its_log_on_the_disk(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    write, sync = training.write_checkpoint, MetricsLog.sync
    monkeypatch.setattr(MetricsLog, "sync", lambda log: (happened.append("log"), sync(log))[1])
    monkeypatch.setattr(
        training, "write_checkpoint", lambda *args, **kwargs: (happened.append("checkpoint"), write(*args, **kwargs))[1]
    )
    train(tiny(), command=["test"], should_stop=lambda: True)
    assert happened == ["log", "checkpoint"]


@pytest.mark.parametrize("content", ['{"step": 1}\n', "[1]\n", '{"kind": "train", "step": "x"}\n'])
def test_a_log_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(FormatError, match=r"metrics\.jsonl: a line without kind or step"):
        MetricsLog(path, through_step=3)


def test_a_folder_in_the_place_of_the_log_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"can't write .*metrics\.jsonl"):
        MetricsLog(tmp_path / "metrics.jsonl", through_step=None)


def test_a_log_that_cannot_be_opened_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = Path.open

    def refuse(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if mode == "ab":
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match=r"can't write .*metrics\.jsonl: Permission denied"):
        MetricsLog(tmp_path / "metrics.jsonl", through_step=None)


def test_a_log_keeps_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path, through_step=None) as log:
        log.append({**line("train", 1), "note": "o\udcff"})
    with MetricsLog(path, through_step=1) as log:
        assert log.last("train") == {**line("train", 1), "note": "o\udcff"}


def test_a_run_that_came_before_the_lock_was_ours_is_respected(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, own = (RunIdentity(tiny(training__steps=steps), "games", "words") for steps in (2, 3))
    require_same_run(tmp_path / "run", own)

    @contextmanager
    def late_writer(folder: Path) -> Iterator[None]:
        write_json(folder / CONFIG_FILE, other.to_json())
        yield

    monkeypatch.setattr(run_folder, "one_writer", late_writer)
    says = r"holds another run: training\.steps is 2 there, 3 here"
    with pytest.raises(OutputError, match=says), writing_run(tmp_path / "run", own):
        raise AssertionError("the other's folder was taken")
    assert read_json(tmp_path / "run" / CONFIG_FILE) == other.to_json()


def test_a_checkpoint_that_cannot_be_removed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (1, 2):
        (tmp_path / "checkpoints" / checkpoint_name(step)).mkdir(parents=True)

    def refuse(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match=r"can't remove .*step_00000001: Permission denied"):
        keep_newest(tmp_path, 1)


def test_a_source_tree_has_a_commit_and_an_installed_package_has_none(tmp_path: Path) -> None:
    assert source_commit(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert source_commit(tmp_path) is None
    (tmp_path / ".git").rmdir()
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "--quiet"], [*author, "commit", "--quiet", "--allow-empty", "--message=x"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    commit = source_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40


def test_a_source_tree_with_changes_says_so(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *author, *arguments], check=True)

    tracked = tmp_path / "tracked.py"
    tracked.write_text("1\n", encoding="utf-8")
    git("init", "--quiet")
    git("add", "tracked.py")
    git("commit", "--quiet", "--message=x")
    commit = source_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "notes").touch()
    assert source_commit(tmp_path) == commit
    tracked.write_text("2\n", encoding="utf-8")
    assert source_commit(tmp_path) == f"{commit}-dirty"
    git("add", "tracked.py")
    assert source_commit(tmp_path) == f"{commit}-dirty"


def test_provenance_names_versions_command_and_machine() -> None:
    facts = provenance(["chesslm", "train"])
    assert facts["command"] == ["chesslm", "train"]
    assert facts["cpu"] == cpu_name() != ""
    assert set(facts["versions"]) >= {"chesslm", "python", "torch", "numpy", "safetensors"}


def test_a_processor_without_a_name_is_still_something(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any, **__: Any) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", nothing)
    assert cpu_name()


def test_training_needs_val_games(data: Path, tmp_path: Path) -> None:
    assert len(val_games(data / "games", ValidationSection(positions=2, loss_games=5))) == 5
    assert len(val_games(data / "games", ValidationSection(positions=999, loss_games=5))) == 7
    manifest = (data / "games" / "manifest.json").read_text(encoding="utf-8")
    (tmp_path / "manifest.json").write_text(manifest.replace("part-00000", "part-00009"), encoding="utf-8")
    with pytest.raises(InputError, match=r"part-00009\.parquet: not a readable Parquet part"):
        val_games(tmp_path, ValidationSection())
    empty = {"format": "chesslm-games/1", "parts": [], "games": 0, "games_digest": ""}
    write_json(tmp_path / "manifest.json", empty)
    with pytest.raises(InputError, match="the val split has no games"):
        val_games(tmp_path, ValidationSection())


def test_losses_are_sums_over_sums() -> None:
    class Measure:
        def __init__(self, text_nats: float, num_tokens: int, num_plies: int) -> None:
            self.text_nats, self.num_tokens, self.num_plies = text_nats, num_tokens, num_plies

    measures: Any = [Measure(6.0, 10, 3), Measure(4.0, 30, 1)]
    assert loss_means(measures) == {"num_loss_games": 2, "val_loss_nats": 0.25, "text_nats_per_move": 2.5}
