"""However little room there is for logits, the answers are the same; and what is held at once stays within it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import chess
import numpy as np
import pytest
import torch
from torch import Tensor

from chesslm import token_model
from chesslm.config import ModelSection
from chesslm.game import Game
from chesslm.inference import Position
from chesslm.model import Decoder
from chesslm.move_scores import end_masses_after
from chesslm.notation.registry import default_notation
from chesslm.token_model import DecoderTokenModel, Reading
from chesslm.token_tree import Branches
from eval.contenders import Contender
from eval.retry import take_turns
from eval.scored_texts import text_logprobs

PGN = default_notation("pgn")
VOCABULARY_LEN = len(PGN.vocabulary)


class CountingReading:
    """A reading that notes how many rows of logits it gives out at once."""

    def __init__(self, reading: Reading, counts: list[int]) -> None:
        self._reading = reading
        self._counts = counts

    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        return self._counted(self._reading.logits(rows, columns))

    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        return self._counted(self._reading.branch_logits(branches))

    def select(self, rows: Sequence[int]) -> Reading:
        return CountingReading(self._reading.select(rows), self._counts)

    def extend(self, tokens: Sequence[int]) -> Tensor:
        return self._counted(self._reading.extend(tokens))

    def _counted(self, logits: Tensor) -> Tensor:
        self._counts.append(len(logits))
        return logits


class CountingModel:
    """A small network; `counts` has the rows of logits of every answer."""

    def __init__(self) -> None:
        torch.manual_seed(7)
        section = ModelSection(width=16, depth=1, heads=2, mlp_width=24, context_len=200)
        self._model = DecoderTokenModel(Decoder(section, VOCABULARY_LEN).eval())
        self.context_len = self._model.context_len
        self.counts: list[int] = []

    def read(self, prompts: Sequence[Sequence[int]]) -> Reading:
        return CountingReading(self._model.read(prompts), self.counts)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many rows of logits there is room for, as a larger vocabulary would."""

    def make(num_rows: int) -> None:
        monkeypatch.setattr(token_model, "_LOGITS_PER_BATCH", num_rows * VOCABULARY_LEN)

    return make


def positions() -> list[Position]:
    return [Position(Game("", (first, "e5", "Nf3"), "*"), 2) for first in ("e4", "d3", "a3", "h4", "c4", "Nc3", "g3")]


def prompts() -> list[list[int]]:
    return [PGN.prompt(position_board(position)) for position in positions()]


def position_board(position: Position) -> chess.Board:
    board = chess.Board()
    for san in position.game.san[: position.ply]:
        board.push_san(san)
    return board


def test_texts_are_scored_the_same_in_parts(room: Callable[[int], None]) -> None:
    generator = np.random.default_rng(0)
    # Trees of very different sizes, all of whose nodes but the leaves are fed.
    texts = [[generator.integers(0, VOCABULARY_LEN, 5).tolist() for _ in range(n)] for n in (1, 9, 3, 9, 2, 8, 5)]
    at_once, in_parts = CountingModel(), CountingModel()
    expected = text_logprobs(at_once, prompts(), texts)
    room(70)
    found = text_logprobs(in_parts, prompts(), texts)
    for one, other in zip(expected, found, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert max(at_once.counts) > 100
    # No tree is cut, and the largest has 4 * 9 nodes that are fed.
    assert max(in_parts.counts) <= 70


def test_a_turn_is_the_same_in_small_batches(
    room: Callable[[int], None], contender_of: Callable[..., Contender]
) -> None:
    at_once, in_parts = CountingModel(), CountingModel()
    expected = take_turns(contender_of(at_once, PGN), positions(), seed=3)
    room(30)
    assert take_turns(contender_of(in_parts, PGN), positions(), seed=3) == expected
    assert at_once.counts[0] == 7
    # A prompt and the room for a move are 13 or 14 tokens.
    assert max(in_parts.counts) <= 30
    assert in_parts.counts[0] == 2


def test_the_mass_of_results_is_the_same_in_small_batches(room: Callable[[int], None]) -> None:
    at_once, in_parts = CountingModel(), CountingModel()
    expected = end_masses_after(at_once, PGN.vocabulary, prompts())
    room(20)
    assert end_masses_after(in_parts, PGN.vocabulary, prompts()) == pytest.approx(expected, abs=1e-6)
    assert max(in_parts.counts) < max(at_once.counts) == 7
