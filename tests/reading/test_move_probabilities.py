"""p(move) from the tree equals a sum over all wordings, each fed alone, without cache or batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import chess
import pytest
import torch

from chesslm.config import ModelSection
from chesslm.inference import end_masses, first_choices, move_probabilities, moves_and_first_choices
from chesslm.model import Decoder
from chesslm.move_scores import MAX_FIRST_CHOICE_TOKENS
from chesslm.notation import Notation
from chesslm.token_model import DecoderTokenModel
from chesslm.token_tree import Branches


@torch.inference_mode()
def brute_force(model: Decoder, notation: Notation, board: chess.Board, move: chess.Move) -> float:
    prompt = notation.prompt(board)
    total = 0.0
    for spelling in notation.spellings(board, move):
        logits = model(torch.tensor([prompt + spelling]))[0, len(prompt) - 1 : -1].double()
        logits[0, sorted(notation.vocabulary.not_a_first_token_ids)] = -math.inf
        token_logprobs = logits.log_softmax(1)[range(len(spelling)), spelling]
        total += math.exp(token_logprobs.sum().item())
    return math.log(total)


@torch.inference_mode()
def greedy(model: Decoder, notation: Notation, board: chess.Board) -> list[int]:
    ids = notation.prompt(board)
    start = len(ids)
    while len(ids) - start < MAX_FIRST_CHOICE_TOKENS:
        logits = model(torch.tensor([ids]))[0, -1]
        vocabulary = notation.vocabulary
        excluded = vocabulary.not_a_first_token_ids if len(ids) == start else vocabulary.not_a_move_ids
        logits[sorted(excluded)] = -math.inf
        token = int(logits.argmax())
        settled = len(ids) > start and notation.is_complete(board, ids[start:]) is True
        if settled and token not in notation.continuations(ids[start:]):
            break
        ids.append(token)
        if notation.is_complete(board, ids[start:]) is None:
            break
    return ids[start:]


def test_the_positions_have_every_kind_of_move(boards: list[chess.Board]) -> None:
    moves = [(board, move) for board in boards for move in board.legal_moves]
    assert any(move.promotion == chess.KNIGHT and board.is_capture(move) for board, move in moves)
    assert any(board.is_kingside_castling(move) for board, move in moves)
    assert any(board.is_queenside_castling(move) for board, move in moves)
    assert any(board.is_en_passant(move) for board, move in moves)
    assert any(board.san(move) == "Nbd2" for board, move in moves)
    assert any(board.san(move) == "Rad3" for board, move in moves)
    assert any(board.legal_moves.count() == 1 for board in boards)


def test_tree_scores_equal_a_brute_force_sum(notation: Notation, decoder: Decoder, boards: list[chess.Board]) -> None:
    for board, found in zip(boards, move_probabilities(decoder, notation, boards), strict=True):
        assert found.moves == tuple(board.legal_moves)
        for move, logprob in list(zip(found.moves, found.logprobs, strict=True))[::6]:
            expected = brute_force(decoder, notation, board, move)
            assert logprob == pytest.approx(expected, abs=1e-4)
            assert math.exp(logprob) == pytest.approx(math.exp(expected), abs=1e-5)


def test_the_first_choice_equals_naive_greedy_decoding(
    notation: Notation, make_decoder: Callable[..., Decoder], boards: list[chess.Board]
) -> None:
    lengths, num_legal = set(), 0
    for seed in range(2):
        model = make_decoder(notation, seed=seed)
        found = first_choices(model, notation, boards)
        for board, choice in zip(boards, found, strict=True):
            ids = greedy(model, notation, board)
            lengths.add(len(ids))
            assert choice.text == notation.text(ids).strip()
            assert (choice.move is None) == (choice.error_kind is not None)
            if choice.move is not None:
                assert choice.move in board.legal_moves
                num_legal += 1
    assert len(lengths) > 1
    assert num_legal < 2 * len(boards)


def test_one_reading_gives_what_two_would(notation: Notation, decoder: Decoder, boards: list[chess.Board]) -> None:
    both = moves_and_first_choices(decoder, notation, boards)
    assert [probabilities for probabilities, _ in both] == move_probabilities(decoder, notation, boards)
    assert [choice for _, choice in both] == first_choices(decoder, notation, boards)


def test_batches_dont_change_probabilities(notation: Notation, decoder: Decoder, boards: list[chess.Board]) -> None:
    together = move_probabilities(decoder, notation, boards)
    for board, found in zip(boards, together, strict=True):
        (alone,) = move_probabilities(decoder, notation, [board])
        assert alone.moves == found.moves
        assert alone.logprobs == pytest.approx(found.logprobs, abs=1e-4)


@torch.inference_mode()
def test_the_end_mass_is_the_share_of_results(notation: Notation, decoder: Decoder, boards: list[chess.Board]) -> None:
    results = list(notation.vocabulary.result_ids.values())
    for board, found in zip(boards, end_masses(decoder, notation, boards), strict=True):
        logits = decoder(torch.tensor([notation.end_prompt(board)]))[0, -1].double()
        assert found == pytest.approx(logits.softmax(0)[results].sum().item(), rel=1e-4)


def test_a_finished_game_has_no_moves_and_no_mass(notations: dict[str, Notation], make_decoder: Any) -> None:
    board = chess.Board()
    for san in ("f3", "e5", "g4", "Qh4#"):
        board.push_san(san)
    (found,) = move_probabilities(make_decoder(notations["pgn"]), notations["pgn"], [board])
    assert (found.moves, found.legal_mass) == ((), 0.0)


def test_no_positions_need_no_model(notations: dict[str, Notation], make_decoder: Any) -> None:
    model = make_decoder(notations["pgn"])
    assert move_probabilities(model, notations["pgn"], []) == []
    assert end_masses(model, notations["pgn"], []) == []


def test_grouped_heads_and_an_untied_head_are_read_the_same(notations: dict[str, Notation]) -> None:
    notation = notations["pgn"]
    torch.manual_seed(2)
    model = Decoder(
        ModelSection(width=36, depth=2, heads=6, kv_heads=3, mlp_width=29, qk_norm=False, tied_head=False),
        len(notation.vocabulary),
    )
    board = chess.Board()
    board.push_san("e4")
    (found,) = move_probabilities(model, notation, [board])
    for move, logprob in zip(found.moves, found.logprobs, strict=True):
        assert logprob == pytest.approx(brute_force(model, notation, board, move), abs=1e-4)


def read_in_turn(model: Decoder, texts: Sequence[list[int]]) -> list[torch.Tensor]:
    return [model(torch.tensor([text]))[0, -1] for text in texts]


@torch.inference_mode()
def test_a_reading_can_branch_select_and_extend_without_forgetting(
    notations: dict[str, Notation], make_decoder: Callable[..., Decoder]
) -> None:
    model = make_decoder(notations["pgn"])
    prompts = [[1, 5, 9], [2, 4, 6, 8, 10, 12, 14], [3]]
    reading = DecoderTokenModel(model).read(prompts)
    empty = Branches([], [])
    forked = Branches([20, 21, 22, 23], [-1, 0, 0, -1])
    found = reading.branch_logits([empty, forked, Branches([30], [-1])])
    expected = [prompts[1] + tail for tail in ([20], [20, 21], [20, 22], [23])] + [[*prompts[2], 30]]
    torch.testing.assert_close(found, torch.stack(read_in_turn(model, expected)), rtol=1e-4, atol=1e-4)
    assert reading.branch_logits([empty, empty, empty]).shape == (0, len(notations["pgn"].vocabulary))

    some = reading.select([2, 0])
    for step, tokens in enumerate([[40, 41], [42, 43]]):
        logits = some.extend(tokens)
        texts = [[3, 40, 42][: step + 2], [1, 5, 9, 41, 43][: step + 4]]
        torch.testing.assert_close(logits, torch.stack(read_in_turn(model, texts)), rtol=1e-4, atol=1e-4)
    branched = some.branch_logits([chain_of(50), chain_of(51)])
    texts = [[3, 40, 42, 50], [1, 5, 9, 41, 43, 51]]
    torch.testing.assert_close(branched, torch.stack(read_in_turn(model, texts)), rtol=1e-4, atol=1e-4)

    last = reading.logits([0, 1, 2], [2, 6, 0])
    torch.testing.assert_close(last, torch.stack(read_in_turn(model, prompts)), rtol=1e-4, atol=1e-4)


def chain_of(token: int) -> Branches:
    return Branches([token], [-1])
