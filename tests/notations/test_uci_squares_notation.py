"""Squares: what only they have, promotions that go on from two squares, and why a pair of squares is no move."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import FormatError, MoveTextError
from chesslm.game import RESULTS, Game, board_san
from chesslm.notation.last_game import LastGame
from chesslm.notation.registry import default_notation
from chesslm.notation.uci_squares import PROMOTION_LETTERS, load
from chesslm.san import ERROR_KINDS
from chesslm.written_game import read_written_game

SQUARES = default_notation("uci_squares")
ROOKS_AND_KINGS = "r3k2r/8/8/8/8/8/8/R3K2R"


def ids(text: str) -> list[int]:
    """Ids of token strings set apart by spaces."""
    return [SQUARES.vocabulary.id_of(token) for token in text.split()]


def cut(uci: str) -> list[int]:
    """A move's text in tokens: squares as far as there are two characters."""
    return [SQUARES.vocabulary.id_of(part) for part in (uci[:2], uci[2:4], *uci[4:]) if part]


def test_a_game_reads_as_uci_writes_it() -> None:
    game = Game("", ("e4", "d5", "e5", "f5", "exf6", "Kf7", "fxg7", "Nf6", "gxh8=N+"), "1-0")
    written = SQUARES.encode_game(game).ids
    assert SQUARES.text(written) == "<begin> e2e4 d7d5 e4e5 f7f5 e5f6 e8f7 f6g7 g8f6 g7h8n 1-0 <end>"
    assert len(written) == 2 * 9 + 1 + 3
    assert SQUARES.decode_game(written) == game


def test_every_square_letter_and_result_is_one_token() -> None:
    assert SQUARES.vocabulary.tokens[7:] == (*chess.SQUARE_NAMES, *PROMOTION_LETTERS)
    assert len(SQUARES.vocabulary) == 3 + 4 + 64 + 4
    assert not SQUARES.vocabulary.mark_ids


def test_text_that_is_no_game_is_shown_token_by_token() -> None:
    assert SQUARES.text(ids("q e2 e4 q e7 e8 q q a1 1-0 b2 b2 b3")) == "q e2e4 q e7e8q q a1 1-0 b2b2 b3"
    assert SQUARES.text([]) == ""


SETTLED = ["e2 e4", "e7 e8", "e7 e8 q", "d2 c1 n", "a7 h8 b", "e2 e2"]
UNSETTLED = ["", "e2", "e7"]
IMPOSSIBLE = [
    "q",
    "e2 q",
    "e7 b",
    "e2 e4 q",
    "e2 e4 e5",
    "e7 e8 q q",
    "e7 e8 e7",
    "d1 d2 q",
    "1-0",
    "e2 1-0",
    "e7 e8 <end>",
]


@pytest.mark.parametrize(
    ("text", "complete"),
    [(text, answer) for texts, answer in ((SETTLED, True), (UNSETTLED, False), (IMPOSSIBLE, None)) for text in texts],
)
def test_the_grammar_says_when_a_move_is_settled(text: str, complete: bool | None) -> None:
    assert SQUARES.is_complete(chess.Board(), ids(text)) is complete


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [
        ("e7 e8", True),
        ("a2 b1", True),
        ("e2 e4", False),
        ("e8 e7", False),
        ("e7", False),
        ("e7 e8 q", False),
        ("", False),
    ],
)
def test_a_letter_may_follow_the_last_rank_alone(text: str, goes_on: bool) -> None:
    assert SQUARES.continuations(ids(text)) == (set(ids("n b r q")) if goes_on else frozenset())


def test_a_rook_that_reaches_the_last_rank_and_a_pawn_that_does_are_told_apart_by_the_board() -> None:
    board = chess.Board("8/P3R3/6k1/8/8/8/8/4K3 w - - 0 1")
    assert SQUARES.read(board, ids("e7 e8")) == chess.Move.from_uci("e7e8")
    assert SQUARES.read(board, ids("a7 a8 r")) == chess.Move.from_uci("a7a8r")
    spelt = {tuple(SQUARES.spell(board, move)) for move in board.legal_moves}
    assert {tuple(ids(f"a7 a8 {letter}")) for letter in "nbrq"} < spelt
    assert tuple(ids("e7 e8")) in spelt
    assert tuple(ids("a7 a8")) not in spelt


def test_castling_is_the_kings_move_of_two_squares() -> None:
    for turn, rank in (("w", 1), ("b", 8)):
        board = chess.Board(f"{ROOKS_AND_KINGS} {turn} KQkq - 0 1")
        for end, san in (("g", "O-O"), ("c", "O-O-O")):
            spelt = ids(f"e{rank} {end}{rank}")
            assert SQUARES.spell(board, board.parse_san(san)) == spelt
            assert board.is_castling(SQUARES.read(board, spelt))
        # As the king taking its rook it is no wording, though python-chess plays it.
        assert SQUARES.spell(board, chess.Move.from_uci(f"e{rank}h{rank}")) == ids(f"e{rank} g{rank}")


def test_a_board_that_castled_by_the_rooks_square_is_written_alike() -> None:
    usual, odd = chess.Board(), chess.Board()
    for uci in ("g1f3", "g8f6", "g2g3", "g7g6", "f1g2", "f8g7"):
        usual.push_uci(uci)
        odd.push_uci(uci)
    usual.push_uci("e1g1")
    odd.push(chess.Move.from_uci("e1h1"))
    assert usual.board_fen() == odd.board_fen()
    assert SQUARES.prompt(usual) == SQUARES.prompt(odd)


@pytest.mark.parametrize("piece", ["R", "Q"])
def test_the_same_squares_of_another_piece_are_not_castling(piece: str) -> None:
    board = chess.Board(f"3k4/8/8/8/8/8/8/K3{piece}3 w - - 0 1")
    move = SQUARES.read(board, ids("e1 g1"))
    assert not board.is_castling(move)
    assert board.san(move).startswith(f"{piece}g1")
    blocked = chess.Board(f"3k4/8/8/8/8/8/8/K3{piece}B2 w - - 0 1")
    with pytest.raises(MoveTextError, match="path blocked"):
        SQUARES.read(blocked, ids("e1 g1"))


def test_a_game_with_the_same_squares_for_king_and_rook_is_that_game() -> None:
    """White castles, and later a rook goes from e1 to g1."""
    line = "e4 e5 Nf3 Nc6 Bc4 Bc5 O-O Nf6 Re1 O-O Kh1 d6 Rg1"
    game = Game("", tuple(line.split()), "*")
    written = SQUARES.encode_game(game).ids
    assert SQUARES.text(written).count("e1g1") == 2
    assert SQUARES.decode_game(written) == game


# A position (placement, side, castling, en passant; START by name): the texts that are no move there.
TABLES: dict[str, str] = {
    "unreadable": """
        START | e2e2 e2 e2q q a1a1 e2e4q e7e8qq
        8/P5k1/8/8/8/8/8/4K3 w - - | a7 a7q a7a7 a7a8qn
    """,
    "promotion missing or impossible": """
        8/P5k1/8/8/8/8/8/4K3 w - - | a7a8
        1n6/P5k1/8/8/8/8/8/4K3 w - - | a7b8 a7a8
        4k3/8/8/8/8/8/p7/1N2K3 b - - | a2a1 a2b1
        8/R7/6k1/8/8/8/8/4K3 w - - | a7a8q a7a8n
        4k3/8/8/8/8/8/r7/4K3 b - - | a2a1r
        8/K5k1/8/8/8/8/8/8 w - - | a7a8b a7b8q
    """,
    "no such piece": """
        START | e4e5 e7e5 e8g8 d5d6 e7e8q g8f6
        8/P5k1/8/8/8/8/8/4K3 w - - | b7b8 b7b8q g7g8
        r3k2r/8/8/8/8/8/8/R3K2R b KQkq - | e1g1 a1a2 h1g1
    """,
    "piece doesn't move so": """
        START | e2e5 e2d3 g1g3 a1b2 b1b3 e1g2 d1c3 e1g3
        4k3/8/8/8/8/8/8/R3K3 w - - | e1e3 a1b3 e1c3
        8/P5k1/8/8/8/8/8/4K3 w - - | a7b8q a7b8 a7h8n
        4k3/8/8/4p3/8/8/8/4K3 b - - | e5e3 e5d4 e5e6
    """,
    "path blocked": """
        START | a1a3 c1e3 d1d3 f1b5 h1h5 d1h5
        4k3/8/8/8/8/4p3/4P3/4K3 w - - | e2e4 e2e3
        1n2k3/1P6/8/8/8/8/8/4K3 w - - | b7b8q b7b8
        3k4/8/8/8/8/8/8/4RB1K w - - | e1g1
    """,
    "own piece on the square": """
        START | a1a2 b1d2 e1e2 d1c1 c1d2
        r3k2r/8/8/8/8/8/8/R3K2R b kq - | a8e8 h8e8
        4k3/8/8/8/8/8/8/R3K2R w KQ - | a1e1 h1e1
    """,
    "leaves the king in check": """
        4k3/8/8/8/8/4r3/8/4K3 w - - | e1e2
        4k3/8/8/8/4r3/8/4N3/4K3 w - - | e2c3 e2g1
        4k3/8/8/8/4r3/8/P7/4K3 w - - | a2a4 a2a3
        8/8/8/K2pP2r/8/8/8/4k3 w - d6 | e5d6
    """,
    "castling not allowed": """
        4k3/8/8/8/8/8/8/R3K2R w - - | e1g1 e1c1
        4k3/8/8/8/4r3/8/8/R3K2R w KQ - | e1g1 e1c1
        4k3/8/8/8/5r2/8/8/R3K2R w KQ - | e1g1
        4k3/8/8/8/3r4/8/8/R3K2R w KQ - | e1c1
        START | e1g1 e1c1
        r3k2r/8/8/8/8/8/8/R3K2R b KQ - | e8g8 e8c8
        r3kb1r/8/8/8/8/8/8/4K3 b kq - | e8g8
    """,
}


def rows(kind: str) -> Iterator[tuple[str, str]]:
    """Position and text."""
    for line in TABLES[kind].strip().splitlines():
        position, _, texts = line.strip().partition(" | ")
        for text in texts.split():
            yield chess.STARTING_FEN if position == "START" else f"{position} 0 1", text


@pytest.mark.parametrize("kind", TABLES)
def test_why_squares_are_no_move(kind: str) -> None:
    for fen, text in rows(kind):
        board = chess.Board(fen)
        assert board.is_valid(), fen
        with pytest.raises(MoveTextError) as caught:
            SQUARES.read(board, cut(text))
        assert caught.value.kind == kind, (fen, text)


NEVER = {"wrong colour", "null move", "ambiguous", "needless disambiguation", "wrong capture mark"}


def test_kinds_that_squares_cannot_commit_are_the_others() -> None:
    assert set(TABLES) == set(ERROR_KINDS) - NEVER


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_tokens_are_a_legal_move_or_one_kind_of_error(data: st.DataObject) -> None:
    board = chess.Board()
    for _ in range(data.draw(st.integers(0, 40))):
        moves = list(board.legal_moves)
        if not moves:
            break
        board.push(data.draw(st.sampled_from(moves)))
    size = len(SQUARES.vocabulary)
    some = data.draw(
        st.lists(st.integers(0, size - 1), max_size=5) | st.lists(st.integers(7, size - 1), min_size=2, max_size=3)
    )
    legal = [move for move in board.legal_moves if SQUARES.spell(board, move) == some]
    if legal:
        assert [SQUARES.read(board, some)] == legal
        assert SQUARES.is_complete(board, some) is True
    else:
        with pytest.raises(MoveTextError) as caught:
            SQUARES.read(board, some)
        assert caught.value.kind in TABLES


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_tokens_are_read_as_far_as_they_are_a_game(data: st.DataObject) -> None:
    """What a model writes by itself, damaged: the reader ends at the first illegal move, and never fails."""
    board = chess.Board()
    generator = random.Random(data.draw(st.integers(0, 2**32)))
    while len(board.move_stack) < 30 and (moves := list(board.legal_moves)):
        board.push(generator.choice(moves))
    written, spans = dataclasses.astuple(SQUARES.encode_game(Game("", tuple(board_san(board)), "0-1")))
    place = data.draw(st.integers(0, len(written)))
    damaged = written[:place] + data.draw(st.lists(st.integers(0, len(SQUARES.vocabulary) - 1), max_size=6))
    damaged += written[place:]
    game = read_written_game(SQUARES, damaged)
    replayed = chess.Board()
    for ply in game.plies:
        if ply.move is not None:
            assert ply.move in replayed.legal_moves
            replayed.push(ply.move)
    # The last ply before the damage may have become another: a letter was put behind it.
    assert game.num_legal_plies >= sum(end <= place for _, end in spans) - 1
    try:
        decoded = SQUARES.decode_game(damaged)
    except FormatError:
        return
    assert SQUARES.encode_game(decoded).ids == damaged


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32), result=st.sampled_from(RESULTS))
def test_a_game_that_was_written_is_read_as_its_moves(seed: int, result: str) -> None:
    generator, board = random.Random(seed), chess.Board()
    while len(board.move_stack) < 140 and (moves := list(board.legal_moves)):
        odd = [move for move in moves if move.promotion or board.is_castling(move) or board.is_en_passant(move)]
        board.push(generator.choice(odd or moves))
    game = Game("", tuple(board_san(board)), result)
    written = SQUARES.encode_game(game)
    assert [SQUARES.text(written.ids[start:end]) for start, end in written.spans] == [m.uci() for m in board.move_stack]
    assert SQUARES.decode_game(written.ids) == game
    assert [ply.move for ply in read_written_game(SQUARES, written.ids).plies] == board.move_stack


@pytest.mark.parametrize(
    "text", ["e2 e5", "e2", "e2 e4 e7", "e2 e4 e2 e4", "q", "e2 e4 q e7 e5", "e1 h1", "e2 e4 e7 e5 e1 g1"]
)
def test_squares_that_are_no_legal_game_are_refused(text: str) -> None:
    vocabulary = SQUARES.vocabulary
    whole = [vocabulary.begin_id, *ids(text), vocabulary.result_ids["*"], vocabulary.end_id]
    with pytest.raises(FormatError, match=r"not a uci_squares game: '.*' is no move \("):
        SQUARES.decode_game(whole)


def test_a_game_that_is_not_legal_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="illegal san"):
        SQUARES.encode_game(Game("", ("e4", "e5", "Ke3"), "*"))
    assert SQUARES.encode_game(Game("", ("e4", "e5", "Ke2"), "*")).spans[-1] == (5, 7)


def test_games_are_replayed_from_where_they_part() -> None:
    last = LastGame()
    for line in ("e4 e5 Nf3 Nc6", "e4 e5", "e4 e5 Nf3 Nc6 Bb5", "e4 c5", "", "d4", "d4 Nf6 c4"):
        board = chess.Board()
        for san in line.split():
            board.push_san(san)
        assert last.moves(line.split()) == board.move_stack
        last.moves(line.split()).clear()


def test_nothing_stands_around_moves() -> None:
    assert list(SQUARES.before(401)) == []
    assert SQUARES.ply_piece("e4", is_white=True) is None
    assert SQUARES.move_piece(chess.Move.from_uci("e7e8q")) == (tuple(ids("e7 e8 q")), ())
    board = chess.Board()
    board.push_san("e4")
    assert SQUARES.prompt(board) == SQUARES.end_prompt(board) == ids("<begin> e2 e4")
    assert SQUARES.san_of(ids("e2 e4")) is None


def test_another_vocabulary_is_refused() -> None:
    with pytest.raises(FormatError, match=r"run 7: its vocabulary has fingerprint"):
        load("uci_squares", default_notation("pgn").resources(), "run 7")
