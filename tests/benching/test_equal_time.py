"""Quality at equal wall time: both loops end with the clock, and both sides are judged on the same positions."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chess
import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from benchmarks import equal_time, equal_time_sides
from benchmarks.equal_time import train_sides
from benchmarks.equal_time_char import CHARACTERS, CharSettings, save_peer, train_peer, write_text, written
from benchmarks.equal_time_sides import train_ours
from chesslm.cli import main as chesslm
from chesslm.config import TrainConfig, load_config
from chesslm.errors import InputError
from chesslm.game import Game
from chesslm.hugging_face import load_hugging_face
from chesslm.inference import measure_games
from chesslm.notation.text_template import TextTemplate

CONFIG = Path(__file__).resolve().parents[2] / "configs/shipped-pgn.toml"
TINY = ["model.width=16", "model.depth=1", "model.heads=2", "model.mlp_width=24", "model.context_len=256"]
TINY += ["training.games_per_step=4", "training.compile=false", "training.dtype=float32"]
PEER = CharSettings(width=16, depth=1, heads=2, mlp_width=36, block=256, rows=2)


class Clock:
    """Goes on by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture(autouse=True)
def quiet_torch() -> Iterator[None]:
    """Training sets process-wide switches; the next test finds none of it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder of random games."""
    folder = tmp_path_factory.mktemp("equal-time")
    generator, texts = random.Random(3), []
    for number in range(60):
        board = chess.Board()
        words: list[str] = []
        while len(words) < 24 and not board.is_game_over():
            move = generator.choice(sorted(board.legal_moves, key=chess.Move.uci))
            words.append(board.san(move))
            board.push(move)
        texts.append(f'[Site "game{number}"]\n[Result "1-0"]\n\n{" ".join(words)} 1-0\n')
    (folder / "games.pgn").write_text("\n".join(texts), encoding="utf-8")
    shares = ["--set", "split.test_per_10000=3000", "--set", "split.val_per_10000=1500"]
    arguments = ["data", "prepare", str(folder / "games.pgn"), "--out", str(folder / "data"), "--notation", "pgn"]
    assert chesslm([*arguments, *shares]) == 0
    return folder / "data"


def ours(data: Path, *more: str) -> TrainConfig:
    return load_config(TrainConfig, CONFIG, [f"data.games={data}", "training.threads=1", *TINY, *more])


def test_the_text_is_what_the_peer_is_asked_in(data: Path, tmp_path: Path) -> None:
    game = Game("", ("e4", "e5", "Qh5", "Nc6", "Bc4", "Nf6", "Qxf7#"), "1-0")
    assert written(game) == TextTemplate(text="pgn", prefix="\n").written(game.san) + " 1-0"
    num_games, num_characters = write_text(data, tmp_path / "text")
    ids = (tmp_path / "text").read_bytes()
    assert len(ids) == num_characters
    assert ids.count(CHARACTERS.index("\n")) == num_games
    assert write_text(data, tmp_path / "less", max_characters=100)[0] == 1


def test_the_peer_ends_with_the_clock_and_is_judged_as_it_was_trained(data: Path, tmp_path: Path) -> None:
    write_text(data, tmp_path / "text")
    model, done = train_peer(PEER, tmp_path / "text", deadline=12.0, clock=Clock())
    # Asked at 1, after each step; a step takes a second, and the last one must end before 12.
    assert (done.steps, done.characters) == (10, 10 * 2 * 256)
    assert done.loss_nats < 4.0
    save_peer(model, tmp_path / "peer")
    loaded = load_hugging_face(f"hf:{tmp_path / 'peer'}", device="cpu")
    game = Game("", ("e4", "e5", "Nf3"), "1-0")
    ids = torch.tensor([[CHARACTERS.index(character) for character in "\n1. e4 e5 2. Nf3"]])
    with torch.no_grad():
        nats = float(model.eval()(ids, labels=ids).loss) * (ids.shape[1] - 1)
    (measure,) = measure_games(loaded.model, loaded.notation, [game])
    assert measure.text_nats == pytest.approx(nats, rel=1e-4)


def test_the_peer_may_be_given_bfloat16(data: Path, tmp_path: Path) -> None:
    write_text(data, tmp_path / "text")
    settings = CharSettings(width=16, depth=1, heads=2, mlp_width=36, block=256, rows=2, dtype="bfloat16")
    assert train_peer(settings, tmp_path / "text", deadline=3.0, clock=Clock())[1].loss_nats < 4.0


def test_games_shorter_than_a_block_are_refused(data: Path, tmp_path: Path) -> None:
    write_text(data, tmp_path / "text", max_characters=100)
    with pytest.raises(InputError, match="fewer than a block of 256"):
        train_peer(PEER, tmp_path / "text", deadline=3.0)


def test_our_run_turns_to_its_decay_and_ends_with_the_clock(data: Path, tmp_path: Path) -> None:
    clock = Clock()
    done = train_ours(ours(data), tmp_path, began=0.0, deadline=100.0, command=["test"], clock=clock)
    assert done.decay_from < done.steps <= done.steps_planned
    assert clock.now == pytest.approx(100, abs=12)
    log = [json.loads(line) for line in (tmp_path / "ours/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    rates = [line["learning_rate"] for line in log if line["kind"] == "train"]
    assert rates[-1] < 3e-3
    assert done.games == 4 * done.steps


def test_a_late_start_still_gives_a_model(data: Path, tmp_path: Path) -> None:
    done = train_ours(ours(data), tmp_path, began=0.0, deadline=0.0, command=["test"])
    assert (done.decay_from, done.steps, done.steps_planned) == (8, 9, 9)


class InThisProcess:
    """Stands for a side's process."""

    def __init__(self, job: dict[str, Any], folder: Path, minutes: float) -> None:
        self._job = {**job, "began": 0.0, "deadline": 0.0, "minutes": minutes}

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def result(self) -> dict[str, Any]:
        return equal_time_sides.run(self._job)


def command(data: Path, out: Path, *more: str) -> Result:
    app = typer.Typer()
    app.command()(equal_time.main)
    settings = [part for value in TINY for part in ("--set", value)]
    fixed = ["--out", str(out), "--threads", "1", "--minutes", "1", "--peer-block", "256", "--positions", "8"]
    return CliRunner().invoke(app, [str(data), *fixed, *settings, *more])


def test_both_are_judged_on_the_same_positions(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equal_time, "_Side", InThisProcess)
    result = command(data, tmp_path)
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "equal_time.json").read_text(encoding="utf-8"))
    assert record["format"] == equal_time.FORMAT
    gaps = {(gap["metric"], gap["subset"]): gap for gap in record["results"]["differences"]}
    values = {(m["model"], m["metric"], m["subset"]): m["value"] for m in record["results"]["measures"]}
    gap = gaps["move_nats", "all"]
    one, other = (values[gap[key], "move_nats", "all"] for key in ("model_a", "model_b"))
    assert gap["n"] == 8
    assert gap["value"] == pytest.approx(one - other)
    assert record["move_nats_lower_by"]["value"] == pytest.approx(1 - one / other)
    said = (tmp_path / "equal_time.md").read_text(encoding="utf-8")
    assert "ours went over its time" in said
    assert "| first_choice_legal | all | 8 |" in said
    again = command(data, tmp_path)
    assert again.exit_code == 2
    assert "exists already" in again.output


def test_ctrl_c_leaves_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(equal_time, "train_sides", interrupted)
    result = command(data, tmp_path / "out")
    assert result.exit_code == 130
    assert "interrupted" in result.output
    assert not list((tmp_path / "out").glob("*"))


def test_mistakes_are_one_line(data: Path, tmp_path: Path) -> None:
    assert "no games folder" in command(tmp_path, tmp_path / "out").output
    result = command(data, tmp_path / "out", "--set", "data.notation=uci")
    assert result.exit_code == 2
    assert "data.notation uci" in result.output
    assert not (tmp_path / "out").exists()


def test_a_side_that_fails_says_why(data: Path, tmp_path: Path) -> None:
    told = equal_time.jobs(
        ours(data, "data.max_games=9999"),
        PEER,
        folder=tmp_path / "models",
        text=tmp_path / "none",
        threads=1,
        cores=([], []),
    )
    with pytest.raises(InputError, match=r"ours: .*9999"):
        train_sides({"ours": told["ours"]}, tmp_path, minutes=0.01, together=False)
    assert not (tmp_path / "models").exists()
