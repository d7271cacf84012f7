"""What every notation promises, on games that castle, promote, check and repeat more than people do."""

from __future__ import annotations

import itertools
import random

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.errors import FormatError, UnsupportedPosition
from chesslm.game import RESULTS, Game, board_san
from chesslm.notation import Notation
from chesslm.notation.registry import NOTATION_MODULES, default_notation

ODD_SQUARES = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKB1R w KQkq - 0 1"


def odd_board(generator: random.Random, num_plies: int) -> chess.Board:
    """A random game that likes castling, en passant, promotions and advanced pawns."""
    board = chess.Board()
    while len(board.move_stack) < num_plies:
        moves = list(board.legal_moves)
        if not moves:
            break
        weights = [
            30
            if move.promotion or board.is_castling(move) or board.is_en_passant(move)
            # pawns run, and are seldom taken by pieces, so that some arrive
            else (4 if board.piece_type_at(move.from_square) == chess.PAWN else 0.2 if board.is_capture(move) else 1)
            for move in moves
        ]
        board.push(generator.choices(moves, weights)[0])
    return board


@pytest.fixture(scope="module", params=NOTATION_MODULES)
def notation(request: pytest.FixtureRequest) -> Notation:
    return default_notation(request.param)


def assert_law(notation: Notation, game: Game, board: chess.Board) -> None:
    """The law of `chesslm.notation.base` at every ply, and the round trip."""
    encoded = notation.encode_game(game)
    decoded = notation.decode_game(encoded.ids)
    assert (decoded.san, decoded.result, decoded.id) == (game.san, game.result, "")
    replayed = chess.Board()
    for ply, move in enumerate(board.move_stack):
        prompt, spelling = notation.prompt(replayed), notation.spell(replayed, move)
        end_prompt = notation.end_prompt(replayed)
        assert prompt[: len(end_prompt)] == end_prompt
        assert encoded.spans[ply] == (len(prompt), len(prompt) + len(spelling))
        so_far = prompt + spelling + notation.follow(replayed, move)
        assert encoded.ids[: len(so_far)] == so_far
        replayed.push(move)
    result = notation.vocabulary.result_ids[game.result]
    assert encoded.ids == [*notation.end_prompt(replayed), result, notation.vocabulary.end_id]
    assert not set(encoded.ids[1:-2]) & notation.vocabulary.not_a_move_ids


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**32), result=st.sampled_from(RESULTS))
def test_a_game_is_its_prompts_spellings_and_follows(notation: Notation, seed: int, result: str) -> None:
    board = odd_board(random.Random(seed), 120)
    assert_law(notation, Game("", tuple(board_san(board)), result), board)


def test_a_game_of_many_plies_keeps_the_law(notation: Notation) -> None:
    board = odd_board(random.Random(11), 330)
    assert len(board.move_stack) > 200
    assert_law(notation, Game("", tuple(board_san(board)), "1/2-1/2"), board)


def test_a_game_without_moves_keeps_the_law(notation: Notation) -> None:
    assert_law(notation, Game("", (), "*"), chess.Board())


def test_a_mated_board_can_still_be_followed_by_a_result(notation: Notation) -> None:
    board = chess.Board()
    for san in ("f3", "e5", "g4"):
        board.push_san(san)
    mate = board.parse_san("Qh4#")
    assert bool(notation.follow(board, mate)) is bool(notation.vocabulary.marks)
    ids = notation.prompt(board) + notation.spell(board, mate) + notation.follow(board, mate)
    board.push(mate)
    assert notation.end_prompt(board) == ids


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32), num_plies=st.integers(0, 130))
def test_every_wording_of_every_legal_move_reads_back(notation: Notation, seed: int, num_plies: int) -> None:
    board = odd_board(random.Random(seed), num_plies)
    moves: dict[tuple[int, ...], chess.Move] = {}
    texts = set()
    for move in board.legal_moves:
        every = notation.spellings(board, move)
        assert every[0] == notation.spell(board, move)
        for ids in every:
            assert tuple(ids) not in moves
            moves[tuple(ids)] = move
            texts.add(notation.text(ids))
            assert notation.read(board, ids) == move
            assert notation.is_complete(board, ids) is True
            if (san := notation.san_of(ids)) is not None:
                assert board.parse_san(san) == move
            assert ids[0] not in notation.vocabulary.not_a_first_token_ids
            assert not set(ids) & notation.vocabulary.not_a_move_ids
    assert len(texts) == len(moves)
    for ids in moves:
        for length in range(len(ids)):
            goes_on = ids[length] in notation.continuations(ids[:length])
            assert goes_on or ids[:length] not in moves, "a spelling is a prefix of another"
            assert notation.is_complete(board, ids[:length]) is goes_on
        for special in (notation.vocabulary.begin_id, *notation.vocabulary.result_ids.values()):
            assert notation.is_complete(board, (*ids[:-1], special)) is None
    texts_in_order = sorted(texts)
    prefixes = {a for a, b in itertools.pairwise(texts_in_order) if b.startswith(a)}
    assert prefixes <= ({"O-O"} if notation.name == "char" else set())


@settings(deadline=None, max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_a_board_is_written_alike_whatever_was_asked_before(notation: Notation, seed: int) -> None:
    generator = random.Random(seed)
    board, fresh = odd_board(generator, 60), default_notation(notation.name)
    boards = []
    while board.move_stack:
        boards.append(board.copy())
        board.pop()
    generator.shuffle(boards)
    for some in boards[:5]:
        assert notation.prompt(some) == default_notation(notation.name).prompt(some) == fresh.prompt(some.copy())


def test_what_a_caller_does_to_its_ids_changes_nothing(notation: Notation) -> None:
    board = chess.Board()
    board.push_san("e4")
    move = board.parse_san("e5")
    for ask in (notation.prompt, notation.end_prompt):
        before = list(ask(board))
        ask(board).clear()
        assert ask(board) == before
    before = notation.spell(board, move)
    notation.spell(board, move).clear()
    notation.spellings(board, move)[0].clear()
    assert notation.spell(board, move) == before
    assert board.fen() == "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1"


def test_forgetting_changes_nothing(notation: Notation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chesslm.notation.history._MAX_PLIES", 40)
    monkeypatch.setattr("chesslm.notation.san_notation._MAX_REMEMBERED", 3)
    monkeypatch.setattr("chesslm.san._CACHE_LEN", 3)
    forgetful = default_notation(notation.name)
    for seed in range(4):
        board = odd_board(random.Random(seed), 50)
        assert_law(forgetful, Game("", tuple(board_san(board)), "*"), board)
        assert forgetful.prompt(board) == notation.prompt(board)


def test_a_game_from_another_position_is_not_supported(notation: Notation) -> None:
    board = chess.Board(ODD_SQUARES)
    board.push_san("e4")
    for ask in (notation.prompt, notation.end_prompt):
        with pytest.raises(UnsupportedPosition, match="began at rnbqkbnr"):
            ask(board)


def test_a_null_move_in_the_game_is_not_supported(notation: Notation) -> None:
    board = chess.Board()
    board.push(chess.Move.null())
    with pytest.raises(UnsupportedPosition, match="ply 0"):
        notation.prompt(board)


def test_only_legal_moves_are_spelt(notation: Notation) -> None:
    with pytest.raises(ValueError, match="e2e5 is not legal"):
        notation.spell(chess.Board(), chess.Move.from_uci("e2e5"))


def test_a_game_that_is_not_san_is_refused(notation: Notation) -> None:
    with pytest.raises(ValueError, match="'e5-e6' is not SAN"):
        notation.encode_game(Game("", ("e4", "e5-e6"), "*"))
    with pytest.raises(ValueError, match="unknown result"):
        notation.encode_game(Game("", ("e4",), "2-0"))


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_only_whole_games_are_decoded(notation: Notation, data: st.DataObject) -> None:
    game = Game("", ("e4", "e5", "Nf3", "Nc6", "Bb5", "a6", "Bxc6", "dxc6", "O-O"), "0-1")
    ids = list(notation.encode_game(game).ids)
    place = data.draw(st.integers(0, len(ids) - 1))
    kind = data.draw(st.sampled_from(["cut", "lost", "other"]))
    if kind == "cut":
        ids = ids[:place]
    elif kind == "lost":
        del ids[place]
    else:
        ids[place] = data.draw(st.integers(0, len(notation.vocabulary) + 3))
    try:
        decoded = notation.decode_game(ids)
    except FormatError:
        return
    # What is left is a game all the same (another square, a mark lost): then it is the game that these ids write.
    assert [san.rstrip("+#") for san in decoded.san]
    assert notation.vocabulary.result_ids[decoded.result] == ids[-2]
    assert len(decoded.san) in (len(game.san) - 1, len(game.san))
    if notation.name != "english_varied":
        assert notation.encode_game(decoded).ids == ids


def test_ids_outside_the_vocabulary_are_no_game(notation: Notation) -> None:
    vocabulary = notation.vocabulary
    frame = [vocabulary.begin_id, vocabulary.result_ids["*"], vocabulary.end_id]
    assert notation.decode_game(frame) == Game("", (), "*")
    for wrong in (-1, len(vocabulary), vocabulary.pad_id, vocabulary.begin_id):
        with pytest.raises(FormatError, match="can't stand at place 1"):
            notation.decode_game([frame[0], wrong, *frame[1:]])
    with pytest.raises(FormatError, match="needs a begin"):
        notation.decode_game(frame[1:])
    with pytest.raises(FormatError, match="no result"):
        notation.decode_game([frame[0], frame[0], frame[2]])
