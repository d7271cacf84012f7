"""Players without a notation beside models, and the other definitions through the command."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import chess
import numpy as np
import pytest

from chesslm.cli import main
from chesslm.errors import ConfigError, GameTooLong, InputError
from chesslm.game import Game
from chesslm.inference import Position
from chesslm.player import ClosingPlayer, Decision
from chesslm.san import ERROR_KINDS
from eval.cloze import writes_san, writes_start_squares
from eval.players import decision_error_kinds, decision_quantities, decisions, load_players, player_entrant
from eval.random_positions import random_positions
from eval.records import read_results


class Told(ClosingPlayer):
    """Says what it was told to say of the first legal move."""

    name = "told"

    def __init__(self, decide: Callable[[chess.Move], Decision]) -> None:
        self.decide = decide

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        return [self.decide(next(iter(board.legal_moves))) for board in boards]


POSITIONS = [Position(Game("a", ("e4", "e5", "Nf3"), "*"), 1), Position(Game("b", ("d4", "d5"), "*"), 0)]


def test_decisions_give_what_they_hold() -> None:
    def sure(move: chess.Move) -> Decision:
        rest = (chess.Move.from_uci("e7e5"), 0.25), (chess.Move.from_uci("d2d4"), 0.25)
        return Decision(move, "text", None, 0.8, ((move, 0.3), *rest), "path blocked")

    found = decisions(player_entrant(Told(sure), "told"), POSITIONS)
    numbers = {metric: q.numerators.tolist() for metric, q in decision_quantities(POSITIONS, found).items()}
    assert numbers == {
        "first_choice_legal": [0.0, 0.0],
        "free_move_match": [0.0, 0.0],
        "legal_mass": [0.8, 0.8],
        "move_match": [0.0, 0.0],
        "move_nats": [-math.log(0.25)] * 2,
    }
    kinds = {q.detail: q.numerators.mean() for q in decision_error_kinds(found)}
    assert list(kinds) == list(ERROR_KINDS)
    assert kinds["path blocked"] == 1.0


def test_an_engine_has_only_its_moves() -> None:
    found = decisions(player_entrant(Told(Decision), "engine"), POSITIONS)
    assert list(decision_quantities(POSITIONS, found)) == ["move_match"]
    assert decision_error_kinds(found) == []


def test_a_player_that_cannot_be_asked_is_named() -> None:
    def refuse(_move: chess.Move) -> Decision:
        raise GameTooLong("the game has 9 tokens")

    with pytest.raises(InputError, match="player told: the game has 9 tokens"):
        decisions(player_entrant(Told(refuse), "told"), POSITIONS)
    with pytest.raises(ConfigError, match="no rung is called nobody"):
        load_players(["nobody"], seed=0)


def test_one_command_measures_everything(runs: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.json"
    sizes = ("--positions", "8", "--completion-games", "3", "--free-running", "0", "--random-plies", "4")
    asked = ("--model", runs / "pgn", "--player", "random", "--games", folder, "--no-new", "--complete", *sizes)
    assert main(["eval", "legality", *map(str, asked), "--json", str(out)]) == 0
    results = read_results(out)
    assert [(model.label, model.kind) for model in results.models] == [("pgn", "trained"), ("random", "player")]
    by_model = {model.label: {m.metric for m in results.measures if m.model == model.label} for model in results.models}
    assert by_model["random"] == {"move_match"}
    expected = {"retry_no_failure", "retry_failures", "retry_lost", "retry_resigned", "completion_legal"}
    expected |= {"piece_cloze_legal_move", "piece_cloze_r_precision", "piece_cloze_exact_move", "first_choice_legal"}
    assert expected <= by_model["pgn"]
    assert not {metric for metric in by_model["pgn"] if metric.startswith("square_cloze")}
    found = [results.find("legal_mass", "pgn", f"after {plies} random plies") for plies in (10, 20)]
    assert [record.n for record in found if record] == [4, 4]
    completion = results.find("completion_legal", "pgn", "whole games")
    assert completion is not None
    assert completion.n == 3
    assert results.find_difference("move_match", "pgn", "random") is not None


def test_players_are_measured_without_models(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "random.json"
    asked = ("--player", "random", "--games", folder, "--positions", 5, "--no-new", "--json", out)
    assert main(["eval", "legality", *map(str, asked)]) == 0
    assert [model.label for model in read_results(out).models] == ["random"]


def test_random_positions_are_those_of_a_seed_and_uniform() -> None:
    positions = random_positions(300, 10, seed=1)
    assert positions[:5] == random_positions(5, 10, seed=1)
    assert positions[0].game.san != random_positions(1, 10, seed=2)[0].game.san
    assert all((position.ply, len(position.game.san)) == (10, 11) for position in positions)
    firsts = dict.fromkeys((position.game.san[0] for position in positions), 0)
    for position in positions:
        firsts[position.game.san[0]] += 1
    # Twenty first moves, 15 each: a chi-squared value that fair draws exceed once in 1,000 times.
    assert len(firsts) == 20
    assert sum((number - 15) ** 2 / 15 for number in firsts.values()) < 43.8
    assert np.mean([position.game.result == "*" for position in positions]) == 1


@pytest.mark.parametrize("name", ["pgn", "char", "english"])
def test_notations_of_san_admit_the_piece_cloze_alone(name: str) -> None:
    from chesslm.notation.registry import default_notation

    notation = default_notation(name)
    assert (writes_san(notation), writes_start_squares(notation)) == (True, False)


def test_a_notation_whose_wording_hangs_on_the_game_admits_neither() -> None:
    from chesslm.notation.registry import default_notation

    notation = default_notation("english_varied")
    assert (writes_san(notation), writes_start_squares(notation)) == (False, False)
