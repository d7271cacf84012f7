"""Characters of PGN movetext: what only they have, moves that begin other moves."""

import chess
import pytest

from chesslm.errors import AmbiguousMove, FormatError, IllegalMove, UnreadableMove
from chesslm.game import Game
from chesslm.notation.char import CHARACTERS, load
from chesslm.notation.registry import default_notation

CHAR = default_notation("char")


def ids(text: str) -> list[int]:
    return [CHAR.vocabulary.id_of(character) for character in text]


def letters(tokens: frozenset[int]) -> str:
    return "".join(sorted(CHAR.vocabulary.string_of(token) for token in tokens))


def test_a_game_reads_as_movetext() -> None:
    game = Game("", ("e4", "e5", "Nf3", "Nc6", "Bb5", "Nf6", "O-O"), "1/2-1/2")
    written = CHAR.encode_game(game).ids
    assert CHAR.text(written) == "<begin>1. e4 e5 2. Nf3 Nc6 3. Bb5 Nf6 4. O-O 1/2-1/2<end>"
    assert len(written) == len("1. e4 e5 2. Nf3 Nc6 3. Bb5 Nf6 4. O-O ") + 3


def test_every_character_and_result_is_one_token() -> None:
    assert len(CHAR.vocabulary) == 3 + 4 + len(CHARACTERS) == len(set(CHARACTERS)) + 7


SETTLED = "Nb1 Nb1d2 e4 e8=Q exd8=Q O-O O-O-O"
UNSETTLED = "N Nb Nb1d e8 e8= O-O-"
IMPOSSIBLE = "e9 = Nf3+ 2 . O-O-O- eee NN"


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        (text, answer)
        for texts, answer in ((SETTLED, True), (UNSETTLED, False), (IMPOSSIBLE, None))
        for text in texts.split()
    ],
)
def test_the_grammar_says_when_a_move_is_settled(text: str, complete: bool | None) -> None:
    assert CHAR.is_complete(chess.Board(), ids(text)) is complete


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("O-O", "-"),
        ("O-O-O", ""),
        ("Qh4", "abcdefghx"),
        ("Qh4e1", ""),
        ("Nbd7", ""),
        ("e8=Q", ""),
        ("N", ""),
        ("e9", ""),
    ],
)
def test_a_settled_move_may_go_on_to_be_another(text: str, expected: str) -> None:
    assert letters(CHAR.continuations(ids(text))) == expected


def test_a_pawn_move_goes_on_as_pgn_tokens_would() -> None:
    # `e4xd5` can be read, and is judged: needless disambiguation.
    assert letters(CHAR.continuations(ids("e4"))) == "abcdefghx"


def test_only_the_exact_text_of_a_legal_move_is_one() -> None:
    board = chess.Board("r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1")
    assert CHAR.read(board, ids("O-O")) == chess.Move.from_uci("e1g1")
    assert CHAR.read(board, ids("O-O-O")) == chess.Move.from_uci("e1c1")
    with pytest.raises(IllegalMove):
        CHAR.read(board, ids("Ke3"))
    with pytest.raises(UnreadableMove):
        CHAR.read(board, ids("O-O "))
    with pytest.raises(AmbiguousMove):
        CHAR.read(chess.Board("4k3/8/8/8/8/8/4K3/R6R w - - 0 1"), ids("Rd1"))


@pytest.mark.parametrize("text", ["1. e4  e5 ", "1. e4 e5", "1.e4 e5 ", "2. e4 e5 ", "1. e4 e5 e6 ", "1. e4 xx "])
def test_movetext_that_is_written_otherwise_is_no_game(text: str) -> None:
    vocabulary = CHAR.vocabulary
    whole = [vocabulary.begin_id, *ids(text), vocabulary.result_ids["*"], vocabulary.end_id]
    with pytest.raises(FormatError, match="not a char game"):
        CHAR.decode_game(whole)


def test_another_vocabulary_is_refused() -> None:
    with pytest.raises(FormatError, match=r"run 7: its vocabulary has fingerprint"):
        load("char", default_notation("pgn").resources(), "run 7")
