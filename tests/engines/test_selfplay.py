"""Engine-made games: how they end, what their PGN says, and that they follow from the seed."""

from __future__ import annotations

import io
import random
import re
import statistics

import chess
import chess.pgn
import pytest

from chesslm.uci_player import EngineLine
from data_prep.selfplay import DATE, MAX_PLIES, SelfplayGame, draw_sides, play_game


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
    return [*games(300, 10), *games(0, 10, seed=2), *games(-2_000, 14, seed=3)]


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
    assert len({read(game).headers["Site"] for game in varied[:10]}) == 10
    for game in varied[:10]:
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


def test_a_side_that_sees_itself_lost_for_some_turns_resigns_or_plays_on(varied: list[SelfplayGame]) -> None:
    lost = varied[20:]
    assert 2 < [game.ending for game in lost].count("resignation") < len(lost)
    for game in lost:
        if game.ending == "resignation":
            loser = chess.WHITE if game.result == "0-1" else chess.BLACK
            assert read(game).end().board().turn == loser


def test_nobody_resigns_or_agrees_to_a_draw_in_a_better_position(varied: list[SelfplayGame]) -> None:
    assert not {"resignation", "agreement"} & {game.ending for game in varied[:10]}


def test_a_long_level_game_may_be_agreed_drawn(varied: list[SelfplayGame]) -> None:
    agreed = [game for game in varied[10:20] if game.ending == "agreement"]
    assert agreed
    assert all(game.result == "1/2-1/2" and game.num_plies >= 40 for game in agreed)


def test_a_game_at_the_ply_limit_has_no_result_and_says_so(varied: list[SelfplayGame]) -> None:
    unfinished = [game for game in varied if game.ending == "unfinished"]
    assert unfinished
    for game in unfinished:
        assert (game.result, game.num_plies) == ("*", MAX_PLIES)
        assert read(game).headers["Termination"] == "Unterminated"


def test_a_game_follows_from_seed_and_index_alone() -> None:
    first = games(0, 2)
    assert first[1] == play_game(SteadyEngine(0), seed=1, index=1)
    assert first != games(0, 2, seed=2)


def test_openings_come_from_the_book_from_random_plies_and_from_the_start(varied: list[SelfplayGame]) -> None:
    names = [read(game).headers["Opening"] for game in varied]
    assert 3 <= names.count("?") <= 17
    assert len(set(names)) > 15


def test_neither_colour_has_the_better_players() -> None:
    sides = [draw_sides(random.Random(number)) for number in range(4_000)]
    for trait in ("nodes", "skill", "random_share"):
        means = [statistics.fmean(getattr(pair[colour], trait) for pair in sides) for colour in chess.COLORS]
        assert means[0] == pytest.approx(means[1], rel=0.06), trait
    assert sum(pair[chess.WHITE].skill == pair[chess.BLACK].skill for pair in sides) > 1_000
