"""Models whose probabilities are known, small real ones, and positions with every kind of move."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import chess
import pytest
import torch
from torch import Tensor

from chesslm.config import ModelSection
from chesslm.game import Game
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.notation.registry import build_notation
from chesslm.token_model import Reading
from chesslm.token_tree import Branches
from chesslm.vocabulary import Vocabulary

NextTokens = Callable[[tuple[int, ...]], Mapping[int, float]]


class ScriptedModel:
    """A `TokenModel` that is told the probability of each next token; what isn't named shares the rest.

    Args:
        next_tokens: all tokens so far -> token id -> probability; they sum to at most one.
        vocabulary_len: number of tokens.
        context_len: the most tokens it can see.
    """

    def __init__(self, next_tokens: NextTokens, vocabulary_len: int, context_len: int = 1_000) -> None:
        self.context_len = context_len
        self.vocabulary_len = vocabulary_len
        self.next_tokens = next_tokens

    def read(self, prompts: Sequence[Sequence[int]]) -> Reading:
        assert all(0 < len(prompt) <= self.context_len for prompt in prompts)
        return ScriptedReading(self, [list(prompt) for prompt in prompts])

    def logits(self, texts: Sequence[Sequence[int]]) -> Tensor:
        rows = torch.empty(len(texts), self.vocabulary_len, dtype=torch.float64)
        for row, text in enumerate(texts):
            named = self.next_tokens(tuple(text))
            rest = 1.0 - sum(named.values())
            rows[row] = max(rest, 0.0) / (self.vocabulary_len - len(named))
            for token, probability in named.items():
                rows[row, token] = probability
        # Any constant may be added to logits.
        return rows.log().float() + 3.0


class ScriptedReading:
    def __init__(self, model: ScriptedModel, texts: list[list[int]]) -> None:
        self.model = model
        self.texts = texts

    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        return self.model.logits([self.texts[row][: column + 1] for row, column in zip(rows, columns, strict=True)])

    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        texts = []
        for text, tree in zip(self.texts, branches, strict=True):
            grown: list[list[int]] = []
            for token, parent in zip(tree.tokens, tree.parents, strict=True):
                grown.append([*(grown[parent] if parent >= 0 else text), token])
            texts += grown
        return self.model.logits(texts)

    def select(self, rows: Sequence[int]) -> Reading:
        return ScriptedReading(self.model, [list(self.texts[row]) for row in rows])

    def extend(self, tokens: Sequence[int]) -> Tensor:
        for text, token in zip(self.texts, tokens, strict=True):
            text.append(token)
        return self.model.logits(self.texts)


@pytest.fixture(scope="session")
def scripted() -> Callable[..., ScriptedModel]:
    """Makes a model from a function of the text, or from a table: text's last tokens as strings -> probabilities."""

    def make(
        vocabulary: Vocabulary, table: Mapping[str, Mapping[str, float]], context_len: int = 1_000
    ) -> ScriptedModel:
        def next_tokens(text: tuple[int, ...]) -> Mapping[int, float]:
            written = " ".join(vocabulary.string_of(token) for token in text)
            endings = [ending for ending in table if written.endswith(ending)]
            found = table[max(endings, key=len)] if endings else {}
            return {vocabulary.id_of(token): probability for token, probability in found.items()}

        return ScriptedModel(next_tokens, len(vocabulary), context_len)

    return make


def random_game(seed: int, num_plies: int) -> Game:
    """Random legal moves that like captures, castling, promotion and en passant."""
    generator = random.Random(seed)
    board = chess.Board()
    sans = []
    while len(sans) < num_plies and not board.is_game_over():
        moves = list(board.legal_moves)
        special = [m for m in moves if m.promotion or board.is_castling(m) or board.is_capture(m)]
        move = generator.choice(special if special and generator.random() < 0.4 else moves)
        sans.append(board.san(move))
        board.push(move)
    result = board.result() if board.is_game_over() else generator.choice(["1-0", "0-1", "1/2-1/2", "*"])
    return Game(f"random{seed}", tuple(sans), result)


def board_after(sans: Sequence[str]) -> chess.Board:
    board = chess.Board()
    for san in sans:
        board.push_san(san)
    return board


# What is special about the position after the moves.
SPECIAL_LINES = {
    "promotion, straight and capturing": "a4 b5 axb5 a6 bxa6 Bb7 axb7 Nc6",
    "castling on both sides": "e4 e5 Nf3 Nc6 Bc4 Bc5 d3 Nf6 Bg5 h6 Nc3 a6 Qd2 d6",
    "black castles": "e4 e5 Nf3 Nf6 Bc4 Bc5 Nc3",
    "en passant": "e4 a6 e5 d5",
    "two knights to one square": "d4 d5 Nf3 Nf6 Bf4 Bf5 e3 e6",
    "two rooks on one rank": "a4 a5 h4 h5 Ra3 Ra6 Rhh3 Rhh6",
    "in check": "e4 e5 Qh5 Nc6 Qxf7+",
    "one legal move": "e4 e5 Ke2 Qh4 Ke3 Qf4+",
    "the start": "",
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small are slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def games() -> list[Game]:
    return [random_game(seed, num_plies=60) for seed in range(40)]


@pytest.fixture(scope="session")
def boards(games: list[Game]) -> list[chess.Board]:
    """Every special position, and random ones of mixed lengths, each with a legal move."""
    special = [board_after(line.split()) for line in SPECIAL_LINES.values()]
    generator = random.Random(7)
    mixed = [board_after(game.san[: generator.randrange(len(game.san))]) for game in games[:6]]
    return special + mixed


@pytest.fixture(scope="session")
def notations(games: list[Game]) -> dict[str, Notation]:
    return {name: build_notation(name, games) for name in ("pgn", "english", "english_varied", "char", "uci_squares")}


@pytest.fixture(scope="session", params=["pgn", "english", "english_varied", "char", "uci_squares"])
def notation(request: pytest.FixtureRequest, notations: dict[str, Notation]) -> Notation:
    return notations[request.param]


@pytest.fixture(scope="session")
def make_decoder(games: list[Game]) -> Callable[..., Decoder]:
    """Makes a decoder that knows which token follows which in the games, disturbed by random attention.

    So what it writes is half sensible: legal moves, illegal ones, and some that break off.
    """

    def make(notation: Notation, *, seed: int = 0, context_len: int = 1_100) -> Decoder:
        num_tokens = len(notation.vocabulary)
        counts = torch.full((num_tokens, num_tokens), 0.02)
        for game in games:
            ids = torch.tensor(notation.encode_game(game).ids)
            counts.index_put_((ids[:-1], ids[1:]), torch.tensor(1.0), accumulate=True)
        torch.manual_seed(seed)
        width = num_tokens + num_tokens % 2
        config = ModelSection(width=width, depth=2, heads=1, mlp_width=29, context_len=context_len, tied_head=False)
        model = Decoder(config, num_tokens)
        assert model.unembedding is not None
        with torch.no_grad():
            model.embedding.weight.copy_(torch.eye(num_tokens, width))
            model.unembedding.weight[:, :num_tokens] = counts.log().T / width**0.5
            for parameter in model.blocks.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(2.0)
        return model.eval()

    return make


@pytest.fixture(scope="session")
def decoder(notation: Notation, make_decoder: Callable[..., Decoder]) -> Decoder:
    return make_decoder(notation)
