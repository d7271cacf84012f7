"""Clocks and evaluations, ply by ply, as python-chess reads them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess.engine
import chess.pgn
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chesslm.game_files import MATE_CP, MAX_CP, SCHEMA
from data_prep.annotation_kernel import read_comments, read_comments_interpreted
from data_prep.blocks import GameBlock
from data_prep.config import ColumnsSection, PrepareConfig
from data_prep.replay_block import replay_block
from data_prep.rows import SourceBlock, make_rows

SANS = ("e4", "e5", "Nf3", "Nc6", "Bb5", "a6", "Ba4", "Nf6")
BOTH = ColumnsSection(clocks=True, evals=True)
COMMENTS = st.sampled_from(
    [
        "[%clk 0:03:00]",
        "[%clk 1:59:58.7]",
        "[%clk 0:00:05.] and words",
        "[%clk 0:00]",
        "[%clk 0:00:1 ]",
        "[%clk  0:00:01]",
        "[%clk 12:00:01",
        "x[%clk 0:00:09] [%clk 0:00:08]",
        "[%eval 0.17]",
        "[%eval -1.2] [%clk 0:00:41]",
        "[%eval +3]",
        "[%eval 3.]",
        "[%eval .5]",
        "[%eval 1.234]",
        "[%eval #3]",
        "[%eval #-12]",
        "[%eval #0]",
        "[%eval #]",
        "[%eval 0.3,18]",
        "[%eval 0.3,]",
        "[%eval 12345678901.0]",
        "[%eval 9876.5]",
        "[%evals 1.0] [%eval\t-0.05]",
        "[%emt 0:00:01]",
        "words",
        "",
    ]
)
BETWEEN = st.one_of(
    COMMENTS.map(lambda comment: f"{{ {comment} }}"),
    COMMENTS.map(lambda comment: f"{{{comment}}} $4"),
    COMMENTS.map(lambda comment: f"(SHORT {{ {comment} }} (LONG {{)}}))"),
    COMMENTS.map(lambda comment: f"; {comment}\n"),
    st.sampled_from(["!", "$7", ""]),
)


def expected_of(movetext: str) -> tuple[list[float | None], list[int | None]]:
    """What python-chess reads of every ply."""
    game = chess.pgn.read_game(io.StringIO(f'[Event "?"]\n\n{movetext}\n'))
    assert game is not None
    clocks, evals = [], []
    for node in game.mainline():
        clocks.append(node.clock())
        score = node.eval()
        evals.append(None if score is None else centipawns(score.white()))
    return clocks, evals


def centipawns(score: chess.engine.Score) -> int:
    if not score.is_mate():
        return max(-MAX_CP, min(MAX_CP, score.score() or 0))
    moves = score.mate() or 0
    is_white = moves > 0 or score == chess.engine.MateGiven
    return (1 if is_white else -1) * (MATE_CP - abs(moves))


def movetext_of(between: list[list[str]]) -> str:
    words = []
    for ply, (san, parts) in enumerate(zip(SANS, between, strict=False)):
        words += [f"{ply // 2 + 1}{'...' if ply % 2 else '.'} {san}", *parts]
        short, long = ("h6", "h5") if ply % 2 else ("h3", "h4")  # legal everywhere here
        words = [word.replace("SHORT", short).replace("LONG", long) for word in words]
    return " ".join([*words, "1-0"])


@settings(deadline=None, max_examples=250)
@given(st.lists(st.lists(BETWEEN, max_size=3), min_size=2, max_size=len(SANS)))
@example([["{ [%eval #0] }"], ["{ [%eval #0] }"]])
def test_every_ply_has_what_python_chess_reads(between: list[list[str]]) -> None:
    movetext = movetext_of(between)
    text = f'[Event "?"]\n\n{movetext}\n'.encode()
    config = PrepareConfig(columns=BOTH)
    (row,) = make_rows(SourceBlock(GameBlock(text, 0, len(text)), "x.pgn"), config).rows.to_pylist()
    clocks, evals = expected_of(movetext)
    assert row["san"] == list(SANS[: len(between)])
    assert row["clock_s"] == [None if clock is None else pytest.approx(clock) for clock in clocks]
    assert row["eval_cp"] == evals


def test_the_kernel_as_python_runs_it_reads_the_same() -> None:
    generator = random.Random(5)
    pieces = [
        "{ [%clk 0:01:02.5] [%eval -0.31] }",
        "{ [%eval #-4] }",
        "(1. a3 {[%clk 0:00:01]})",
        "; x\n",
        "$1",
        "{[%eval x]}",
    ]
    texts = [movetext_of([generator.sample(pieces, 2) for _ in SANS]).encode() for _ in range(6)]
    block = replay_block(texts)
    found = []
    for read in (read_comments, read_comments_interpreted):
        num_plies = len(block.moves)
        arrays = (np.zeros(num_plies, np.float32), np.zeros(num_plies, np.int32), *np.zeros((2, num_plies), np.bool_))
        text = np.frombuffer(block.text, np.uint8)
        read(text, block.word_ends, block.ply_offsets.astype(np.int64), block.ends, *arrays)
        found.append([array.tolist() for array in arrays])
    assert found[0] == found[1]
    assert any(found[0][2])
    assert any(found[0][3])


def test_columns_are_there_when_asked_for(run: Callable[..., Any], tmp_path: Path, pgn: Path) -> None:
    for name, wanted in (("none", []), ("clock_s", ["columns.clocks=true"]), ("eval_cp", ["columns.evals=true"])):
        settings = [argument for setting in ["data.workers=1", *wanted] for argument in ("--set", setting)]
        assert run("prepare", pgn, "--out", tmp_path / name, "--notation", "pgn", *settings).code == 0
        table = pq.read_table(tmp_path / name / "games/part-00000.parquet")
        assert table.schema.names == [*SCHEMA.names, *([name] * bool(wanted))]
        assert run("verify", tmp_path / name, "--workers", 1).code == 0
    rows = pq.read_table(tmp_path / "clock_s/games/part-00000.parquet").to_pylist()
    assert all(len(row["clock_s"]) == len(row["san"]) for row in rows)
    values = {clock for row in rows for clock in row["clock_s"]}
    assert values == {60.0, None}  # every third of these games has clocks


def test_columns_line_up_where_games_are_dropped() -> None:
    games = [
        b'[White "a"]\n\n1. e4 { [%clk 0:00:01] } 1-0\n\n',
        b'[White "b"]\n\n1. e4 { [%clk 0:00:02] } e4 { [%clk 0:00:03] } 1-0\n\n',
        b'[White "c"]\n\n1. e4 { [%clk 0:00:04] } e5 { [%clk 0:00:05] } 1-0\n\n',
    ]
    text = b"".join(games)
    rows = make_rows(SourceBlock(GameBlock(text, 0, len(text)), "x"), PrepareConfig(columns=BOTH)).rows.to_pylist()
    assert [(row["clock_s"], row["eval_cp"]) for row in rows] == [([4.0, 5.0], [None, None])]
