"""p(move) of every legal move against a brute-force sum, on 200 positions that are rich in unusual moves.

Takes minutes for the longer notations, so by default only every 40th move is summed up by force; all of them with
`pytest tests/reading/test_exact_on_many_positions.py --exhaustive`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import chess
import pytest
import torch

from chesslm.config import ModelSection
from chesslm.inference import move_probabilities
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.notation.registry import default_notation
from chesslm.san import core_san

NUM_POSITIONS = {"promotion": 40, "castling": 40, "en passant": 30, "ambiguous": 40, "any": 50}


def kinds(board: chess.Board) -> Iterator[str]:
    """What the position is rich in; nothing where the game is over."""
    moves = list(board.legal_moves)
    if not moves:
        return
    yield "any"
    if any(move.promotion for move in moves):
        yield "promotion"
    if any(board.is_castling(move) for move in moves):
        yield "castling"
    if any(board.is_en_passant(move) for move in moves):
        yield "en passant"
    if any(
        len(core_san(board, move).replace("x", "")) > 3 and board.piece_type_at(move.from_square) in range(2, 6)
        for move in moves
    ):
        yield "ambiguous"


@pytest.fixture(scope="module")
def rich_boards() -> list[chess.Board]:
    """Positions of random games that push pawns more often than chance would, so that some promote."""
    generator = random.Random(1)
    pools: dict[str, list[chess.Board]] = {kind: [] for kind in NUM_POSITIONS}
    for _ in range(60):
        board = chess.Board()
        for _ in range(100):
            moves = list(board.legal_moves)
            if not moves:
                break
            pawn_moves = [move for move in moves if board.piece_type_at(move.from_square) == chess.PAWN]
            board.push(generator.choice(pawn_moves if pawn_moves and generator.random() < 0.6 else moves))
            for kind in kinds(board):
                if kind != "any" or generator.random() < 0.1:
                    pools[kind].append(board.copy())
    return [board for kind, count in NUM_POSITIONS.items() for board in generator.sample(pools[kind], count)]


@pytest.mark.parametrize("name", ["pgn", "english", "english_varied", "char", "uci_squares"])
@torch.inference_mode()
def test_p_of_every_move_equals_a_brute_force_sum(
    name: str, rich_boards: list[chess.Board], request: pytest.FixtureRequest
) -> None:
    assert len(rich_boards) == 200
    notation = default_notation(name)
    torch.manual_seed(3)
    config = ModelSection(width=24, depth=2, heads=2, mlp_width=40, context_len=1_500)
    model = Decoder(config, len(notation.vocabulary)).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.mul_(4.0)  # far from uniform
    every = 1 if request.config.getoption("--exhaustive") else 40
    number = 0
    for board, found in zip(rich_boards, move_probabilities(model, notation, rich_boards), strict=True):
        assert found.moves == tuple(board.legal_moves)
        for move, logprob in zip(found.moves, found.logprobs, strict=True):
            number += 1
            if number % every == 0:
                p = brute_force(model, notation, board, move)
                assert math.exp(logprob) == pytest.approx(p, abs=1e-5)
                assert logprob == pytest.approx(math.log(p), abs=1e-4)
    assert number > 5_000


def brute_force(model: Decoder, notation: Notation, board: chess.Board, move: chess.Move) -> float:
    """The sum over all wordings of the product of their tokens' probabilities, one full forward pass each."""
    prompt = notation.prompt(board)
    total = 0.0
    for ids in notation.spellings(board, move):
        logits_TV = model(torch.tensor([prompt + ids]))[0, len(prompt) - 1 : -1].double()
        logits_TV[0, sorted(notation.vocabulary.not_a_first_token_ids)] = -math.inf
        total += math.exp(logits_TV.log_softmax(1)[range(len(ids)), ids].sum().item())
    return total
