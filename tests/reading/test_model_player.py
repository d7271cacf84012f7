"""A model as a player: always legal, seeded, the same alone and in company."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import chess
import pytest

from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.config import RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.errors import GameTooLong, InputError, UnsupportedPosition
from chesslm.inference import first_choices, move_probabilities
from chesslm.model import Decoder
from chesslm.model_player import ModelPlayer, load_player
from chesslm.notation import Notation
from chesslm.player import choose

E4, D4, C4 = (chess.Move.from_uci(uci) for uci in ("e2e4", "d2d4", "c2c4"))


@pytest.fixture
def pgn(notations: dict[str, Notation]) -> Notation:
    return notations["pgn"]


def test_a_decision_tells_what_inference_says(notation: Notation, decoder: Decoder, boards: list[chess.Board]) -> None:
    decisions = ModelPlayer(decoder, notation, name="m").choose_many(boards)
    probabilities = move_probabilities(decoder, notation, boards)
    choices = first_choices(decoder, notation, boards)
    for board, decision, found, choice in zip(boards, decisions, probabilities, choices, strict=True):
        assert decision.move == found.best
        # What the player remembers of one game serves another, so sums are added up in another order.
        assert decision.legal_mass == pytest.approx(found.legal_mass, rel=1e-5)
        assert (decision.first_choice, decision.first_choice_move) == (choice.text, choice.move)
        assert {move for move, _ in decision.candidates} == set(board.legal_moves)
        shares = [p for _, p in decision.candidates]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(decision.legal_mass)


@pytest.mark.parametrize("policy", [{}, {"temperature": 1.3}, {"temperature": 0.8, "top_k": 5, "top_p": 0.9}])
def test_choosing_for_many_equals_choosing_one_by_one(
    notation: Notation, decoder: Decoder, boards: list[chess.Board], policy: dict
) -> None:
    player = ModelPlayer(decoder, notation, name="m", seed=5, **policy)
    together = player.choose_many(boards)
    for board, decision in zip(boards, together, strict=True):
        alone = choose(player, board)
        assert (alone.move, alone.first_choice) == (decision.move, decision.first_choice)
        assert alone.legal_mass == pytest.approx(decision.legal_mass, rel=1e-4)


def test_masked_play_is_never_illegal(notation: Notation, make_decoder: Callable[..., Decoder]) -> None:
    player = ModelPlayer(make_decoder(notation, seed=3), notation, name="m", temperature=2.0, seed=1)
    games = [chess.Board() for _ in range(4)]
    generator = random.Random(0)
    for _ in range(12):
        running = [board for board in games if not board.is_game_over()]
        for board, decision in zip(running, player.choose_many(running), strict=True):
            assert decision.move in board.legal_moves
            board.push(decision.move)
            if not board.is_game_over():
                board.push(generator.choice(list(board.legal_moves)))


def test_a_model_that_writes_only_nonsense_still_plays_a_legal_move(pgn: Notation, scripted: Callable) -> None:
    player = ModelPlayer(scripted(pgn.vocabulary, {"1.": {"1.": 1.0}}), pgn, name="m", temperature=1.0)
    decision = choose(player, chess.Board())
    assert decision.move in chess.Board().legal_moves
    assert (decision.legal_mass, decision.first_choice_move) == (0.0, None)


def draws(model: object, notation: Notation, num_draws: int, **policy: object) -> Counter[chess.Move]:
    players = [ModelPlayer(model, notation, name="m", seed=seed, **policy) for seed in range(num_draws)]
    return Counter(choose(player, chess.Board()).move for player in players)


def test_draws_follow_the_policy(pgn: Notation, scripted: Callable) -> None:
    # Half of the mass is on an illegal square: a draw is among legal moves only.
    model = scripted(pgn.vocabulary, {"1.": {"e4": 0.25, "d4": 0.15, "c4": 0.1, "e8": 0.5}})
    three_sigma = 3 * math.sqrt(0.25 / 300)
    counts = draws(model, pgn, 300, temperature=1.0)
    assert [counts[move] / 300 for move in (E4, D4, C4)] == pytest.approx([0.5, 0.3, 0.2], abs=three_sigma)
    assert set(draws(model, pgn, 30, temperature=1.0, top_k=2)) == {E4, D4}
    assert set(draws(model, pgn, 30, temperature=1.0, top_p=0.5)) == {E4}
    assert set(draws(model, pgn, 3)) == {E4}


def test_a_choice_among_some_moves_follows_the_policy_as_if_no_other_were_legal(
    pgn: Notation, scripted: Callable
) -> None:
    model = scripted(pgn.vocabulary, {"1.": {"e4": 0.6, "d4": 0.3, "c4": 0.1}})
    best = ModelPlayer(model, pgn, name="m")
    decision = best.choose_among(chess.Board(), {C4, D4})
    assert decision.move == D4
    assert decision.candidates == choose(best, chess.Board()).candidates
    drawn = Counter(
        best.with_policy(temperature=1.0, seed=seed).choose_among(chess.Board(), [C4, D4]).move for seed in range(300)
    )
    assert [drawn[move] / 300 for move in (D4, C4)] == pytest.approx([0.75, 0.25], abs=3 * math.sqrt(0.25 / 300))
    with pytest.raises(ValueError, match="none of the moves"):
        best.choose_among(chess.Board(), [chess.Move.from_uci("e7e5")])


def test_a_player_under_another_policy_plays_what_a_new_one_would(
    notation: Notation, decoder: Decoder, boards: list[chess.Board]
) -> None:
    first = ModelPlayer(decoder, notation, name="m")
    policy = {"temperature": 1.1, "top_k": 9, "top_p": 0.95, "seed": 4}
    changed = first.with_policy(**policy).choose_many(boards)
    new = ModelPlayer(decoder, notation, name="m", **policy).choose_many(boards)
    assert [decision.move for decision in changed] == [decision.move for decision in new]
    assert first.with_policy().choose_many(boards[:1])[0].move == first.choose_many(boards[:1])[0].move
    with pytest.raises(ValueError, match="temperature"):
        first.with_policy(temperature=-1.0)


def test_a_draw_depends_on_the_seed_and_the_game_alone(notation: Notation, decoder: Decoder) -> None:
    board = chess.Board()
    first = ModelPlayer(decoder, notation, name="m", temperature=1.5, seed=1)
    before = choose(first, board).move
    board.push(before)
    choose(first, board)
    board.pop()
    assert choose(first, board).move == before
    other_seeds = {
        choose(ModelPlayer(decoder, notation, name="m", temperature=1.5, seed=seed), board).move for seed in range(9)
    }
    assert len(other_seeds) > 1


def test_equally_likely_moves_are_ordered_by_name(pgn: Notation, scripted: Callable) -> None:
    decision = choose(ModelPlayer(scripted(pgn.vocabulary, {}), pgn, name="m"), chess.Board())
    pawn_moves = [move.uci() for move, _ in decision.candidates if move.from_square // 8 == 1]
    assert pawn_moves == sorted(pawn_moves)


def test_a_game_beyond_the_context_is_too_long(pgn: Notation, scripted: Callable) -> None:
    board = chess.Board()
    for san in ("e4", "e5", "Nf3"):
        board.push_san(san)
    # <begin> 1. e4 e5 2. N f3: seven tokens; one more must fit.
    assert choose(ModelPlayer(scripted(pgn.vocabulary, {}, 8), pgn, name="m"), board).move in board.legal_moves
    with pytest.raises(GameTooLong, match="7 tokens, the model's context holds 7"):
        choose(ModelPlayer(scripted(pgn.vocabulary, {}, 7), pgn, name="m"), board)


def test_the_last_move_of_a_full_context_is_scored_whole(
    notation: Notation, make_decoder: Callable[..., Decoder]
) -> None:
    board = chess.Board()
    for san in ("e4", "e5", "Nf3", "Nc6"):
        board.push_san(san)
    full = make_decoder(notation, context_len=len(notation.prompt(board)) + 1)
    roomy = make_decoder(notation, context_len=500)
    (found,), (expected,) = (move_probabilities(model, notation, [board]) for model in (full, roomy))
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)
    assert first_choices(full, notation, [board]) == first_choices(roomy, notation, [board])


def test_a_game_from_another_position_is_refused(pgn: Notation, scripted: Callable) -> None:
    board = chess.Board("4k3/8/8/8/8/8/4P3/4K3 w - - 0 1")
    with pytest.raises(UnsupportedPosition):
        choose(ModelPlayer(scripted(pgn.vocabulary, {}), pgn, name="m"), board)


def test_a_finished_game_has_no_move_to_choose(pgn: Notation, scripted: Callable) -> None:
    board = chess.Board()
    for san in ("f3", "e5", "g4", "Qh4#"):
        board.push_san(san)
    with pytest.raises(ValueError, match="no legal move"):
        choose(ModelPlayer(scripted(pgn.vocabulary, {}), pgn, name="m"), board)


def test_a_policy_out_of_range_is_refused(pgn: Notation, scripted: Callable) -> None:
    with pytest.raises(ValueError, match="top_k must be 1 or more"):
        ModelPlayer(scripted(pgn.vocabulary, {}), pgn, name="m", temperature=1.0, top_k=0)


def test_a_player_from_a_checkpoint_plays_what_its_model_does(
    notation: Notation, make_decoder: Callable[..., Decoder], boards: list[chess.Board], tmp_path: Path
) -> None:
    model = make_decoder(notation)
    config = TrainConfig(
        run=RunSection(out=str(tmp_path)),
        data=TrainDataSection(games="games", notation=notation.name),
        model=model.config,
        training=TrainingSection(steps=1, games_per_step=1),
    )
    folder = write_checkpoint(
        tmp_path / "run",
        state=TrainingState(step=1),
        config=config,
        notation=notation,
        games_digest="0" * 64,
        provenance={},
        weights=model.state_dict(),
        training={},
    )
    with load_player(folder, temperature=0.7, top_k=3, seed=5, device="cpu") as player:
        assert player.loaded is not None
        assert (player.name, player.notation.name) == (player.loaded.name, notation.name)
        here = ModelPlayer(model, notation, name="m", temperature=0.7, top_k=3, seed=5)
        assert [d.move for d in player.choose_many(boards)] == [d.move for d in here.choose_many(boards)]


def test_a_model_that_doesnt_exist_cant_play(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_player(tmp_path / "nothing")
