"""What is measured side by side: trained models, and the controls that say whether they learned anything.

Knows: labels, the untrained and the uniform control, who is compared with whom, which games fit every model.
A player without a notation is an entrant, too (`players`), but no contender: only its decisions can be measured.
Doesn't know: metrics or positions.

Tensor key: R requests · V vocabulary.
"""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from chesslm.checkpoints import LoadedModel, load_model, untrained
from chesslm.errors import GameTooLong, InputError, UnsupportedPosition
from chesslm.game import Game
from chesslm.hugging_face import HuggingFaceModel, is_hugging_face, load_hugging_face, untrained_hugging_face
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.token_model import Reading, TokenModel
from chesslm.token_tree import Branches
from eval.records import ModelKind, ModelRecord

TOO_LONG = "too long for a model"
NO_TOKENS = "a move that a model has no tokens for"

# Far below any difference between probabilities that is printed, far above the rounding of float32.
UNIFORM_NOISE = 1e-4


class Entrant(Protocol):
    """Whoever has a column of its own: a model with its notation (`Contender`), or a player (`players`)."""

    @property
    def record(self) -> ModelRecord:
        """What its results say about it."""
        ...

    @property
    def control_of(self) -> tuple[str, ...]:
        """Labels of those that it is a control of; empty for others."""
        ...

    @property
    def label(self) -> str:
        """Unique among the entrants of a measurement."""
        ...


AnEntrant = TypeVar("AnEntrant", bound=Entrant)


@dataclass(frozen=True)
class Contender:
    """A model and what its results say about it.

    Args:
        record: goes into the results file.
        model: answers.
        notation: in which it is asked.
        control_of: labels of the trained models that it is a control of; empty for a trained model.
    """

    record: ModelRecord
    model: TokenModel | Decoder
    notation: Notation
    control_of: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Unique among the contenders of a measurement."""
        return self.record.label


def load_contenders(names_or_paths: Sequence[str], *, device: str, with_controls: bool, seed: int) -> list[Contender]:
    """The named models, then, if wanted, their controls.

    Args:
        names_or_paths: as `chesslm.checkpoints.load_model`, or `chesslm.hugging_face.load_hugging_face`, takes them.
        device: auto, cpu or cuda.
        with_controls: add each model's untrained weights, and uniformly random tokens in each vocabulary.
        seed: of the uniform controls.

    Raises:
        InputError, FormatError, MissingToolError: as these; and a model that is named twice.
    """
    loaded = [
        load_hugging_face(name, device=device) if is_hugging_face(name) else load_model(name, device=device)
        for name in names_or_paths
    ]
    labels = _labels(loaded)
    trained = [
        _contender(one, label, "trained", source)
        for one, label, source in zip(loaded, labels, names_or_paths, strict=True)
    ]
    if not with_controls:
        return trained
    controls = [
        _contender(
            untrained_hugging_face(one) if isinstance(one, HuggingFaceModel) else untrained(one),
            f"{contender.label} untrained",
            "untrained",
            contender.record.source,
        )
        for one, contender in zip(loaded, trained, strict=True)
    ]
    return [*trained, *controls, *_uniform_controls(trained, seed)]


def pairs(entrants: Sequence[AnEntrant]) -> list[tuple[AnEntrant, AnEntrant]]:
    """Who is compared with whom: all but controls with each other in the order given, each with its controls."""
    trained = [entrant for entrant in entrants if not entrant.control_of]
    with_controls = [(one, other) for one in trained for other in entrants if one.label in other.control_of]
    return [*itertools.combinations(trained, 2), *with_controls]


def fits_all(contenders: Sequence[Contender]) -> Callable[[Game], str | None]:
    """Why a game can't be put to all of them whole: the same games for all, none of them cut."""
    # Controls have their models' notations and contexts.
    trained = [contender for contender in contenders if not contender.control_of]

    def why_not(game: Game) -> str | None:
        try:
            lens = [len(contender.notation.encode_game(game).ids) for contender in trained]
        except GameTooLong:
            return TOO_LONG
        except UnsupportedPosition:
            return NO_TOKENS
        fits = all(num <= contender.record.context_len for num, contender in zip(lens, trained, strict=True))
        return None if fits else TOO_LONG

    return why_not


def _labels(loaded: Sequence[LoadedModel | HuggingFaceModel]) -> list[str]:
    """Names, with the beginning of the digest where two are alike."""
    counts = Counter(one.name for one in loaded)
    labels = [one.name if counts[one.name] == 1 else f"{one.name} {one.digest[:8]}" for one in loaded]
    twice = [label for label, number in Counter(labels).items() if number > 1]
    if twice:
        raise InputError(f"--model: {twice[0]} is named twice")
    return labels


def _contender(loaded: LoadedModel | HuggingFaceModel, label: str, kind: ModelKind, source: str) -> Contender:
    if isinstance(loaded, HuggingFaceModel):
        counts, context_len = loaded.counts, loaded.model.context_len
        step = games_seen = tokens_seen = train_seconds = None
    else:
        counts, context_len = loaded.model.parameter_counts(), loaded.config.model.context_len
        step, games_seen, tokens_seen = loaded.step, loaded.games_seen, loaded.tokens_seen
        train_seconds = loaded.train_seconds
    record = ModelRecord(
        label=label,
        kind=kind,
        source=source,
        notation=loaded.notation.name,
        vocabulary_len=len(loaded.notation.vocabulary),
        vocabulary_fingerprint=loaded.notation.vocabulary.fingerprint,
        checkpoint_digest=loaded.digest,
        params_trunk=counts.trunk,
        params_embedding=counts.embedding,
        params_head=counts.head,
        context_len=context_len,
        step=step,
        games_seen=games_seen,
        tokens_seen=tokens_seen,
        train_seconds=train_seconds,
    )
    control_of = () if kind == "trained" else (label.removesuffix(" untrained"),)
    return Contender(record, loaded.model, loaded.notation, control_of)


def _uniform_controls(trained: Sequence[Contender], seed: int) -> list[Contender]:
    """One for each vocabulary."""
    groups: dict[str, list[Contender]] = {}
    for contender in trained:
        groups.setdefault(contender.record.vocabulary_fingerprint, []).append(contender)
    names = Counter(group[0].notation.name for group in groups.values())
    return [_uniform_control(group, seed, is_only_one=names[group[0].notation.name] == 1) for group in groups.values()]


def _uniform_control(group: Sequence[Contender], seed: int, *, is_only_one: bool) -> Contender:
    first = group[0].record
    context_len = max(contender.record.context_len for contender in group)
    which = first.notation if is_only_one else f"{first.notation} {first.vocabulary_fingerprint[:8]}"
    record = ModelRecord(
        label=f"uniform tokens ({which})",
        kind="uniform",
        source=first.source,
        notation=first.notation,
        vocabulary_len=first.vocabulary_len,
        vocabulary_fingerprint=first.vocabulary_fingerprint,
        checkpoint_digest=None,
        params_trunk=0,
        params_embedding=0,
        params_head=0,
        context_len=context_len,
        step=0,
        games_seen=0,
        tokens_seen=0,
        train_seconds=0.0,
    )
    model = uniform_model(first.vocabulary_len, context_len=context_len, seed=seed)
    return Contender(record, model, group[0].notation, tuple(contender.label for contender in group))


def uniform_model(vocabulary_len: int, *, context_len: int, seed: int) -> TokenModel:
    """Every token alike, whatever stands before; the greedy choice is a uniformly random token.

    Logits are random within `UNIFORM_NOISE`, drawn anew for every text and the same for the same text, so that
    neither batches nor order matter.
    """

    def next_logits(tokens: Sequence[int]) -> Tensor:
        # A number for the text; equal ones for two texts would only mean the same noise.
        text = zlib.crc32(np.asarray(tokens, dtype=np.int64).tobytes())
        noise = np.random.default_rng((seed, text)).random(vocabulary_len, dtype=np.float32)
        return torch.from_numpy(noise * np.float32(UNIFORM_NOISE))

    return FunctionModel(next_logits, context_len=context_len)


class FunctionModel:
    """A function from all tokens so far to the logits of the next, `[V]`, as a `TokenModel`."""

    def __init__(self, next_logits: Callable[[Sequence[int]], Tensor], *, context_len: int) -> None:
        self._next_logits = next_logits
        self._context_len = context_len

    @property
    def context_len(self) -> int:
        """Tokens that a text may have."""
        return self._context_len

    def read(self, prompts: Sequence[Sequence[int]]) -> Reading:
        """Nothing to compute before something is asked."""
        return _FunctionReading(self._next_logits, [list(prompt) for prompt in prompts])


class _FunctionReading:
    def __init__(self, next_logits: Callable[[Sequence[int]], Tensor], texts: list[list[int]]) -> None:
        self._next_logits = next_logits
        self._texts = texts

    def logits(self, rows: Sequence[int], columns: Sequence[int]) -> Tensor:
        return torch.stack(
            [self._next_logits(self._texts[row][: column + 1]) for row, column in zip(rows, columns, strict=True)]
        )

    def branch_logits(self, branches: Sequence[Branches]) -> Tensor:
        found: list[Tensor] = []
        for text, tree in zip(self._texts, branches, strict=True):
            paths: list[list[int]] = []
            for token, parent in zip(tree.tokens, tree.parents, strict=True):
                paths.append([*(paths[parent] if parent >= 0 else text), token])
            found += [self._next_logits(path) for path in paths]
        return torch.stack(found) if found else torch.empty(0, len(self._next_logits(self._texts[0])))

    def select(self, rows: Sequence[int]) -> Reading:
        return _FunctionReading(self._next_logits, [list(self._texts[row]) for row in rows])

    def extend(self, tokens: Sequence[int]) -> Tensor:
        for text, token in zip(self._texts, tokens, strict=True):
            text.append(token)
        return torch.stack([self._next_logits(text) for text in self._texts])
