"""Folders as Hugging Face's libraries write them: tiny networks with random weights, and tokenizers of every kind."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import chess
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from chesslm.hugging_face import HuggingFaceModel, load_hugging_face

CHARACTERS = " #+-.0123456789;=BKNOQRabcdefghx"
END = "<|endoftext|>"


def random_board(seed: int, num_plies: int) -> chess.Board:
    """Random legal moves; captures, castling, checks and promotions come more often than by chance."""
    generator = random.Random(seed)
    board = chess.Board()
    while len(board.move_stack) < num_plies and not board.is_game_over():
        moves = list(board.legal_moves)
        special = [m for m in moves if m.promotion or board.is_castling(m) or board.gives_check(m)]
        board.push(generator.choice(special if special and generator.random() < 0.5 else moves))
    while board.is_game_over():
        board.pop()
    return board


def sans_of(board: chess.Board) -> list[str]:
    replay, sans = chess.Board(), []
    for move in board.move_stack:
        sans.append(replay.san(move))
        replay.push(move)
    return sans


@cache
def texts(*, is_uci: bool, tight: bool = False) -> list[str]:
    """Games to train a tokenizer on."""
    found = []
    for seed in range(12):
        board = random_board(seed, 70)
        if is_uci:
            found.append(" ".join(move.uci() for move in board.move_stack))
            continue
        sans = sans_of(board)
        gap = "" if tight else " "
        numbered = [f"{ply // 2 + 1}.{gap}{san}" if ply % 2 == 0 else san for ply, san in enumerate(sans)]
        found.append(" ".join(numbered))
    return found


def characters(more: str = "") -> Tokenizer:
    tokeniser = Tokenizer(models.WordLevel({c: i for i, c in enumerate(CHARACTERS + more)}))
    tokeniser.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return tokeniser


def byte_level() -> Tokenizer:
    """As GPT-2's: tokens may begin with a space."""
    tokeniser = Tokenizer(models.BPE())
    tokeniser.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokeniser.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokeniser.train_from_iterator(texts(is_uci=False), trainer)
    return tokeniser


def merged() -> Tokenizer:
    """Byte-level BPE over everything between spaces: tokens hold numbers with moves, and moves with marks."""
    tokeniser = Tokenizer(models.BPE())
    tokeniser.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?[^ ]+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokeniser.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokeniser.train_from_iterator(texts(is_uci=False, tight=True), trainer)
    return tokeniser


def llama_like() -> Tokenizer:
    """SentencePiece's manner: spaces are a character of the tokens, one is put before the text, then a begin token."""
    tokeniser = Tokenizer(models.BPE(unk_token="<unk>"))
    tokeniser.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    words = [word for text in texts(is_uci=True) for word in text.split()]
    tokeniser.train_from_iterator(words, trainer)
    tokeniser.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokeniser


def word_level(words: list[str]) -> Tokenizer:
    """One token a move."""
    specials = ["<unk>", "<s>", "</s>"]
    vocabulary = {word: place for place, word in enumerate([*specials, *dict.fromkeys(words)])}
    tokeniser = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokeniser.add_special_tokens(specials)
    tokeniser.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokeniser


def squares() -> Tokenizer:
    """A token a square."""
    vocabulary = {word: place for place, word in enumerate([*chess.SQUARE_NAMES, *" ;nbrq"])}
    tokeniser = Tokenizer(models.WordLevel(vocabulary))
    tokeniser.pre_tokenizer = pre_tokenizers.Split(Regex("[a-h][1-8]|."), "isolated")
    return tokeniser


def uci_words() -> list[str]:
    squares = chess.SQUARE_NAMES
    words = [start + end for start in squares for end in squares if start != end]
    for file in range(8):
        for to in range(max(0, file - 1), min(8, file + 2)):
            for piece in "nbrq":
                words.append(f"{'abcdefgh'[file]}7{'abcdefgh'[to]}8{piece}")
                words.append(f"{'abcdefgh'[file]}2{'abcdefgh'[to]}1{piece}")
    return words


def save(folder: Path, tokeniser: Tokenizer, *, kind: str = "gpt2", context_len: int = 1_024, **config: Any) -> Path:
    """Write a folder with a random network of a kind."""
    transformers: Any = importlib.import_module("transformers")
    size = tokeniser.get_vocab_size() + config.pop("unused", 0)
    torch.manual_seed(7)
    ids = {"bos_token_id": config.pop("bos", None), "eos_token_id": config.pop("eos", None)}
    if kind == "gpt2":
        settings = transformers.GPT2Config(
            vocab_size=size, n_positions=context_len, n_embd=24, n_layer=2, n_head=3, initializer_range=0.5, **ids
        )
    else:
        settings = transformers.LlamaConfig(
            vocab_size=size,
            hidden_size=24,
            intermediate_size=40,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=context_len,
            initializer_range=0.5,
            tie_word_embeddings=False,
            **ids,
        )
    network = transformers.AutoModelForCausalLM.from_config(settings)
    network.save_pretrained(folder)
    tokeniser.save(str(folder / "tokenizer.json"))
    return folder


SAN_WORDS = [san for seed in range(100) for san in sans_of(random_board(seed, 60))]

MAKERS: dict[str, Callable[[Path], Path]] = {
    "chars-pgn-tight": lambda folder: save(folder, characters()),
    "chars-pgn": lambda folder: save(folder, characters(), kind="llama"),
    "chars-san": lambda folder: save(folder, characters()),
    "chars-uci": lambda folder: save(folder, characters("nqr")),
    "bpe-pgn": lambda folder: save(folder, byte_level(), bos=0, eos=0, unused=5),
    "bpe-san": lambda folder: save(folder, byte_level(), kind="llama", bos=0, eos=0),
    "merged-tight": lambda folder: save(folder, merged(), bos=0, eos=0),
    "squares-uci": lambda folder: save(folder, squares()),
    "llama-uci": lambda folder: save(folder, llama_like(), kind="llama", bos=1, eos=2),
    "words-san": lambda folder: save(folder, word_level(SAN_WORDS), bos=1, eos=2),
    "words-uci": lambda folder: save(folder, word_level(uci_words()), bos=1, eos=2),
}
MODELS = {
    "chars-pgn-tight": "text=pgn-tight&prefix=;",
    "chars-pgn": "text=pgn",
    "chars-san": "text=san&prefix=;",
    "chars-uci": "text=uci&prefix=;",
    "bpe-pgn": "text=pgn",
    "bpe-san": "text=san",
    "merged-tight": "text=pgn-tight",
    "squares-uci": "text=uci&prefix=;",
    "llama-uci": "text=uci",
    "words-san": "text=san",
    "words-uci": "text=uci",
}


def castling_board() -> chess.Board:
    board = chess.Board()
    for san in ["d4", "d5", "Nf3", "Nf6", "Nc3", "Nc6", "Bf4", "Bf5", "Qd2", "Qd7", "e3", "e6", "Be2", "Be7"]:
        board.push_san(san)
    return board


def promotion_board() -> chess.Board:
    board = chess.Board()
    for san in ["a4", "b5", "axb5", "a6", "bxa6", "h6", "a7", "h5"]:
        board.push_san(san)
    return board


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Everything above, and `load(name)`, which makes one of `MODELS` once and loads it."""
    root = tmp_path_factory.mktemp("hub")

    @cache
    def folder(name: str) -> Path:
        return MAKERS[name](root / name)

    @cache
    def load(name: str) -> HuggingFaceModel:
        return load_hugging_face(f"hf:{folder(name)}?{MODELS[name]}", device="cpu")

    return SimpleNamespace(**globals(), load=load, folder=folder)
