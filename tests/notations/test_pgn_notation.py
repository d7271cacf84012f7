"""The pgn notation: its computed vocabulary, its grammar of tokens, and what it refuses."""

from __future__ import annotations

import itertools
import json

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import FormatError, GameTooLong, IllegalMove, MoveTextError, UnreadableMove
from chesslm.game import Game
from chesslm.notation.pgn import MAX_MOVE_NUMBER, PgnNotation, build, load, pgn_vocabulary

NOTATION = build("pgn", ())
CASTLING = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1"


def ids_of(*tokens: str) -> list[int]:
    return [NOTATION.vocabulary.id_of(token) for token in tokens]


def test_the_vocabulary_is_as_large_as_its_parts() -> None:
    vocabulary = pgn_vocabulary()
    assert len(vocabulary) == 3 + 4 + 200 + 6 + 5 + 64 + 8 + 8 == 298
    assert (vocabulary.begin_id, vocabulary.end_id, vocabulary.pad_id) == (0, 1, 2)
    assert set(chess.SQUARE_NAMES) | set("NBRQKabcdefgh12345678x+#=") | {"1.", "200.", "O-O", "1/2-1/2"} <= set(
        vocabulary.tokens
    )
    assert vocabulary.mark_ids == set(ids_of("+", "#"))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((), False),
        (("e4",), True),
        (("e",), False),
        (("e", "x"), False),
        (("e", "x", "d5"), True),
        (("e", "d5"), True),
        (("e", "2"), False),
        (("e", "2", "e4"), True),
        (("e8",), False),
        (("e8", "="), False),
        (("e8", "=", "Q"), True),
        (("e1", "=", "K"), True),
        (("e", "x", "d1"), False),
        (("N",), False),
        (("N", "b"), False),
        (("N", "b", "d7"), True),
        (("N", "1", "x", "d7"), True),
        (("Q", "h", "4", "e1"), True),
        (("K", "e8"), True),
        (("O-O",), True),
        (("O-O-O",), True),
        (("x",), None),
        (("4",), None),
        (("+",), None),
        (("=",), None),
        (("1.",), None),
        (("1-0",), None),
        (("<pad>",), None),
        (("N", "O-O"), None),
        (("N", "4", "b"), None),
        (("e4", "e5"), None),
        (("e4", "+"), None),
        (("e8", "Q"), None),
        (("e4", "="), None),
        (("e8", "=", "Q", "+"), None),
    ],
)
def test_the_grammar_knows_when_a_move_is_settled(tokens: tuple[str, ...], expected: bool | None) -> None:
    assert NOTATION.is_complete(chess.Board(), ids_of(*tokens)) is expected


@pytest.mark.parametrize(
    ("tokens", "kind"),
    [
        (("e4", "+"), "unreadable"),
        (("1.", "e4"), "unreadable"),
        (("N",), "unreadable"),
        (("1-0",), "unreadable"),
        ((), "unreadable"),
        (("O-O",), "castling not allowed"),
        (("N", "g", "f3"), "needless disambiguation"),
        (("N", "x", "f3"), "wrong capture mark"),
        (("e4", "=", "Q"), "promotion missing or impossible"),
        (("e5",), "piece doesn't move so"),
        (("B", "c4"), "path blocked"),
        (("K", "e2"), "own piece on the square"),
        (("N", "a", "f3"), "no such piece"),
    ],
)
def test_a_wrong_spelling_has_its_kind(tokens: tuple[str, ...], kind: str) -> None:
    with pytest.raises(UnreadableMove if kind == "unreadable" else IllegalMove) as caught:
        NOTATION.read(chess.Board(), ids_of(*tokens))
    assert caught.value.kind == kind


@settings(deadline=None, max_examples=100)
@given(ids=st.lists(st.integers(205, 297), max_size=5))
def test_a_settled_text_reads_as_a_move_or_a_fault_of_chess(ids: list[int]) -> None:
    board = chess.Board(CASTLING)
    text = NOTATION.text(ids)
    legal = {NOTATION.text(NOTATION.spell(board, move)): move for move in board.legal_moves}
    if text in legal:
        assert NOTATION.read(board, ids) == legal[text]
    else:
        with pytest.raises(MoveTextError) as caught:
            NOTATION.read(board, ids)
        assert caught.value.kind != "unreadable" or not NOTATION.is_complete(board, ids)


def test_text_is_movetext() -> None:
    sans = ("Nf3", "d5", "g3", "Bg4", "Bg2", "Qd6", "O-O", "Nd7", "d4", "O-O-O", "Ne5", "Nxe5", "dxe5", "Qxe5")
    encoded = NOTATION.encode_game(Game("", sans, "1/2-1/2"))
    assert NOTATION.text(encoded.ids) == (
        "<begin> 1. Nf3 d5 2. g3 Bg4 3. Bg2 Qd6 4. O-O Nd7 5. d4 O-O-O 6. Ne5 Nxe5 7. dxe5 Qxe5 1/2-1/2 <end>"
    )


def test_text_of_what_is_no_game_is_still_shown() -> None:
    assert NOTATION.text(ids_of("+", "N", "1.", "e4", "#", "#", "x", "x", "<pad>", "=", "8")) == (
        "+ N 1. e4## x x <pad> = 8"
    )


def test_san_of_says_what_is_written_without_judging() -> None:
    assert NOTATION.san_of(ids_of("N", "x", "e5")) == "Nxe5"
    assert NOTATION.san_of(ids_of("N", "x")) == "Nx"
    assert NOTATION.san_of(ids_of("1.", "e4")) is None
    assert NOTATION.san_of(ids_of("<end>")) is None


def shuffling_board(num_plies: int) -> chess.Board:
    board = chess.Board()
    for uci in itertools.islice(itertools.cycle(("g1f3", "g8f6", "f3g1", "f6g8")), num_plies):
        board.push_uci(uci)
    return board


def test_a_move_number_beyond_the_last_is_too_long() -> None:
    board = shuffling_board(2 * MAX_MOVE_NUMBER)
    sans = ("Nf3", "Nf6", "Ng1", "Ng8") * (MAX_MOVE_NUMBER // 2)
    encoded = NOTATION.encode_game(Game("", sans, "*"))
    assert encoded.ids[:-2] == NOTATION.end_prompt(board), "after the last number a result can still be written"
    with pytest.raises(GameTooLong, match="move number 201 has no token; the last is 200"):
        NOTATION.prompt(board)
    with pytest.raises(GameTooLong):
        NOTATION.encode_game(Game("", (*sans, "Nf3"), "*"))
    board.push_uci("g1f3")
    with pytest.raises(GameTooLong):
        NOTATION.end_prompt(board)


def test_a_game_with_wrong_numbers_is_no_game() -> None:
    ids = ids_of("<begin>", "1.", "e4", "e5", "3.", "N", "f3", "*", "<end>")
    with pytest.raises(FormatError, match=r"ply 2 can't be read in '3\. Nf3'"):
        NOTATION.decode_game(ids)


def test_resources_load_again() -> None:
    loaded = load("pgn", NOTATION.resources(), "here")
    assert isinstance(loaded, PgnNotation)
    assert loaded.vocabulary.fingerprint == NOTATION.vocabulary.fingerprint


def test_another_vocabulary_is_refused_with_both_fingerprints() -> None:
    payload = json.loads(NOTATION.resources()["vocabulary.json"])
    payload["tokens"][5:7] = reversed(payload["tokens"][5:7])
    with pytest.raises(FormatError, match=rf"^run 7: .*{NOTATION.vocabulary.fingerprint[:12]}") as caught:
        load("pgn", {"vocabulary.json": json.dumps(payload).encode()}, "run 7")
    assert str(caught.value).count("fingerprint") == 1
    for wrong, message in ((b"{", "is not JSON"), (b"[]", "expected chesslm-vocabulary/1")):
        with pytest.raises(FormatError, match=message):
            load("pgn", {"vocabulary.json": wrong}, "run 7")
    with pytest.raises(FormatError, match=r"no vocabulary\.json"):
        load("pgn", {}, "run 7")
