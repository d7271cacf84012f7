"""Games that a machine made, a games folder of them, tiny checkpoints, and models whose every metric is known."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chess
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from chesslm.checkpoint_files import TrainingState, write_checkpoint
from chesslm.checkpoints import fresh_model
from chesslm.config import ModelSection, RunSection, TrainConfig, TrainDataSection, TrainingSection
from chesslm.files import sha256_file, write_json
from chesslm.game import Game, moves_digest, moves_hash
from chesslm.game_files import GAMES_FORMAT, SCHEMA, games_digest, part_name
from chesslm.inference import Position
from chesslm.notation import Notation
from chesslm.notation.registry import default_notation
from chesslm.token_model import Reading, TokenModel
from chesslm.token_tree import Branches
from chesslm.written_game import read_written_game
from eval.contenders import Contender
from eval.records import ModelRecord


def random_game(seed: int, num_plies: int) -> Game:
    """Random legal moves; captures, castling and promotions come more often than by chance."""
    generator = random.Random(seed)
    board = chess.Board()
    sans = []
    while len(sans) < num_plies and not board.is_game_over():
        moves = list(board.legal_moves)
        special = [m for m in moves if m.promotion or board.is_castling(m) or board.is_capture(m)]
        move = generator.choice(special if special and generator.random() < 0.3 else moves)
        sans.append(board.san(move))
        board.push(move)
    result = board.result() if board.is_game_over() else generator.choice(["1-0", "0-1", "1/2-1/2", "*"])
    return Game(f"random{seed}", tuple(sans), result)


def hash_of(game: Game) -> int:
    board = chess.Board()
    ucis = []
    for san in game.san:
        ucis.append(board.push_san(san).uci())
    return moves_hash(moves_digest(ucis))


@pytest.fixture(scope="session")
def games() -> list[Game]:
    generator = random.Random(0)
    return [random_game(seed, num_plies=generator.randint(4, 44)) for seed in range(400)]


FolderMaker = Callable[[Path, Mapping[str, Sequence[Game]]], Path]


@pytest.fixture(scope="session")
def make_folder() -> FolderMaker:
    """Writes a games folder: split -> games, a part a split."""

    def make(folder: Path, splits: Mapping[str, Sequence[Game]]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        for index, (split, games) in enumerate(splits.items()):
            rows = [
                {"id": game.id, "san": list(game.san), "result": game.result, "split": split}
                | {"moves_hash": hash_of(game), "source": "test", "source_index": number}
                for number, game in enumerate(games)
            ]
            path = folder / part_name(index)
            pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
            parts.append({"file": path.name, "games": len(games), "sha256": sha256_file(path)})
        total = sum(len(games) for games in splits.values())
        content = {"format": GAMES_FORMAT, "parts": parts, "games": total, "games_digest": games_digest(parts)}
        write_json(folder / "manifest.json", content)
        return folder

    return make


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, games: list[Game], make_folder: FolderMaker) -> Path:
    """Half of the games to train on, the others to test and validate on."""
    splits = {"train": games[:200], "test": games[200:340], "val": games[340:]}
    return make_folder(tmp_path_factory.mktemp("data") / "games", splits)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `pgn`, `english` and `uci_squares`: tiny networks that learned nothing."""
    root = tmp_path_factory.mktemp("runs")
    for name in ("pgn", "english", "uci_squares"):
        notation = default_notation(name)
        config = TrainConfig(
            run=RunSection(out="unused", seed=1),
            data=TrainDataSection(games="unused", notation=name),
            model=ModelSection(width=16, depth=1, heads=2, mlp_width=24, context_len=420),
            training=TrainingSection(steps=1, games_per_step=1),
        )
        run = root / name
        checkpoint = write_checkpoint(
            run,
            state=TrainingState(step=3, games_seen=17, tokens_seen=1_900, train_s=2.5),
            config=config,
            notation=notation,
            games_digest="0" * 64,
            provenance={},
            weights=fresh_model(config.model, len(notation.vocabulary), seed=9).state_dict(),
            training={},
        )
        write_json(
            run / "run.json",
            {"format": "chesslm-run/1", "final_checkpoint": str(checkpoint.relative_to(run))},
        )
    return root


@dataclass(frozen=True)
class Design:
    """What a designed model does, in rates.

    Args:
        legality: share of positions in which its first choice is legal.
        match: share of positions in which the move it favours is the one that was played.
        mark: share of positions in which it writes the right mark.
        favour: probability of its favoured text, legal or not, given that a move comes next.
        of_legal: share of the legal mass that the favoured move has.
        main_wording: share of a move's probability that its first wording has; the others share the rest.
        largest_end_mass: end masses are uniform between 0 and this.
    """

    legality: float = 0.9
    match: float = 0.4
    mark: float = 0.8
    favour: float = 0.7
    of_legal: float = 0.9
    main_wording: float = 0.8
    largest_end_mass: float = 0.2


@dataclass(frozen=True)
class Truth:
    """What must be measured at one position."""

    first_choice_legal: bool
    legal_mass: float
    end_mass: float
    move_match: bool
    free_move_match: bool
    move_nats: float
    mark_right: bool


@dataclass
class _Node:
    mass: float = 0.0
    children: dict[int, _Node] = field(default_factory=dict)


def _share(text: str) -> float:
    """A number in [0, 1) that looks random and is always the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


class DesignedModel:
    """A `TokenModel` that reads a prompt, rebuilds the board through the notation, and answers as designed.

    It knows the moves that were played, so that it can be right or wrong about them on purpose.
    """

    context_len = 2_000

    def __init__(self, design: Design, notation: Notation, positions: Sequence[Position], *, salt: str) -> None:
        self.design = design
        self.notation = notation
        self.salt = salt
        self.played = {position.game.san[: position.ply]: position.game.san[position.ply] for position in positions}

    def truth(self, position: Position) -> Truth:
        """By the design's rates, from hashes of the game: the same whoever asks, however often."""
        sans = position.game.san[: position.ply]
        board = chess.Board()
        for san in sans:
            board.push_san(san)
        return self.plan(board, sans)[0]

    def plan(self, board: chess.Board, sans: tuple[str, ...]) -> tuple[Truth, chess.Move, chess.Move]:
        """What is true here, the played move and the favoured one."""
        design = self.design
        chance = {what: _share(f"{self.salt}|{what}|{' '.join(sans)}") for what in ("legal", "match", "mark", "end")}
        played = board.parse_san(self.played[sans])
        others = sorted((m for m in board.legal_moves if m != played), key=chess.Move.uci)
        is_match = chance["match"] < design.match or not others
        favoured = played if is_match else others[int(chance["match"] * 1e6) % len(others)]
        is_legal = chance["legal"] < design.legality
        legal_mass = design.favour if is_legal else 1 - design.favour
        share = 1.0 if not others else design.of_legal if is_match else (1 - design.of_legal) / len(others)
        truth = Truth(
            first_choice_legal=is_legal,
            legal_mass=legal_mass,
            end_mass=chance["end"] * design.largest_end_mass,
            move_match=is_match,
            free_move_match=is_legal and is_match,
            move_nats=-math.log(legal_mass * share),
            mark_right=chance["mark"] < design.mark,
        )
        return truth, played, favoured

    def read(self, prompts: Sequence[Sequence[int]]) -> Reading:
        return _DesignedReading([_Answer(self, list(prompt)) for prompt in prompts])


class _Answer:
    """All that the model says after one prompt."""

    def __init__(self, model: DesignedModel, prompt: list[int]) -> None:
        self.vocabulary = model.notation.vocabulary
        written = read_written_game(model.notation, prompt)
        board = chess.Board()
        sans = []
        for ply in written.plies:
            assert ply.move is not None
            sans.append(board.san(ply.move))
            board.push(ply.move)
        assert model.notation.prompt(board) == prompt, "the board was rebuilt from the prompt"
        self.prompt_len = len(prompt)
        self.truth, played, favoured = model.plan(board, tuple(sans))
        self.tree = _Node()
        others = [move for move in board.legal_moves if move != favoured]
        self._plant(model, board, favoured, self.truth.legal_mass * (model.design.of_legal if others else 1.0))
        for move in others:
            self._plant(model, board, move, self.truth.legal_mass * (1 - model.design.of_legal) / len(others))
        impossible = next(
            token
            for token in range(len(self.vocabulary))
            if token not in self.vocabulary.not_a_first_token_ids and model.notation.is_complete(board, [token]) is None
        )
        self.tree.children[impossible] = _Node(1 - self.truth.legal_mass)
        self.marks_after = self._marks(model, board, played)

    def _plant(self, model: DesignedModel, board: chess.Board, move: chess.Move, mass: float) -> None:
        first, *rest = model.notation.spellings(board, move)
        main = model.design.main_wording if rest else 1.0
        for wording in (first, *rest):
            part = mass * (main if wording is first else (1 - main) / len(rest))
            node = self.tree
            for token in wording:
                node = node.children.setdefault(token, _Node())
                node.mass += part

    def _marks(self, model: DesignedModel, board: chess.Board, played: chess.Move) -> dict[tuple[int, ...], int]:
        """Text after the prompt -> the token that is most probable there."""
        spelling = model.notation.spell(board, played)
        follow = model.notation.follow(board, played)
        marks = sorted(self.vocabulary.mark_ids)
        harmless = self.vocabulary.begin_id
        found = {}
        for index in range(max(1, len(follow)) if marks else 0):
            right = follow[index] if follow else harmless
            wrong = marks[0] if right != marks[0] else marks[1]
            found[(*spelling, *follow[:index])] = right if self.truth.mark_right else wrong
        return found

    def after(self, text: Sequence[int]) -> Tensor:
        """Logits of what follows the prompt and this text."""
        node: _Node | None = self.tree
        for token in text:
            node = node.children.get(token) if node else None
        probabilities = torch.full((len(self.vocabulary),), 1e-12, dtype=torch.float64)
        if tuple(text) in self.marks_after:
            probabilities[self.marks_after[tuple(text)]] = 1.0
        elif node is not None and node.children:
            for token, child in node.children.items():
                probabilities[token] = child.mass
            if not text:
                # Results as designed, and some mark if there are any: neither counts when a move is due.
                marks = list(self.vocabulary.mark_ids)
                probabilities *= 1 - self.truth.end_mass - (0.1 if marks else 0.0)
                probabilities[marks] = 0.1 / max(1, len(marks))
                results = list(self.vocabulary.result_ids.values())
                probabilities[results] = self.truth.end_mass / len(results)
        return (probabilities / probabilities.sum()).log().float()

    def before_the_end(self) -> Tensor:
        """Logits at any earlier place of the prompt: results as designed, everything else alike."""
        probabilities = torch.ones(len(self.vocabulary), dtype=torch.float64)
        results = list(self.vocabulary.result_ids.values())
        probabilities *= (1 - self.truth.end_mass) / (len(self.vocabulary) - len(results))
        probabilities[results] = self.truth.end_mass / len(results)
        return probabilities.log().float()


class _DesignedReading:
    def __init__(self, answers: list[_Answer]) -> None:
        self.answers = answers

    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        found = []
        for row, column in zip(rows, columns, strict=True):
            answer = self.answers[row]
            found.append(answer.after([]) if column == answer.prompt_len - 1 else answer.before_the_end())
        return torch.stack(found)

    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        return torch.stack(list(self._walk(branches)))

    def _walk(self, branches: Sequence[Branches]) -> Iterator[Tensor]:
        for answer, tree in zip(self.answers, branches, strict=True):
            texts: list[list[int]] = []
            for token, parent in zip(tree.tokens, tree.parents, strict=True):
                texts.append([*(texts[parent] if parent >= 0 else []), token])
            yield from (answer.after(text) for text in texts)

    def select(self, rows: Sequence[int]) -> Reading:
        return _DesignedReading([self.answers[row] for row in rows])

    def extend(self, tokens: Sequence[int]) -> Tensor:
        raise AssertionError("positions are measured without sampling")


@pytest.fixture(scope="session")
def designed() -> Callable[..., DesignedModel]:
    """Makes a designed model; further arguments are the design's."""

    def make(notation: Notation, positions: Sequence[Position], *, salt: str = "", **design: float) -> DesignedModel:
        return DesignedModel(Design(**design), notation, positions, salt=salt)

    return make


@pytest.fixture(scope="session")
def model_record() -> Callable[..., ModelRecord]:
    """Makes the record of a model; arguments replace what it says."""

    def make(label: str, **changes: Any) -> ModelRecord:
        content = {
            "label": label,
            "kind": "trained",
            "source": "test",
            "notation": "pgn",
            "vocabulary_len": 298,
            "vocabulary_fingerprint": "0" * 64,
            "checkpoint_digest": "0" * 64,
            "params_trunk": 1,
            "params_embedding": 1,
            "params_head": 0,
            "context_len": 500,
            "step": 1,
            "games_seen": 1,
            "tokens_seen": 1,
            "train_seconds": 1.0,
        }
        return ModelRecord(**{**content, **changes})

    return make


@pytest.fixture(scope="session")
def contender_of(model_record: Callable[..., ModelRecord]) -> Callable[..., Contender]:
    """Makes a contender of any model."""

    def make(
        model: TokenModel, notation: Notation, label: str = "designed", control_of: tuple[str, ...] = ()
    ) -> Contender:
        record = model_record(
            label,
            kind="untrained" if control_of else "trained",
            notation=notation.name,
            vocabulary_len=len(notation.vocabulary),
            vocabulary_fingerprint=notation.vocabulary.fingerprint,
            context_len=model.context_len,
        )
        return Contender(record, model, notation, control_of)

    return make
