"""Hugging Face models answer as a plain computation on the whole text does; in players and in tables."""

from __future__ import annotations

import importlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import chess
import pytest
import torch
from typer.testing import CliRunner

from chesslm.errors import FormatError, GameTooLong, InputError, MissingToolError
from chesslm.first_choice import judge_first_choice
from chesslm.game import Game
from chesslm.hugging_face import load_hugging_face
from chesslm.inference import measure_games, move_probabilities, moves_and_first_choices
from chesslm.model_player import load_player
from chesslm.written_game import read_written_game
from eval.cli import app
from eval.contenders import NO_TOKENS, fits_all, load_contenders
from play.opponent import Policy, check_name, open_opponent


def direct(loaded: Any, tokeniser: Any, before: str, texts: list[str], begin: list[int], allowed: Any) -> list[float]:
    """P of each text after `before`, from the tokenizer's own cutting of the whole and the network's own answer."""
    found = []
    plain = tokeniser.encode(before, add_special_tokens=False).ids
    for text in texts:
        ids = tokeniser.encode(before + text, add_special_tokens=False).ids
        assert ids[: len(plain)] == plain
        with torch.no_grad():
            logits = loaded.network(torch.tensor([begin + ids])).logits[0].double()
        total = 0.0
        for place, token in enumerate(ids[len(plain) :]):
            row = logits[len(begin) + len(plain) + place - 1].clone()
            if place == 0:
                row[[t for t in range(len(row)) if not allowed(t)]] = -math.inf
            total += float(row.log_softmax(0)[token])
        found.append(math.exp(total))
    return found


def test_characters_have_the_plain_probabilities(shelf: Any) -> None:
    loaded = shelf.load("chars-pgn-tight")
    board = shelf.castling_board()
    (said,) = move_probabilities(loaded.model, loaded.notation, [board])
    moves = [move for move in said.moves if not board.is_castling(move)]
    before = ";1.d4 d5 2.Nf3 Nf6 3.Nc3 Nc6 4.Bf4 Bf5 5.Qd2 Qd7 6.e3 e6 7.Be2 Be7 8."
    no_move = {shelf.CHARACTERS.index(character) for character in "01+#"}
    sans = [board.san(move).rstrip("+#") for move in moves]
    args = (loaded, shelf.characters(), before)
    expected = direct(*args, sans, [], lambda t: t not in no_move)
    assert [math.exp(said.logprob_of(move)) for move in moves] == pytest.approx(expected, abs=1e-9, rel=1e-4)
    short, longer, long = direct(*args, ["O-O", "O-O-", "O-O-O"], [], lambda t: t not in no_move)
    assert math.exp(said.logprob_of(board.parse_san("O-O"))) == pytest.approx(short - longer, rel=1e-3)
    assert math.exp(said.logprob_of(board.parse_san("O-O-O"))) == pytest.approx(long, rel=1e-3)


def test_bpe_has_the_plain_probabilities_of_its_own_cutting(shelf: Any) -> None:
    loaded = shelf.load("bpe-pgn")
    tokeniser = shelf.byte_level()
    board = chess.Board()
    for san in ("e4", "c5"):
        board.push_san(san)
    surfaces = [tokeniser.decode([t]) if t < tokeniser.get_vocab_size() else "" for t in range(500)]

    def allowed(token: int) -> bool:
        text = surfaces[token]
        return text.startswith(" ") and text[1:] not in {"1", "1-", "1-0", "0", "0-", "0-1", "1/", "1/2", "*", "+", "#"}

    (said,) = move_probabilities(loaded.model, loaded.notation, [board])
    texts = [f" {board.san(move)}" for move in said.moves]
    expected = direct(loaded, tokeniser, "1. e4 c5 2.", texts, [0], allowed)
    assert [math.exp(logprob) for logprob in said.logprobs] == pytest.approx(expected, abs=1e-9, rel=1e-4)
    assert said.legal_mass == pytest.approx(sum(expected), rel=1e-4)


def test_whole_words_have_the_plain_probabilities(shelf: Any) -> None:
    loaded = shelf.load("words-uci")
    board = shelf.promotion_board()
    (said,) = move_probabilities(loaded.model, loaded.notation, [board])
    before = " ".join(move.uci() for move in board.move_stack)
    texts = [f" {move.uci()}" for move in said.moves]
    expected = direct(loaded, shelf.word_level(shelf.uci_words()), before, texts, [1], lambda t: t > 2)
    assert [math.exp(logprob) for logprob in said.logprobs] == pytest.approx(expected, abs=1e-9, rel=1e-4)


def test_batches_and_the_plain_way_give_the_same(shelf: Any) -> None:
    loaded = shelf.load("chars-pgn")
    boards = [chess.Board(), shelf.castling_board(), shelf.random_board(4, 33)]
    assert loaded.model.is_cached
    together = moves_and_first_choices(loaded.model, loaded.notation, boards)
    alone = [moves_and_first_choices(loaded.model, loaded.notation, [board])[0] for board in boards]
    loaded.model.is_cached = False
    plain = moves_and_first_choices(loaded.model, loaded.notation, boards)
    loaded.model.is_cached = True
    for one, two, three in zip(together, alone, plain, strict=True):
        assert one[0].logprobs == pytest.approx(two[0].logprobs, abs=1e-3)
        assert one[0].logprobs == pytest.approx(three[0].logprobs, abs=1e-3)
        assert one[1] == two[1] == three[1]


def test_a_network_that_refuses_a_tree_is_asked_plainly(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = shelf.load("chars-san")
    network: Any = loaded.network
    forward = network.base_model.forward

    def without_mask(*args: Any, **settings: Any) -> Any:
        return forward(*args, **{**settings, "attention_mask": None})

    monkeypatch.setattr(network.base_model, "forward", without_mask)
    assert not type(loaded.model)(network, context_len=100).is_cached


def test_a_first_choice_is_read_as_it_is_written(shelf: Any) -> None:
    loaded = shelf.load("words-uci")
    words = shelf.word_level(shelf.uci_words())
    network: Any = loaded.network
    favourite = words.token_to_id("e2e4")
    original = network.lm_head.weight.detach().clone()
    with torch.no_grad():
        network.lm_head.weight.zero_()
        network.lm_head.weight[favourite] = 0.0
        bias = torch.zeros(len(original))
        bias[favourite] = 3.0
        network.lm_head.bias = torch.nn.Parameter(bias)
    board = chess.Board()
    try:
        ((said, choice),) = moves_and_first_choices(loaded.model, loaded.notation, [board])
        board.push_san("e4")
        ((_, illegal),) = moves_and_first_choices(loaded.model, loaded.notation, [board])
    finally:
        network.lm_head.bias = None
        with torch.no_grad():
            network.lm_head.weight.copy_(original)
    num_first = words.get_vocab_size() - 3
    total = math.exp(3.0) + num_first - 1
    assert (choice.text, choice.move) == ("e2e4", chess.Move.from_uci("e2e4"))
    assert math.exp(said.logprob_of(chess.Move.from_uci("e2e4"))) == pytest.approx(math.exp(3.0) / total, rel=1e-5)
    assert said.legal_mass == pytest.approx((math.exp(3.0) + 19) / total, rel=1e-5)
    assert (illegal.move, illegal.error_kind, illegal.tolerant_legal) == (None, "no such piece", None)


def test_games_have_the_network_s_own_loss_without_the_result(shelf: Any) -> None:
    loaded = shelf.load("bpe-pgn")
    ids = torch.tensor([[0, *shelf.byte_level().encode("1. e4 e5 2. Nf3").ids]])
    with torch.no_grad():
        loss = float(loaded.network(ids, labels=ids).loss) * (ids.shape[1] - 1)
    (measure,) = measure_games(loaded.model, loaded.notation, [Game("", ("e4", "e5", "Nf3"), "1-0")])
    assert measure.text_nats == pytest.approx(loss, rel=1e-5)
    assert measure.result_nats == 0.0


def test_a_spelt_result_ends_a_written_game(shelf: Any) -> None:
    notation = shelf.load("chars-pgn-tight").notation
    for rest in ("", ";1.d4", " "):
        ids = [shelf.CHARACTERS.index(character) for character in f";1.e4 e5 2.Nf3 1-0{rest}"]
        game = read_written_game(notation, ids)
        assert (game.ending, game.result, game.num_legal_plies) == ("result", "1-0", 3)


def test_a_model_learns_an_opening(shelf: Any) -> None:
    loaded = load_hugging_face(f"hf:{shelf.folder('chars-uci')}?text=uci&prefix=;", device="cpu")
    network: Any = loaded.network
    game = Game("", ("e4", "e5", "Nf3", "Nc6"), "*")
    ids = torch.tensor([loaded.notation.encode_game(game).ids[:-2]])
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(40):
        optimiser.zero_grad()
        network(ids, labels=ids).loss.backward()
        optimiser.step()
    board = chess.Board()
    for san in game.san:
        ((said, choice),) = moves_and_first_choices(loaded.model, loaded.notation, [board])
        assert choice.move == said.best == board.parse_san(san)
        board.push_san(san)


def test_a_player_decides_as_any_other(shelf: Any) -> None:
    with load_player(f"hf:{shelf.folder('llama-uci')}?text=uci", device="cpu") as player:
        decision = player.choose_many([shelf.castling_board()])[0]
    assert decision.candidates[0][0] == decision.move
    assert math.fsum(p for _, p in decision.candidates) == pytest.approx(decision.legal_mass or 0)


def test_people_can_play_against_one(shelf: Any) -> None:
    name = f"hf:{shelf.folder('chars-pgn')}?text=pgn"
    check_name(name)
    opponent = open_opponent(name, Policy())
    assert (opponent.notation, opponent.options) == ("text-pgn", ["--model", name])
    assert "it can only begin at chess's start position" in opponent.refusal(
        chess.Board("4k3/8/8/8/8/8/8/4K2R w K - 0 1")
    )
    with opponent.under(Policy(temperature=0.5)).player as player:
        assert player.choose_many([chess.Board()])[0].move in chess.Board().legal_moves


def test_a_long_game_is_too_long(shelf: Any, tmp_path: Path) -> None:
    shelf.save(tmp_path / "short", shelf.characters(), context_len=80)
    loaded = load_hugging_face(f"hf:{tmp_path / 'short'}?text=pgn", device="cpu")
    assert loaded.model.context_len == 16
    with pytest.raises(GameTooLong):
        move_probabilities(loaded.model, loaded.notation, [shelf.random_board(1, 8)])


def test_contenders_are_measured_in_one_table(shelf: Any, tmp_path: Path) -> None:
    pgn = tmp_path / "games.pgn"
    games = [" ".join(shelf.sans_of(shelf.random_board(seed, 12))) for seed in range(4)]
    pgn.write_text("".join(f'[Site "{i}"]\n\n{moves} *\n\n' for i, moves in enumerate(games)), encoding="utf-8")
    names = [f"hf:{shelf.folder('chars-pgn')}?text=pgn", f"hf:{shelf.folder('words-uci')}?text=uci", "pgn"]
    for command in ("legality", "likelihood"):
        out = tmp_path / f"{command}.json"
        arguments = [command, *names, "--games", str(pgn), "--positions", "4", "--json", str(out), "--device", "cpu"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        content = json.loads(out.read_text(encoding="utf-8"))
        kinds = {(measure["metric"], measure["model"].split("?")[0]) for measure in content["measures"]}
        if command == "legality":
            assert {("legal_mass", name) for name in ("chars-pgn", "words-uci", "pgn")} <= kinds
            assert ("end_mass", "pgn") in kinds
            assert ("end_mass", "chars-pgn") not in kinds
            assert ("mark_accuracy", "chars-pgn") in kinds
            assert ("mark_accuracy", "words-uci") not in kinds
        else:
            assert {("move_nats", name) for name in ("chars-pgn", "words-uci", "pgn")} <= kinds
    assert content["models"][0]["notation"] == "text-pgn"
    assert content["models"][0]["step"] is None


def test_every_definition_of_legality_takes_foreign_models(shelf: Any, tmp_path: Path) -> None:
    pgn = tmp_path / "games.pgn"
    games = [" ".join(shelf.sans_of(shelf.random_board(seed, 40))) for seed in range(3)]
    pgn.write_text("".join(f'[Site "{i}"]\n\n{moves} *\n\n' for i, moves in enumerate(games)), encoding="utf-8")
    names = ["chars-pgn", "squares-uci", "words-san"]
    models = [f"hf:{shelf.folder(name)}?{shelf.MODELS[name]}" for name in names]
    asked = ["--retry", "--cloze", "--completion-games", "2", "--random-plies", "20"]
    out = tmp_path / "legality.json"
    arguments = ["legality", *models, "--games", str(pgn), "--positions", "3", *asked, "--json", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    measures = json.loads(out.read_text(encoding="utf-8"))["measures"]
    metrics = {measure["metric"] for measure in measures}
    assert {"retry_no_failure", "retry_failures", "completion_legal"} <= metrics
    clozes = {
        (measure["metric"], measure["model"].split("?")[0]) for measure in measures if "cloze" in measure["metric"]
    }
    scores = ("legal_move", "r_precision", "exact_move")
    assert clozes == {(f"square_cloze_{score}", "squares-uci") for score in scores}
    # A token a move: most random games have a move that the vocabulary lacks, and nobody is asked about these.
    random_plies = {measure["n"] for measure in measures if measure["subset"] == "after 10 random plies"}
    assert len(random_plies) == 1
    assert random_plies < {*range(1, 20)}


def test_random_positions_that_no_vocabulary_has_are_one_line(shelf: Any, tmp_path: Path) -> None:
    pgn = tmp_path / "games.pgn"
    pgn.write_text("1. e4 e5 *\n", encoding="utf-8")
    shelf.save(tmp_path / "few", shelf.word_level(["e4", "e5", "Nf3", "Nc6"]), bos=1, eos=2)
    arguments = ["legality", f"hf:{tmp_path / 'few'}?text=san", "--games", str(pgn), "--positions", "1"]
    with pytest.raises(InputError, match="none of 3 random games can be put to all models"):
        CliRunner().invoke(app, [*arguments, "--random-plies", "3"], catch_exceptions=False)


def test_a_vocabulary_that_lacks_moves_is_judged_tolerantly_where_it_can_be(shelf: Any, tmp_path: Path) -> None:
    words = ["e4", "e5", "Nf3", "Nc6"]
    folder = shelf.save(tmp_path / "four", shelf.word_level(words), bos=1, eos=2)
    notation = load_hugging_face(f"hf:{folder}?text=san", device="cpu").notation
    board, no_move = chess.Board(), [1]
    assert judge_first_choice(notation, board, no_move).tolerant_legal is False
    for san in words:
        board.push_san(san)
    assert judge_first_choice(notation, board, no_move).tolerant_legal is None


def test_controls_of_foreign_models(shelf: Any) -> None:
    name = f"hf:{shelf.folder('words-san')}?text=san"
    contenders = load_contenders([name], device="cpu", with_controls=True, seed=0)
    assert [contender.record.kind for contender in contenders] == ["trained", "untrained", "uniform"]
    assert contenders[1].record.checkpoint_digest == f"untrained:{contenders[0].record.checkpoint_digest}"
    assert contenders[0].record.params_head == 0
    assert fits_all(contenders)(Game("", ("Na3", "Na6", "Nb5", "Nb4", "Nxc7+", "Qxc7"), "*")) in (None, NO_TOKENS)


def test_bad_names_and_folders_are_one_line(shelf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = shelf.folder("chars-pgn")

    def broken(name: str) -> Path:
        return Path(shutil.copytree(good, tmp_path / name))

    no_tokenizer = broken("no-tokenizer")
    (no_tokenizer / "tokenizer.json").unlink()
    bad_tokenizer = broken("bad-tokenizer")
    (bad_tokenizer / "tokenizer.json").write_text("{", encoding="utf-8")
    no_weights = broken("no-weights")
    (no_weights / "model.safetensors").unlink()
    (no_weights / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    cut = broken("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:200])
    code = broken("code")
    config = json.loads((code / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Model"}}
    (code / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (code / "mine.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    other = broken("other-tokenizer")
    shelf.byte_level().save(str(other / "tokenizer.json"))
    bad_template = broken("bad-template")
    (bad_template / "chesslm.toml").write_text("text = 'pgn'\nprefx = ';'\n", encoding="utf-8")
    fewer = broken("fewer-weights")
    config = json.loads((fewer / "config.json").read_text(encoding="utf-8")) | {"num_hidden_layers": 3}
    (fewer / "config.json").write_text(json.dumps(config), encoding="utf-8")
    cases: list[tuple[str, type[Exception], str]] = [
        (f"{tmp_path}/none?text=pgn", InputError, "is no folder, nor an id"),
        (f"{good}", FormatError, "say how it writes games"),
        (f"{good}?text=fen", FormatError, "text: Input should be"),
        (f"{good}?text", FormatError, "can't read 'text'"),
        (f"{good}?text=pgn&begin=<s>", FormatError, "no token '<s>'"),
        (f"{no_tokenizer}?text=pgn", InputError, "only fast tokenizers"),
        (f"{bad_tokenizer}?text=pgn", InputError, "bad-tokenizer/tokenizer.json"),
        (f"{no_weights}?text=pgn", InputError, "no-weights"),
        (f"{cut}?text=pgn", InputError, "cut: "),
        (f"{code}?text=pgn", InputError, "code: "),
        (f"{other}?text=pgn&begin=", FormatError, "its weights know 32"),
        (f"{bad_template}", FormatError, "prefx"),
        (f"{fewer}?text=pgn", FormatError, "its weights lack"),
    ]
    for name, kind, words in cases:
        with pytest.raises(kind) as caught:
            load_hugging_face(f"hf:{name}", device="cpu")
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_hub_is_asked_for_nothing_that_runs(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hub: Any = importlib.import_module("huggingface_hub")
    asked = []

    def snapshot(name: str, *, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        if name == "some/one":
            return str(shelf.folder("chars-pgn"))
        raise OSError("offline\nvery")

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    assert load_hugging_face("hf:some/one?text=pgn", device="cpu").name == "some/one?text=pgn"
    assert asked == [("some/one", ["*.json", "*.safetensors", "chesslm.toml"])]
    with pytest.raises(InputError, match=r"can't be had from the hub: offline$"):
        load_hugging_face("hf:some/other?text=pgn")


def test_a_template_beside_the_weights_is_enough(shelf: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shelf.folder("chars-pgn-tight"), tmp_path / "said"))
    (folder / "chesslm.toml").write_text('text = "pgn-tight"\nprefix = ";"\n', encoding="utf-8")
    loaded = load_hugging_face(f"hf:{folder}", device="cpu")
    assert loaded.name == "said"
    assert loaded.notation.text(loaded.notation.prompt(chess.Board())) == ";1."


def test_without_transformers_one_line_says_what_to_install(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shelf.folder("chars-pgn")
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingToolError, match=r"pip install 'chesslm\[hf\]'"):
        load_hugging_face(f"hf:{folder}?text=pgn")
