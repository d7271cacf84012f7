"""Notations over foreign tokenizers keep the law, and cut games where they say they do."""

from __future__ import annotations

from typing import Any

import chess
import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from chesslm.errors import FormatError, IllegalMove, MoveTextError, UnreadableMove, UnsupportedPosition
from chesslm.game import Game
from chesslm.notation.text_notation import TextNotation
from chesslm.notation.text_template import TextTemplate
from chesslm.uci_moves import judge_uci

NAMES = [
    "chars-pgn-tight",
    "chars-pgn",
    "chars-san",
    "chars-uci",
    "bpe-pgn",
    "bpe-san",
    "merged-tight",
    "llama-uci",
    "words-san",
    "words-uci",
]


def made(tokeniser: Tokenizer, text: Any, begin_id: int | None = None, **template: Any) -> TextNotation:
    size = tokeniser.get_vocab_size()
    form = TextTemplate(text=text, **template)
    return TextNotation(tokeniser, form, num_ids=size, begin_id=begin_id, end_id=None, source="here")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "words-san"])
def test_a_game_is_its_prompts_spellings_and_follows(shelf: Any, name: str) -> None:
    notation = shelf.load(name).notation
    board = shelf.random_board(2, 60)
    game = Game("", tuple(shelf.sans_of(board)), "0-1")
    written = notation.encode_game(game)
    replay = chess.Board()
    for (start, end), move in zip(written.spans, board.move_stack, strict=True):
        assert notation.prompt(replay) == written.ids[:start]
        assert notation.spell(replay, move) == written.ids[start:end] == notation.spellings(replay, move)[0]
        follow = notation.follow(replay, move)
        replay.push(move)
        assert notation.end_prompt(replay) == written.ids[: end + len(follow)]
    assert notation.decode_game(written.ids) == game
    with pytest.raises(FormatError):
        notation.decode_game(written.ids[:-1])
    with pytest.raises(FormatError):
        notation.decode_game([*written.ids[:-3], notation.vocabulary.pad_id, *written.ids[-2:]])


@pytest.mark.parametrize("name", NAMES)
def test_every_spelling_of_every_legal_move_reads_back(shelf: Any, name: str) -> None:
    notation = shelf.load(name).notation
    for board in (chess.Board(), shelf.castling_board(), shelf.promotion_board()):
        seen: set[tuple[int, ...]] = set()
        for move in board.legal_moves:
            try:
                every = notation.spellings(board, move)
            except UnsupportedPosition:
                assert name == "words-san"
                continue
            for ids in every:
                assert notation.read(board, ids) == move
                assert notation.is_complete(board, ids) is True
                assert ids[0] not in notation.vocabulary.not_a_first_token_ids
                assert not set(ids) & notation.vocabulary.not_a_move_ids
                assert tuple(ids) not in seen
                seen.add(tuple(ids))
                for length in range(1, len(ids)):
                    is_begun = notation.is_complete(board, ids[:length]) is False
                    assert is_begun or ids[length] in notation.continuations(ids[:length])


def test_chess_gpt_s_text_is_cut_into_its_characters(shelf: Any) -> None:
    notation = shelf.load("chars-pgn-tight").notation
    board = chess.Board()
    assert notation.text(notation.prompt(board)) == ";1."
    board.push_san("e4")
    assert notation.text(notation.prompt(board)) == ";1.e4 "
    board.push_san("e5")
    assert notation.text(notation.end_prompt(board)) == ";1.e4 e5"
    assert notation.text(notation.prompt(board)) == ";1.e4 e5 2."
    assert notation.text(notation.spell(board, board.parse_san("Nf3"))) == "Nf3"
    assert notation.vocabulary.mark_ids == {shelf.CHARACTERS.index("+"), shelf.CHARACTERS.index("#")}


def test_a_space_that_tokens_begin_with_belongs_to_the_move(shelf: Any) -> None:
    notation = shelf.load("bpe-pgn").notation
    board = chess.Board()
    assert notation.text(notation.prompt(board)) == "<|endoftext|>1."
    ids = notation.spell(board, board.parse_san("Nf3"))
    assert notation.text(ids) == " Nf3"
    assert notation.is_complete(board, []) is False
    # Without the space it would be another word: `1.Nf3`.
    with pytest.raises(UnreadableMove):
        notation.read(board, shelf.byte_level().encode("Nf3").ids)


def test_a_mark_within_the_move_s_token_makes_further_wordings(shelf: Any) -> None:
    notation = shelf.load("words-san").notation
    board = shelf.castling_board()
    board.push_san("Bb5")
    words = [san for san in shelf.SAN_WORDS if san.startswith("O-O-O")]
    spelt = notation.spellings(board, board.parse_san("O-O-O"))
    assert {notation.text(ids).strip() for ids in spelt} == set(words) & {"O-O-O", "O-O-O+", "O-O-O#"}
    assert notation.vocabulary.marks == ()


def test_a_move_without_a_token_can_not_be_written(shelf: Any) -> None:
    notation = made(shelf.word_level(["e4", "e5", "Nf3", "Nc6", "a4"]), "san", begin_id=1)
    board = chess.Board()
    assert notation.spellings(board, board.parse_san("d4")) == []
    with pytest.raises(UnsupportedPosition, match="no tokens for 'd4'"):
        notation.spell(board, board.parse_san("d4"))
    with pytest.raises(UnsupportedPosition, match=r"no tokens for 'd4' \(ply 0\)"):
        notation.encode_game(Game("", ("d4",), "*"))


def test_castling_goes_on_to_the_other_side(shelf: Any) -> None:
    notation = shelf.load("chars-pgn").notation
    ids = [shelf.CHARACTERS.index(character) for character in "O-O"]
    assert notation.is_complete(chess.Board(), ids) is True
    assert notation.continuations(ids) == {shelf.CHARACTERS.index("-")}


def test_a_pair_of_squares_goes_on_to_a_promotion(shelf: Any) -> None:
    notation = shelf.load("chars-uci").notation
    alphabet = shelf.CHARACTERS + "nqr"
    ids = [alphabet.index(character) for character in "a7b8"]
    assert {alphabet[token] for token in notation.continuations(ids)} == {"q", "r", "b", "n"}
    board = shelf.promotion_board()
    assert notation.read(board, [*ids, alphabet.index("q")]) == chess.Move.from_uci("a7b8q")
    with pytest.raises(IllegalMove) as caught:
        notation.read(board, ids)
    assert caught.value.kind == "promotion missing or impossible"
    assert notation.san_of(ids) is None


@pytest.mark.parametrize(
    ("moves", "text", "kind"),
    [
        ("", "e2e5", "piece doesn't move so"),
        ("", "e3e4", "no such piece"),
        ("", "e7e5", "no such piece"),
        ("", "e2e2", "unreadable"),
        ("", "e9e4", "unreadable"),
        ("", "0000", "null move"),
        ("", "a1a3", "path blocked"),
        ("", "a1a2", "own piece on the square"),
        ("", "e1g1", "castling not allowed"),
        ("e4 f5 a3 g5 a4 a6", "d1h5", None),
        ("f3 e5 a3 Qh4+", "a3a4", "leaves the king in check"),
        ("e4 e5 Nf3 Nc6 Bb5 a6", "e1g1", None),
        ("e4 e5 Nf3 Nc6 Bb5 a6", "e1h1", "piece doesn't move so"),
        ("a4 b5 axb5 a6 bxa6 h6 a7 h5", "a7b8", "promotion missing or impossible"),
    ],
)
def test_uci_moves_are_judged_strictly(moves: str, text: str, kind: str | None) -> None:
    board = chess.Board()
    for san in moves.split():
        board.push_san(san)
    if kind is None:
        assert judge_uci(board, text) == chess.Move.from_uci(text)
        return
    with pytest.raises(MoveTextError) as caught:
        judge_uci(board, text)
    assert caught.value.kind == kind


def test_tokenizers_that_do_not_fit_are_refused(shelf: Any) -> None:
    lower = shelf.byte_level()
    lower.normalizer = normalizers.Lowercase()
    with pytest.raises(FormatError, match="doesn't keep the text"):
        made(lower, "pgn", 0)
    crossing = Tokenizer(models.WordLevel({text: i for i, text in enumerate(["1. e4 e5", " 2. Nf3 Nc6"])}))
    crossing.pre_tokenizer = pre_tokenizers.Split(Regex(r"1\. e4 e5| 2\. Nf3 Nc6"), "isolated")
    with pytest.raises(FormatError, match=r"can't write '1\. e4 e5 2\. Nf3 Nc6'"):
        made(crossing, "pgn", 0)
    with pytest.raises(FormatError, match="nothing stands before"):
        made(shelf.characters(), "san")
    with pytest.raises(FormatError, match="32 ids, its weights know 9"):
        TextNotation(shelf.characters(), TextTemplate(text="pgn"), num_ids=9, begin_id=None, end_id=None, source="here")


def test_games_that_are_none_are_refused(shelf: Any) -> None:
    notation = shelf.load("chars-uci").notation
    with pytest.raises(ValueError, match="not SAN"):
        notation.encode_game(Game("", ("e4", "e5-e6"), "*"))
    with pytest.raises(ValueError, match="unknown result"):
        notation.encode_game(Game("", ("e4",), "2-0"))
    with pytest.raises(ValueError, match="e2e5 is not legal"):
        notation.spell(chess.Board(), chess.Move.from_uci("e2e5"))
    board = chess.Board("4k3/8/8/8/8/8/4P3/4K3 w - - 0 1")
    with pytest.raises(UnsupportedPosition):
        notation.prompt(board)
