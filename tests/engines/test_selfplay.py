"""Engine-made games: how they end, what their PGN says, and that they follow from the seed."""

from __future__ import annotations

import io
import random
import re

import chess
import chess.pgn
import pytest

from chesslm.uci_player import EngineLine
from data_prep.selfplay import DATE, MAX_PLIES, SelfplayGame, play_game


class SteadyEngine:
    """Plays any moves, which follow from the position, and always sees the same value for the side to move."""

    name = "Steady 1"

    def __init__(self, centipawns: int) -> None:
        self._centipawns = centipawns

    def best_lines(self, board: chess.Board, num_lines: int, *, nodes: int | None = None) -> list[EngineLine]:
        assert nodes is not None
        assert nodes >= 1
        moves = sorted(board.legal_moves, key=chess.Move.uci)
        chosen = random.Random(board.fen()).sample(moves, min(num_lines, len(moves)))
        return [EngineLine(move, self._centipawns) for move in chosen]


def games(centipawns: int, count: int, *, seed: int = 1) -> list[SelfplayGame]:
    engine = SteadyEngine(centipawns)
    return [play_game(engine, seed=seed, index=index) for index in range(count)]


def read(game: SelfplayGame) -> chess.pgn.Game:
    stream = io.StringIO(game.pgn)
    parsed = chess.pgn.read_game(stream)
    assert parsed is not None
    assert parsed.errors == []
    assert chess.pgn.read_game(stream) is None
    return parsed


@pytest.fixture(scope="module")
def varied() -> list[SelfplayGame]:
    return [*games(300, 12), *games(0, 12), *games(-2_000, 12)]


def test_every_game_replays_and_its_result_is_that_of_its_last_position(varied: list[SelfplayGame]) -> None:
    for game in varied:
        parsed = read(game)
        board = parsed.end().board()
        assert board.ply() == game.num_plies
        assert parsed.headers["Result"] == game.result
        outcome = board.outcome()
        if game.ending in ("checkmate", "stalemate", "insufficient material"):
            assert outcome is not None
            assert outcome.result() == game.result
        elif game.ending == "repetition":
            assert board.is_repetition(3)
            assert game.result == "1/2-1/2"
        elif game.ending == "fifty moves":
            assert board.halfmove_clock == 100
            assert game.result == "1/2-1/2"
        else:
            assert outcome is None


def test_the_movetext_is_one_line_of_canonical_san(varied: list[SelfplayGame]) -> None:
    for game in varied:
        headers, movetext, rest = game.pgn.split("\n\n")
        assert rest == ""
        assert "\n" not in movetext
        board = chess.Board()
        words = []
        for move in read(game).mainline_moves():
            words += [f"{board.fullmove_number}."] * board.turn + [board.san(move)]
            board.push(move)
        assert movetext == " ".join([*words, game.result])
        assert all(re.fullmatch(r'\[\w+ "[^"\\]*"\]', line) for line in headers.splitlines())


def test_the_headers_are_those_of_a_dump_and_claim_no_site_or_rating(varied: list[SelfplayGame]) -> None:
    assert len({read(game).headers["Site"] for game in varied[:12]}) == 12
    for game in varied[:12]:
        headers = read(game).headers
        assert re.fullmatch(r"https://chesslm\.example/[0-9A-Za-z]{8}", headers["Site"])
        assert headers["Date"] == headers["UTCDate"] == DATE
        assert (headers["WhiteElo"], headers["BlackElo"], headers["TimeControl"]) == ("?", "?", "-")
        for colour in ("White", "Black"):
            assert re.fullmatch(r"Steady 1 nodes=\d+ skill=\d+ random=[\d.]+", headers[colour])


def test_an_engine_of_a_hostile_name_can_not_break_a_header() -> None:
    engine = SteadyEngine(-2_000)
    engine.name = 'A"]\\\n[Event "é'
    headers = read(play_game(engine, seed=1, index=0)).headers
    assert headers["White"].startswith("A][Event  nodes=")
    assert headers["Event"] == "Engine game"


def test_a_side_that_sees_itself_lost_for_some_turns_resigns_or_plays_on() -> None:
    lost = games(-2_000, 20)
    assert 2 < [game.ending for game in lost].count("resignation") < 20
    for game in lost:
        if game.ending == "resignation":
            loser = chess.WHITE if game.result == "0-1" else chess.BLACK
            assert read(game).end().board().turn == loser


def test_nobody_resigns_or_agrees_to_a_draw_in_a_better_position(varied: list[SelfplayGame]) -> None:
    assert not {"resignation", "agreement"} & {game.ending for game in varied[:12]}


def test_a_long_level_game_may_be_agreed_drawn(varied: list[SelfplayGame]) -> None:
    agreed = [game for game in varied[12:24] if game.ending == "agreement"]
    assert agreed
    assert all(game.result == "1/2-1/2" and game.num_plies >= 40 for game in agreed)


def test_a_game_at_the_ply_limit_has_no_result_and_says_so(varied: list[SelfplayGame]) -> None:
    unfinished = [game for game in varied if game.ending == "unfinished"]
    assert unfinished
    for game in unfinished:
        assert (game.result, game.num_plies) == ("*", MAX_PLIES)
        assert read(game).headers["Termination"] == "Unterminated"


def test_a_game_follows_from_seed_and_index_alone() -> None:
    assert games(0, 4)[3] == play_game(SteadyEngine(0), seed=1, index=3)
    assert games(0, 4) != games(0, 4, seed=2)


def test_openings_come_from_the_book_from_random_plies_and_from_the_start() -> None:
    names = [read(game).headers["Opening"] for game in games(-2_000, 40)]
    assert 5 < names.count("?") < 20
    assert len(set(names)) > 15
