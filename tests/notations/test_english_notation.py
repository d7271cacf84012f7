"""The english notations: their sentences, their grammar, their tokeniser, and what they refuse."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import chess
import pytest

from chesslm.errors import AmbiguousMove, FormatError, IllegalMove, MoveTextError, UnreadableMove
from chesslm.game import Game
from chesslm.notation import Notation
from chesslm.notation.bpe import MAX_ENTRIES
from chesslm.notation.english import build, load
from chesslm.notation.registry import default_notation
from chesslm.notation.wording import WORDINGS, Grammar
from chesslm.san import parse

ENGLISH = default_notation("english")
VARIED = default_notation("english_varied")
NOTATIONS = [ENGLISH, VARIED]
GAMES = [
    Game("", ("e4", "d5", "exd5", "Qxd5", "Nc3", "Qe6+"), "1-0"),
    Game("", ("f3", "e5", "g4", "Qh4#"), "0-1"),
]
SANS = (
    ["O-O", "O-O-O"]
    + [f"{piece}{square}" for piece in ("", *"NBRQK") for square in chess.SQUARE_NAMES]
    + [f"{p}{o}{x}{s}" for p in "NBRQK" for o in ("", "b", "7", "h4") for x in ("", "x") for s in ("a1", "d5", "h8")]
    + [f"{o}{x}{s}" for o in ("b", "b7") for x in ("", "x") for s in ("a1", "d5", "h8")]
)
SANS = sorted(
    {san + promotion for san in SANS for promotion in ("", "=Q", "=N", "=K") if "O" not in san or not promotion}
)


def by_letter(text: str, notation: Notation = ENGLISH) -> list[int]:
    """Ids of a text in a segmentation that no encoder writes."""
    return [notation.vocabulary.id_of(letter) for letter in text]


@pytest.mark.parametrize(
    ("core", "is_white", "expected"),
    [
        ("e4", True, " White moves pawn to e4"),
        ("Nbd7", False, " Black moves knight from file b to d7"),
        ("R1a3", True, " White moves rook from rank 1 to a3"),
        ("Qh4e1", True, " White moves queen from h4 to e1"),
        ("exd5", True, " White captures with pawn from file e on d5"),
        ("Bxc6", True, " White captures with bishop on c6"),
        ("Nbxd7", True, " White captures with knight from file b on d7"),
        ("O-O", False, " Black castles kingside"),
        ("O-O-O", True, " White castles queenside"),
        ("e8=Q", True, " White moves pawn to e8 and promotes to queen"),
        ("exd1=N", False, " Black captures with pawn from file e on d1 and promotes to knight"),
    ],
)
def test_english_says_what_san_says(core: str, is_white: bool, expected: str) -> None:
    assert WORDINGS[0].write(core, is_white=is_white) == expected
    assert Grammar(WORDINGS[:1]).read(expected) == (is_white, core)


def test_every_san_has_its_own_sentence_in_every_wording() -> None:
    grammar = Grammar(WORDINGS)
    texts = {}
    for san in SANS:
        parts = parse(san)
        assert parts is not None
        assert parts.core == san
        for wording in WORDINGS:
            for is_white in (True, False):
                text = wording.write(san, is_white=is_white)
                assert grammar.read(text) == (is_white, san)
                assert text not in texts
                texts[text] = san
    settled = [text for text in texts if grammar.is_settled(text)]
    assert len(settled) > len(texts) / 4
    for text in random.Random(2).sample(settled, 150):
        assert all(grammar.is_settled(text[:length]) is False for length in range(len(text)))
        assert grammar.is_settled(text + " ") is None


def test_a_sentence_of_no_san_is_not_written() -> None:
    for text in ("e9", "--", "e4+", ""):
        with pytest.raises(ValueError, match="is not SAN"):
            WORDINGS[0].write(text, is_white=True)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" White moves pawn", "unreadable"),
        ("White moves pawn to e4", "unreadable"),
        (" White moves pawn to e4.", "unreadable"),
        (" White captures with pawn on d5", "unreadable"),
        (" White moves horse to f3", "unreadable"),
        (" Black moves pawn to e5", "wrong colour"),
        (" Black castles queenside", "wrong colour"),
        (" White moves knight from file g to f3", "needless disambiguation"),
        (" White captures with knight on f3", "wrong capture mark"),
        (" White moves pawn to e4 and promotes to queen", "promotion missing or impossible"),
        (" White moves pawn to e8", "piece doesn't move so"),
        (" White moves knight from file a to f3", "no such piece"),
        (" White moves knight to d4", "piece doesn't move so"),
        (" White moves bishop to c4", "path blocked"),
        (" White moves king to e2", "own piece on the square"),
        (" White castles kingside", "castling not allowed"),
    ],
)
@pytest.mark.parametrize("notation", NOTATIONS, ids=lambda notation: notation.name)
def test_a_wrong_text_has_its_kind(notation: Notation, text: str, kind: str) -> None:
    with pytest.raises(UnreadableMove if kind == "unreadable" else IllegalMove) as caught:
        notation.read(chess.Board(), by_letter(text, notation))
    assert (caught.value.kind, caught.value.text) == (kind, text)


@pytest.mark.parametrize(
    ("fen", "text", "kind"),
    [
        ("4k3/8/8/8/8/5N2/8/1N2K3 w - - 0 1", " White moves knight to d2", "ambiguous"),
        ("4k3/4r3/8/8/8/8/4N3/4K3 w - - 0 1", " White moves knight to c3", "leaves the king in check"),
        ("8/4P1k1/8/8/8/8/8/4K3 w - - 0 1", " White moves pawn to e8", "promotion missing or impossible"),
        (
            "8/4P1k1/8/8/8/8/8/4K3 w - - 0 1",
            " White moves pawn to e8 and promotes to king",
            "promotion missing or impossible",
        ),
    ],
)
def test_a_wrong_text_of_another_position_has_its_kind(fen: str, text: str, kind: str) -> None:
    with pytest.raises(AmbiguousMove if kind == "ambiguous" else IllegalMove) as caught:
        ENGLISH.read(chess.Board(fen), by_letter(text))
    assert caught.value.kind == kind


def test_the_text_is_judged_however_it_is_cut_into_tokens() -> None:
    board = chess.Board()
    text = " White moves knight to f3"
    assert ENGLISH.read(board, by_letter(text)) == chess.Move.from_uci("g1f3")
    assert ENGLISH.is_complete(board, by_letter(text)) is True
    assert ENGLISH.san_of(by_letter(text)) == "Nf3"
    assert ENGLISH.san_of(by_letter(" White moves")) is None


def test_only_varied_english_reads_the_other_wordings() -> None:
    board, text = chess.Board(), " White puts the knight on f3"
    assert VARIED.read(board, by_letter(text, VARIED)) == chess.Move.from_uci("g1f3")
    with pytest.raises(UnreadableMove):
        ENGLISH.read(board, by_letter(text))
    assert ENGLISH.is_complete(board, by_letter(" White puts")) is None


def test_a_pawn_on_the_last_rank_is_not_settled_before_its_piece() -> None:
    board = chess.Board()
    assert ENGLISH.is_complete(board, by_letter(" White moves pawn to e8")) is False
    assert ENGLISH.is_complete(board, by_letter(" White moves pawn to e8 and promotes to queen")) is True
    assert ENGLISH.is_complete(board, by_letter(" White moves pawn to e8.")) is None
    assert ENGLISH.is_complete(board, by_letter(" White moves knight to e8")) is True


def test_all_wordings_are_written() -> None:
    board, seen = chess.Board(), set()
    generator = random.Random(4)
    for _ in range(60):
        move = generator.choice(list(board.legal_moves))
        spelling = VARIED.spell(board, move)
        every = VARIED.spellings(board, move)
        assert len(every) == len(WORDINGS) >= 4
        text = VARIED.text(spelling)
        said = [w.write(str(VARIED.san_of(spelling)), is_white=board.turn) for w in WORDINGS]
        seen.add(said.index(f" {text}"))
        board.push(move)
    assert seen == set(range(len(WORDINGS)))


def test_marks_are_the_words_after_a_move() -> None:
    for notation in NOTATIONS:
        assert set(notation.vocabulary.marks) == {" with", " check", " checkmate"}


def test_squares_and_words_are_single_tokens_in_the_default_vocabularies() -> None:
    for notation in NOTATIONS:
        words = {f" {square}" for square in chess.SQUARE_NAMES} | {" White", " Black", " pawn", " kingside", " from"}
        assert words <= set(notation.vocabulary.tokens)
        assert not [token for token in notation.vocabulary.tokens[7:] if " " in token[1:]], "merges never cross words"
        assert len(notation.vocabulary) <= MAX_ENTRIES


def test_a_result_is_one_token() -> None:
    ids = ENGLISH.encode_game(Game("", (), "1/2-1/2")).ids
    assert [ENGLISH.vocabulary.string_of(token_id) for token_id in ids] == ["<begin>", " The game is drawn.", "<end>"]


def test_text_has_no_space_before_its_first_sentence() -> None:
    ids = ENGLISH.encode_game(GAMES[1]).ids
    assert ENGLISH.text(ids[1:-2]) == (
        "White moves pawn to f3. Black moves pawn to e5. White moves pawn to g4. "
        "Black moves queen to h4 with checkmate."
    )


@pytest.mark.parametrize("name", ["english", "english_varied"])
def test_a_tokeniser_of_few_games_writes_every_move(name: str) -> None:
    notation = build(name, GAMES)
    sans = ("h4", "g5", "hxg5", "h6", "gxh6", "Rh7", "Nc3", "Rg7", "hxg7", "Nf6", "g8=N", "c6", "Rh8", "Qb6", "Rxf8#")
    game = Game("", sans, "1-0")
    assert notation.decode_game(notation.encode_game(game).ids) == game
    board = chess.Board()
    for move in board.legal_moves:
        for ids in notation.spellings(board, move):
            assert notation.read(board, ids) == move
            assert ids[0] not in notation.vocabulary.not_a_first_token_ids


@pytest.mark.parametrize("name", ["english", "english_varied"])
def test_the_same_games_give_the_same_tokeniser(name: str) -> None:
    here = build(name, GAMES).resources()
    assert build(name, list(GAMES)).resources() == here
    code = (
        "import sys; from chesslm.game import Game; from chesslm.notation.english import build; "
        f"resources = build({name!r}, {GAMES!r}).resources(); "
        "sys.stdout.buffer.write(resources['tokenizer.json'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stdout == here["tokenizer.json"]


def test_resources_load_again() -> None:
    for notation in NOTATIONS:
        loaded = load(notation.name, notation.resources(), "here")
        assert loaded.vocabulary.fingerprint == notation.vocabulary.fingerprint
        assert loaded.encode_game(GAMES[0]) == notation.encode_game(GAMES[0])


def test_resources_that_do_not_agree_are_refused() -> None:
    good, other = ENGLISH.resources(), build("english", GAMES).resources()
    mixed = {"vocabulary.json": good["vocabulary.json"], "tokenizer.json": other["tokenizer.json"]}
    with pytest.raises(FormatError, match=ENGLISH.vocabulary.fingerprint[:12]):
        load("english", mixed, "run 7")
    with pytest.raises(FormatError, match=r"run 7: no tokenizer\.json, which english needs"):
        load("english", {"vocabulary.json": good["vocabulary.json"]}, "run 7")
    with pytest.raises(FormatError, match=r"run 7: not a usable tokenizer\.json"):
        load("english", {**good, "tokenizer.json": b"{}"}, "run 7")
    with pytest.raises(FormatError, match=r"run 7: not the tokeniser of english_varied: it has no token"):
        load("english_varied", good, "run 7")


def test_a_tokeniser_with_holes_among_its_ids_is_refused() -> None:
    good = ENGLISH.resources()
    payload = json.loads(good["tokenizer.json"])
    payload["model"]["vocab"][" h5"] = 3_000
    with pytest.raises(FormatError, match="are not 0, 1, 2"):
        load("english", {**good, "tokenizer.json": json.dumps(payload).encode()}, "run 7")


def test_a_game_told_of_the_wrong_side_is_no_game() -> None:
    begin, *plies, result, end = ENGLISH.encode_game(GAMES[1]).ids
    with pytest.raises(FormatError, match="ply 0 is told of the wrong side: e5"):
        ENGLISH.decode_game([begin, *plies[6:], result, end])
    with pytest.raises(FormatError, match="no sentence of a move: ' Whi"):
        ENGLISH.decode_game([begin, *plies[:-1], result, end][:1] + plies[:4] + [result, end])


def test_errors_are_of_one_family() -> None:
    with pytest.raises(MoveTextError, match="' White castles kingside' is no move"):
        ENGLISH.read(chess.Board(), by_letter(" White castles kingside"))
