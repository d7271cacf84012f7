"""Whole games through the real command, typed into standard input."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chess
import chess.pgn
import pytest

from chesslm.errors import PlayerError
from play import opponent as play_opponent
from play.commands import PLAIN

Run = Callable[..., Any]
FOOLS_MATE = {1: "e5", 3: "!Ke7 Qh4#"}
SCHOLARS_MATE = {1: "e5", 3: "Nc6", 5: "Nf6"}


def boards(out: str) -> list[list[str]]:
    """The eight ranks of each board that was drawn."""
    lines = out.splitlines()
    return [lines[at + 1 : at + 9] for at, line in enumerate(lines[:-9]) if line.endswith(("  h", "  a"))][::2]


def games(path: str = "games.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_whole_game_is_won_shown_saved_and_recorded(run: Run, scripted: Any) -> None:
    player = scripted(SCHOLARS_MATE)
    lines = ["e4", "Bc4", "Qh5", "Qxf7#", "save won.pgn", "moves", "quit"]
    played = run("--ledger", "games.jsonl", lines=lines, against=player)
    assert (played.code, played.err) == (0, "")
    assert "Your opponent is scripted (pgn, temperature 0.7, top-p 0.9, seed 3)." in played.out
    assert "scripted played 1... e5   (legal mass 90.0 %)" in played.out
    assert "White wins by checkmate (1-0)." in played.out
    assert "scripted: 3 of its 3 first choices were legal; mean legal mass 90.0 %." in played.out
    assert "Game over> moves\n1. e4 e5 2. Bc4 Nc6 3. Qh5 Nf6 4. Qxf7#\n" in played.out
    assert "unfinished" not in played.out
    with Path("won.pgn").open() as file:
        game = chess.pgn.read_game(file)
    assert game is not None
    assert game.end().board().is_checkmate()
    assert [(line["result"], line["termination"], line["typed"]) for line in games()] == [("1-0", "checkmate", False)]
    assert player.is_closed


def test_what_the_model_wanted_is_shown(run: Run, scripted: Any) -> None:
    played = run(lines=["f3", "g4", "quit"], against=scripted(FOOLS_MATE))
    assert "scripted played 2... Qh4#   (legal mass 90.0 %)\n" in played.out
    assert 'But it wanted "Ke7", which is no legal move here.\nBlack wins by checkmate (0-1).\n' in played.out
    assert "scripted: 1 of its 2 first choices were legal" in played.out


def test_the_board_has_coordinates_names_moves_captures_and_the_last_move(run: Run, scripted: Any) -> None:
    played = run("--plain", lines=["e4", "exd5", "flip"], against=scripted({1: "d5", 3: "Qxd5"}))
    assert boards(played.out)[2] == [
        "  8  ♜  ♞  ♝ [·] ♚  ♝  ♞  ♜   8     Black ♟  scripted",
        "  7  ♟  ♟  ♟     ♟  ♟  ♟  ♟   7     ♙",
        "  6     ·     ·     ·     ·   6     1. e4 d5",
        "  5  ·     · [♛] ·     ·      5     2. exd5 Qxd5",
        "  4     ·     ·     ·     ·   4",
        "  3  ·     ·     ·     ·      3",
        "  2  ♙  ♙  ♙  ♙     ♙  ♙  ♙   2     ♟",
        "  1  ♖  ♘  ♗  ♕  ♔  ♗  ♘  ♖   1     White ♙  you",
    ]
    assert boards(played.out)[3][0] == "  1  ♖  ♘  ♗  ♔  ♕  ♗  ♘  ♖   1     White ♙  you"
    assert max(len(line) for line in played.out.splitlines() if not line.startswith("chesslm")) <= 80


def test_pieces_are_letters_where_the_output_has_no_others(
    run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert boards(run("--ascii", against=scripted({})).out)[0][0].startswith("  8  r  n  b  q  k  b  n  r   8")
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    run(lines=["Nf3"], against=scripted({}, name="naïve ♟"))
    out = raw.getvalue().decode("latin-1")
    assert "  8  r  n  b  q  k  b  n  r   8     Black p  naïve ?\n" in out
    assert out.isprintable() or set(filter(lambda character: not character.isprintable(), out)) == {"\n"}


def test_illegal_ambiguous_and_unreadable_input_is_answered_and_changes_nothing(run: Run, scripted: Any) -> None:
    lines = ["", "Nd2", "hello", "\x1b[31mred", "undo now", "save", "Nf3", "Nc3", "e3", "Nd4", "a3", "N3d4", "quit"]
    player = scripted({1: "d5", 3: "e5", 5: "f5"})
    played = run(lines=lines, against=player)
    assert "No knight of White's can go to d2; possible: Na3, Nc3, Nf3, Nh3." in played.out
    assert '"hello" is no move: write e4, Nf3, exd5, O-O, e8=Q or e2e4.' in played.out
    assert "Your move> '\\x1b[31mred'\n\"?[31mred\" is no move" in played.out
    assert "undo takes nothing after it." in played.out
    assert "save needs FILE after it." in played.out
    assert "\x1b" not in played.out
    assert player.asked[0].split()[0].endswith("RNBQKB1R")


def test_an_ambiguous_move_lists_its_candidates(run: Run, scripted: Any) -> None:
    played = run("--moves", "1. d4 d5 2. Nf3 Nf6", lines=["Nd2", "Nbd2"], against=scripted({5: "e6"}))
    assert '"Nd2" could be more than one move: Nbd2 or Nfd2.\n' in played.out
    assert "played 3... e6" in played.out


def test_a_promotion_asks_for_its_piece(run: Run, scripted: Any) -> None:
    moves = "1. a4 b5 2. axb5 a6 3. bxa6 Nf6 4. a7 e5"
    played = run("--moves", moves, lines=["axb8", "a7b8", "axb8=N"], against=scripted({9: "Ke7"}))
    assert '"axb8" needs a piece: axb8=B, axb8=N, axb8=Q or axb8=R.\n' in played.out
    assert '"a7b8" needs a piece: ' in played.out
    assert "5. axb8=N Ke7" in played.out


def test_undo_and_redo(run: Run, scripted: Any) -> None:
    lines = ["undo", "redo", "e4", "undo", "redo", "undo", "d4", "moves", "resign"]
    played = run("--ledger", "games.jsonl", lines=lines, against=scripted({1: "d5"}))
    assert "There is no move of yours to take back." in played.out
    assert "There is nothing to play again." in played.out
    assert "Taken back; redo plays it again.\n(A game with hints or take-backs is recorded as helped" in played.out
    assert played.out.count("recorded as helped") == 1
    assert played.out.count("scripted played 1... d5") == 3
    assert "\n1. d4 d5\n" in played.out
    assert games()[0]["undos"] == 2


def test_a_hint_shows_probabilities_and_legal_mass(run: Run, scripted: Any) -> None:
    lines = ["hint", "hint", "resign", "hint"]
    played = run("--ledger", "games.jsonl", lines=lines, against=scripted({0: "!Ke2 e4"}))
    assert (
        "In your place scripted would think:\n"
        "  a3        50.0 %  ███████████████\n"
        "  a4        30.0 %  █████████\n"
        "  Na3       10.0 %  ███\n"
        "  90.0 % of its probability is on legal moves.\n"
        '  It wanted "Ke2", which is no legal move here.\n'
    ) in played.out
    assert played.out.count("recorded as helped") == 1
    assert "The game is over: new starts another" in played.out


def test_a_player_without_probabilities_still_hints(run: Run) -> None:
    played = run("--model", "random", lines=["hint"])
    assert "random has no opinion; it would play " in played.out


def test_resigning_ends_the_game_and_new_starts_another(run: Run, scripted: Any) -> None:
    lines = ["e4", "resign", "d4", "new black", "e5", "new purple", "new", "quit"]
    played = run("--ledger", "games.jsonl", lines=lines, against=scripted({0: "e4", 1: "e5", 2: "d4"}))
    assert "Black wins by resignation (0-1).\n" in played.out
    assert "The game is over: new starts another, undo takes your last move back." in played.out
    assert "You play Black.\nscripted played 1. e4" in played.out
    assert boards(played.out)[2][0].startswith("  1  ♖  ♘  ♗  ♔  ♕")
    assert "new takes white, black or random after it, or nothing." in played.out
    assert [(game["person"], game["result"], game["termination"]) for game in games()] == [
        ("white", "0-1", "resignation"),
        ("black", "*", "unfinished"),
    ]
    assert "--seed 3 --ledger games.jsonl --colour black --moves '1. e4 e5 2. d4'" in played.out


def test_a_draw_is_declined_accepted_or_claimed(run: Run, scripted: Any) -> None:
    shuffle = {ply: "Nf6" if ply % 4 == 1 else "Ng8" for ply in range(1, 60, 2)}
    played = run(lines=["draw"], against=scripted({}))
    assert "declines: the model takes a draw from move 20 on, if it is not ahead\nin material.\n" in played.out
    lines = ["Nf3", "Ng1", "Nf3", "Ng1", "draw"]
    played = run(lines=lines, against=scripted(shuffle))
    assert "You may claim a draw (threefold repetition): type draw.\n" in played.out
    assert "A draw by threefold repetition (1/2-1/2).\n" in played.out
    pawns = [f"{file}{rank}" for file in "abcdefgh" for rank in (3, 4)]
    lines = [*pawns, "Ra3", "Rb3", "Rc3", "draw", "quit"]
    played = run(lines=lines, against=scripted(shuffle))
    assert "A draw by agreement (1/2-1/2).\n" in played.out


def test_a_fivefold_repetition_ends_the_game(run: Run, scripted: Any) -> None:
    shuffle = {ply: "Nf6" if ply % 4 == 1 else "Ng8" for ply in range(1, 60, 2)}
    played = run(lines=["Nf3", "Ng1"] * 4, against=scripted(shuffle))
    assert "A draw by fivefold repetition (1/2-1/2).\n" in played.out


def test_a_game_too_long_for_the_model_ends_and_says_so(run: Run, scripted: Any) -> None:
    lines = ["e4", "hint", "d4", "quit"]
    player = scripted({}, max_plies=2)
    player.script = {1: "e5"}
    played = run("--ledger", "games.jsonl", lines=lines, against=player)
    assert "scripted can't say: 2 plies are more than the 2 of the context." in played.out
    assert "The game has become too long for scripted to write; it ends here.\nNo result: game too long" in played.out
    assert games()[0]["termination"] == "game too long"


def test_an_ended_game_is_recorded_once_and_played_on_as_practice(run: Run, scripted: Any) -> None:
    lines = ["f3", "g4", "undo", "e4", "resign", "new", "quit"]
    played = run("--ledger", "games.jsonl", lines=lines, against=scripted(FOOLS_MATE))
    assert "The ledger keeps the game as it ended; what you play now is practice." in played.out
    assert [game["termination"] for game in games()] == ["checkmate"]


def test_save_never_overwrites_and_says_why_it_cannot(run: Run, scripted: Any) -> None:
    lines = ["e4", "save a b.pgn", "save a b.pgn", "save no/x.pgn", "save ~nobody-here/x.pgn", "save a\0b"]
    played = run(lines=lines, against=scripted({}))
    assert "Saved to a b.pgn.\n" in played.out
    assert "a b.pgn exists and is not overwritten; choose another name.\n" in played.out
    assert "can't write no/x.pgn: No such file or directory.\n" in played.out
    assert "~nobody-here/x.pgn: no such user's home folder.\n" in played.out
    assert "can't write a?b: embedded null byte.\n" in played.out
    assert sorted(path.name for path in Path().iterdir()) == ["a b.pgn"]


def test_games_are_loaded_and_started_from_moves(run: Run, scripted: Any) -> None:
    Path("hostile.pgn").write_text('[White "\x1b]0;x\x07[bold]Ann[/bold]"]\n[Black "Bo"]\n\n1. d4 d5 2. c4 *\n')
    Path("set-up.pgn").write_text('[FEN "4k3/8/8/8/8/8/8/4K2R w K - 0 1"]\n\n1. Ke2 *\n')
    lines = ["load hostile.pgn", "load none.pgn", "load set-up.pgn", "start 1. e4 Ke3", "start 1. e4 e5", "quit"]
    played = run("--ledger", "games.jsonl", lines=lines, against=scripted({3: "e6"}))
    assert (
        "Going on after 3 plies of ?]0;x?[bold]Ann[/bold] - Bo.\nYou play White.\nscripted played 2... e6" in played.out
    )
    assert "can't read none.pgn: No such file or directory.\n" in played.out
    assert "set-up.pgn: the game begins at a set-up position (FEN); a model reads a game" in played.out
    assert 'start: "Ke3" at ply 2: no king of Black\'s can go to e3.\n' in played.out
    assert "Going on after 2 plies.\n" in played.out
    assert "\x1b" not in played.out
    assert not Path("games.jsonl").exists()


def test_a_pgn_on_the_command_line_is_gone_on_from(run: Run, scripted: Any) -> None:
    Path("game.pgn").write_text("1. e4 *\n")
    played = run("--pgn", "game.pgn", "--colour", "black", lines=["e5", "quit"], against=scripted({2: "Nf3"}))
    assert "Going on after 1 ply.\nYou play Black.\n" in played.out
    assert "scripted played 2. Nf3" in played.out


def test_a_finished_game_that_is_loaded_is_over(run: Run, scripted: Any) -> None:
    played = run("--moves", "f3 e5 g4 Qh4#", "--ledger", "g.jsonl", lines=["e4"], against=scripted({}))
    assert "Black wins by checkmate (0-1).\n" in played.out
    assert not Path("g.jsonl").exists()


def test_the_end_of_the_input_leaves_the_game_unfinished_and_says_how_to_go_on(run: Run, scripted: Any) -> None:
    options = ["--model", "a  b", "--temperature", "0.5", "--top-k", "3", "--seed", "7", "--ledger", "games.jsonl"]
    played = run(*options, lines=["e4"], against=scripted({1: "e5"}))
    assert played.code == 0
    assert played.out.endswith(
        "Recorded in games.jsonl.\nThe game is unfinished. This takes it up again:\n"
        "chesslm play --model 'a  b' --top-k 3 --temperature 0.5 --seed 7 --ledger games.jsonl "
        "--colour white --moves '1. e4 e5'\n"
    )
    assert [(game["result"], game["termination"]) for game in games()] == [("*", "unfinished")]


def test_an_opponent_that_dies_costs_no_game(run: Run, scripted: Any) -> None:
    class Dying(scripted):  # type: ignore[misc]  # a fixture gives the class
        def choose_many(self, boards: Any) -> Any:
            raise PlayerError("the engine died")

    player = Dying({})
    played = run("--ledger", "games.jsonl", lines=["e4"], against=player)
    assert (played.code, played.err) == (2, "chesslm: the engine died\n")
    assert games()[0]["moves"] == ["e2e4"]
    assert player.is_closed


def test_a_piped_game_is_recorded_only_where_that_is_asked_for(
    run: Run, scripted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("play.cli.default_ledger", lambda: tmp_path / "default.jsonl")
    run(lines=["e4", "resign"], against=scripted({}))
    assert not Path("default.jsonl").exists()


def test_a_ledger_that_cannot_be_written_ends_no_game(run: Run, scripted: Any) -> None:
    Path("file").write_text("")
    played = run("--ledger", "file/games.jsonl", lines=["e4", "resign", "save x.pgn"], against=scripted({}))
    assert played.out.count("Not recorded: can't write file/games.jsonl: ") == 2
    assert Path("x.pgn").exists()


def test_the_record_is_shown(run: Run, scripted: Any, caplog: pytest.LogCaptureFixture) -> None:
    run("--ledger", "games.jsonl", lines=["e4", "resign"], against=scripted({}))
    content = Path("games.jsonl").read_text().replace('"typed": false', '"typed": true')
    Path("games.jsonl").write_text(content + content[:40])
    with caplog.at_level(logging.WARNING):
        played = run("--record", "--ledger", "games.jsonl")
    assert played.out.splitlines()[0] == "Games against people in games.jsonl: 1"
    assert played.out.splitlines()[3].split() == (
        ["scripted", "d1d1d1d1", "temperature", "0.7,", "top-p", "0.9,", "seed", "3", "1", "0", "0", "0"]
    )
    assert "dropped a torn last line" in caplog.text


def test_a_record_without_games_says_so(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("play.cli.default_ledger", lambda: tmp_path / "default.jsonl")
    played = run("--record")
    assert (played.code, played.out.startswith("No game against a person is recorded yet in ")) == (0, True)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--colour", "red"], "Invalid value for '--colour'"),
        (["--model", "no/such/model"], "no/such/model"),
        (["--model", "random", "--temperature", "1"], "mean nothing to --model random"),
        (["--temperature", "-1"], "--temperature"),
        (["--temperature", "inf"], "--temperature inf: not a finite number of 0 or more"),
        (["--top-k", "0", "--temperature", "1"], "--top-k"),
        (["--top-p", "0", "--temperature", "1"], "--top-p 0: not in (0, 1]"),
        (["--top-p", "nan", "--temperature", "1"], "--top-p nan: not in (0, 1]"),
        (["--top-p", "0.5"], "need a --temperature above 0"),
        (["--seed", "-1"], "--seed"),
        (["--moves", "1. e4 e4"], '--moves: "e4" at ply 2'),
        (["--moves", "e4", "--pgn", "x.pgn"], "--moves and --pgn exclude each other"),
        (["--pgn", "none.pgn"], "can't read none.pgn"),
        (["--pgn", "set-up.pgn"], "set-up.pgn: the game begins at a set-up position"),
        (["--fen", "8/8/8 w", "--pgn", "x.pgn"], "--fen and --pgn exclude each other"),
        (["--fen", "8/8/8 w"], "--fen: no FEN: "),
        (["--fen", "8/8/8/8/8/8/8/4K3 w - - 0 1"], "--fen: not a position of standard chess: no black king"),
        (["--ledger", "noise.jsonl", "--model", "random"], "noise.jsonl, line 1: not JSON"),
        (["--opponent", "random", "--model", "random"], "--opponent needs the board"),
        (["--ledger", "x", "--no-ledger"], "--ledger and --no-ledger exclude each other"),
        (["--record", "--no-ledger"], "--record and --no-ledger exclude each other"),
        (["--record", "--ledger", "none.jsonl"], "can't read none.jsonl"),
        (["--record", "--ledger", "noise.jsonl"], "noise.jsonl, line 1: not JSON"),
        (["extra"], "extra"),
    ],
)
def test_a_mistake_is_one_line_and_two(options: list[str], complaint: str, run: Run) -> None:
    Path("noise.jsonl").write_bytes(b"\xff\x00noise\n")
    Path("set-up.pgn").write_text('[FEN "4k3/8/8/8/8/8/8/4K2R w K - 0 1"]\n\n1. Ke2 *\n')
    played = run(*options)
    assert (played.code, played.err.count("\n"), played.out) == (2, 1, "")
    assert complaint in played.err
    assert sorted(path.name for path in Path().iterdir()) == ["noise.jsonl", "set-up.pgn"]


@pytest.mark.parametrize(
    ("shipped", "complaint"),
    [
        (
            [],
            "no model is shipped with this version; train one with `make demo`, then play it with `--model demo/runs",
        ),
        (["big", "small"], "--model: choose one of big, small"),
    ],
)
def test_without_a_model_the_way_to_one_is_told(
    shipped: list[str], complaint: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chesslm.checkpoints.shipped_models", lambda: shipped)
    played = run()
    assert (played.code, played.err.count("\n")) == (2, 1)
    assert complaint in played.err


def test_without_a_name_the_default_of_the_models_that_are_really_shipped_is_played() -> None:
    assert play_opponent._shipped() == "pgn"


def test_the_only_shipped_model_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chesslm.checkpoints.shipped_models", lambda: ["only"])
    assert play_opponent._shipped() == "only"


def test_help_lists_every_command_within_one_screen(run: Run, scripted: Any) -> None:
    played = run(lines=["help"], against=scripted({}))
    listed = played.out.split("Your move> help\n")[1].split("Your move>")[0].splitlines()
    assert len(listed) <= 22
    assert [line.split()[0] for line in listed[1 : 1 + len(PLAIN)]] == list(PLAIN)


def test_random_tosses_a_coin_for_the_colour(run: Run, scripted: Any) -> None:
    played = run("--colour", "random", lines=["new"] * 40, against=scripted({}))
    assert {"You play White.", "You play Black."} <= set(played.out.splitlines())
