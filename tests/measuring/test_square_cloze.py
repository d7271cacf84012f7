"""The square cloze, where start squares are written; with castling among the end squares and without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import chess
import numpy as np
import pytest
import torch
from torch import Tensor

from chesslm.cli import main
from chesslm.game import Game
from chesslm.inference import Position
from chesslm.measures import replayed
from chesslm.notation.registry import default_notation
from eval.cloze import (
    NO_CASTLING,
    OTHER,
    PLAYED,
    PREFIXES,
    cloze_columns,
    cloze_positions,
    clozes_of,
    writes_san,
    writes_start_squares,
)
from eval.contenders import Contender, FunctionModel
from eval.records import read_results

SQUARES = default_notation("uci_squares")
CASTLING_LINE = ("e4", "e5", "Nf3", "Nc6", "Bc4", "Bc5", "Ke2", "Ke7")
ContenderOf = Callable[..., Contender]
# (position, start square, a generator of its own) -> end squares, the most probable first
Ranking = Callable[[Position, chess.Square, np.random.Generator], Sequence[chess.Square]]


def generator_of(board: chess.Board, start: chess.Square) -> np.random.Generator:
    """The same for the same question."""
    return np.random.default_rng([start, *SQUARES.prompt(board)])


def knowing(contender_of: ContenderOf, positions: Sequence[Position], ranking: Ranking) -> Contender:
    """Ranks the end squares of every start square of these positions."""
    first_square = SQUARES.vocabulary.id_of("a1")
    asked = {tuple(SQUARES.prompt(replayed(position)[0])): position for position in positions}

    def next_logits(tokens: Sequence[int]) -> Tensor:
        position, start = asked.get(tuple(tokens[:-1])), tokens[-1] - first_square
        logits = torch.zeros(len(SQUARES.vocabulary))
        if position is not None:
            for place, square in enumerate(ranking(position, start, generator_of(replayed(position)[0], start))):
                logits[first_square + square] = 100.0 - place
        return logits

    return contender_of(FunctionModel(next_logits, context_len=1_000), SQUARES)


def found_by(one: Contender, positions: Sequence[Position]) -> dict[tuple[str, str | None], list[float]]:
    columns = cloze_columns(one, "square", positions, seed=0)
    assert all(len(quantity.numerators) == num for quantity, num in columns)
    return {
        (quantity.metric.removeprefix("square_cloze_"), quantity.detail): quantity.numerators.tolist()
        for quantity, _ in columns
    }


def asked_of(positions: Sequence[Position], which: str) -> list[tuple[chess.Board, chess.Square, set[chess.Square]]]:
    """Board, start square and its legal end squares for each question; python-chess says which are legal."""
    found = []
    for position in positions:
        board, clozes = clozes_of(position, "square", seed=0)
        for cloze in (cloze for cloze in clozes if cloze.which == which):
            start = chess.parse_square(cloze.given)
            found.append((board, start, {move.to_square for move in board.legal_moves if move.from_square == start}))
    return found


@pytest.fixture(scope="module")
def positions(games: list[Game]) -> list[Position]:
    return cloze_positions(games[:60], "square", PREFIXES[0], seed=0)


def legal_ends(position: Position, start: chess.Square) -> list[chess.Square]:
    """The played end square first, if it is a start square's, then the other legal ones."""
    board, played = replayed(position)
    ends = sorted({move.to_square for move in board.legal_moves if move.from_square == start})
    return sorted(ends, key=lambda end: (start, end) != (played.from_square, played.to_square))


def test_a_notation_of_squares_admits_the_square_cloze_alone() -> None:
    assert writes_start_squares(SQUARES)
    assert not writes_san(SQUARES)


def test_a_perfect_player_has_every_point(contender_of: ContenderOf, positions: list[Position]) -> None:
    perfect = knowing(contender_of, positions, lambda position, start, _: legal_ends(position, start))
    found = found_by(perfect, positions)
    for which in (PLAYED, OTHER):
        assert set(found["legal_move", which]) == set(found["r_precision", which]) == {1.0}
    assert set(found["exact_move", PLAYED]) == {1.0}
    assert ("exact_move", OTHER) not in found
    # The paper's set of squares takes points off for castling, and for nothing else.
    for which in (PLAYED, OTHER):
        can_castle = [
            any(board.is_castling(move) and move.from_square == start for move in board.legal_moves)
            for board, start, _ in asked_of(positions, which)
        ]
        precise = [value == 1.0 for value in found["r_precision", f"{which}, {NO_CASTLING}"]]
        assert all(value or castles for value, castles in zip(precise, can_castle, strict=True))


def test_one_who_knows_nothing_has_what_chance_gives(contender_of: ContenderOf, positions: list[Position]) -> None:
    """Any order of the squares is as likely as another: each score's mean is the share of right squares."""
    ignorant = knowing(contender_of, positions, lambda _, __, generator: generator.permutation(64).tolist())
    found = found_by(ignorant, positions)
    for which in (PLAYED, OTHER):
        shares = np.array([len(ends) / 64 for _, _, ends in asked_of(positions, which)])
        for name in ("legal_move", "r_precision"):
            error = (shares * (1 - shares)).sum() ** 0.5 / len(shares)
            assert abs(np.mean(found[name, which]) - shares.mean()) < 3.3 * error
    assert np.mean(found["exact_move", PLAYED]) < 1 / 64 + 3.3 * (1 / 64 / len(positions)) ** 0.5


@pytest.mark.parametrize("legality", [0.5, 0.9, 0.99])
def test_a_player_of_known_legality_has_that(
    legality: float, contender_of: ContenderOf, positions: list[Position]
) -> None:
    """With this probability all legal squares come first, and the played one half of the time; else none of them."""

    def draws(generator: np.random.Generator) -> tuple[bool, bool]:
        is_legal, is_exact = generator.random(2) < (legality, 0.5)
        return bool(is_legal), bool(is_exact)

    def ranking(position: Position, start: chess.Square, generator: np.random.Generator) -> list[chess.Square]:
        is_legal, is_exact = draws(generator)
        ends = legal_ends(position, start)
        if not is_legal:
            return [square for square in chess.SQUARES if square not in ends]
        return ends if is_exact else ends[::-1]

    found = found_by(knowing(contender_of, positions, ranking), positions)
    for which in (PLAYED, OTHER):
        asked = asked_of(positions, which)
        truths = [draws(generator_of(board, start)) for board, start, _ in asked]
        legal = [float(is_legal) for is_legal, _ in truths]
        assert found["legal_move", which] == found["r_precision", which] == legal
        if which == PLAYED:
            exact = [
                float(is_legal and (is_exact or len(ends) == 1))
                for (is_legal, is_exact), (_, _, ends) in zip(truths, asked, strict=True)
            ]
            assert found["exact_move", which] == exact


def test_scores_follow_from_the_legal_moves_of_the_given_square(
    contender_of: ContenderOf, positions: list[Position]
) -> None:
    favour = [int(square) for square in np.random.default_rng(6).permutation(64)]
    found = found_by(knowing(contender_of, positions, lambda *_: favour), positions)
    for which in (PLAYED, OTHER):
        goods = [ends for _, _, ends in asked_of(positions, which)]
        assert found["legal_move", which] == [favour[0] in good for good in goods]
        assert found["r_precision", which] == [
            sum(square in good for square in favour[: len(good)]) / len(good) for good in goods
        ]
    assert found["exact_move", PLAYED] == [favour[0] == replayed(position)[1].to_square for position in positions]


def test_toshniwals_set_of_end_squares_leaves_castling_out(contender_of: ContenderOf) -> None:
    """White's king may go to e2, f1 or g1 (castling): a model that says g1 is right, but not to the paper's code."""
    position = Position(Game("", CASTLING_LINE, "*"), 6)
    favour = [chess.G1, chess.F1, chess.A8, *(s for s in chess.SQUARES if s not in (chess.G1, chess.F1, chess.A8))]
    found = found_by(knowing(contender_of, [position], lambda *_: favour), [position])
    assert found["legal_move", PLAYED] == [True]
    assert found["legal_move", f"{PLAYED}, {NO_CASTLING}"] == [False]
    assert found["r_precision", PLAYED] == [2 / 3]
    assert found["r_precision", f"{PLAYED}, {NO_CASTLING}"] == [1 / 2]
    assert found["exact_move", PLAYED] == [False]


def test_pawns_and_castling_are_no_played_moves_but_may_be_asked_about(positions: list[Position]) -> None:
    asked = [position.game.san[position.ply][0] for position in positions]
    assert set(asked) <= set("NBRQK")
    others = {board.piece_type_at(start) for board, start, _ in asked_of(positions, OTHER)}
    assert chess.PAWN in others
    for position in positions:
        _, clozes = clozes_of(position, "square", seed=0)
        assert [cloze.which for cloze in clozes][:1] == [PLAYED]
        assert len({cloze.given for cloze in clozes}) == len(clozes)
    only_pawns_and_castling = Game("", ("Nf3", "d5", "g3", "e5", "Bg2", "c5", "O-O", "b5", "h3", "a5"), "*")
    assert cloze_positions([only_pawns_and_castling], "square", (5, 50), seed=0) == []


def test_prefixes_have_five_to_fifty_plies_or_51_to_a_hundred() -> None:
    game = Game("", ("Nf3", "Nf6", "Ng1", "Ng8") * 30, "1/2-1/2")
    assert PREFIXES == ((5, 50), (51, 100))
    for low, high in PREFIXES:
        plies = [
            position.ply
            for seed in range(400)
            for position in cloze_positions([game], "square", (low, high), seed=seed)
        ]
        assert (min(plies), max(plies)) == (low, high)


def test_the_command_shows_the_cloze_of_squares_where_they_are_written(
    runs: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "cloze.json"
    models = ("--model", runs / "uci_squares", "--model", runs / "pgn")
    asked = (*models, "--games", folder, "--positions", 6, "--no-new", "--cloze", "--json", out)
    assert main(["eval", "legality", *map(str, asked)]) == 0
    results = read_results(out)
    names = {"legal_move", "r_precision", "exact_move"}
    for label, kind in (("uci_squares", "square"), ("pgn", "piece")):
        found = {(m.metric, m.detail) for m in results.measures if m.model == label and "cloze" in m.metric}
        assert {metric for metric, _ in found} == {f"{kind}_cloze_{name}" for name in names}
        details = {detail for _, detail in found}
        assert details == (
            {PLAYED, OTHER} | ({f"{w}, {NO_CASTLING}" for w in (PLAYED, OTHER)} if kind == "square" else set())
        )
    by_metric = {m.metric for m in results.measures if m.model == "uci_squares"}
    # Nothing of SAN, and no marks.
    assert not by_metric & {"first_choice_tolerant", "mark_accuracy"}
    assert {"first_choice_legal", "legal_mass", "move_nats"} <= by_metric
