r"""The plain peer of `equal_time`: a character-level GPT-2 in the manner of nanoGPT, on the games as PGN text.

Knows: the text, its characters, the loop (random blocks, AdamW, warm-up and cosine), the folder that is measured.
Doesn't know: how long our model may train, or how both are measured (`equal_time`).

The loop is nanoGPT's as its train.py has it: betas 0.9 and 0.95, weight decay 0.1 on matrices alone, gradients clipped
at 1, a warm-up of 100 steps, a cosine to a tenth; 1e-3 and no dropout, as for small models there. Three things differ,
all in the peer's favour: the cosine follows the clock, so that it ends with the time; AdamW is fused; a block holds
1,024 characters as in Chess-GPT, not 256, because a game is judged with all that stands before and nearly all fit.

The text is a line a game, a newline before it: "\n1. e4 e5 2. Nf3 1-0". Asked for moves, the model is given the same.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import nn

from chesslm.errors import InputError
from chesslm.files import write_bytes
from chesslm.game import Game
from chesslm.game_files import games_folder, read_games

CHARACTERS = "\n #*+-./0123456789=BKNOQRabcdefghx"
# More than a CPU reads in a day.
MAX_CHARACTERS = 200_000_000
WARM_UP_STEPS = 100
LEAST_SHARE = 0.1  # of the learning rate, at the end
_LOSS_STEPS = 50
# Evaluation and saving need a moment after the last step.
_RESERVE_S = 0.5


@dataclass(frozen=True, slots=True)
class CharSettings:
    """What the peer is and how it learns.

    Args:
        width: of the residual stream.
        depth: number of blocks.
        heads: attention heads.
        mlp_width: of the hidden layer.
        block: characters of a row, and of the context.
        rows: of a step.
        learning_rate: the highest.
        dtype: bfloat16 computes under autocast.
        compiled: run through torch.compile.
        seed: draws weights and blocks.
    """

    width: int
    depth: int
    heads: int
    mlp_width: int
    block: int = 1_024
    rows: int = 4
    learning_rate: float = 1e-3
    dtype: Literal["float32", "bfloat16"] = "float32"
    compiled: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CharTraining:
    """What came of it.

    Args:
        steps: done.
        characters: predicted, each as often as it was.
        loss_nats: mean a character, over the last steps.
        num_params: weights.
        first_step_s: seconds of the first step, compiling included.
        train_s: seconds of all steps.
    """

    steps: int
    characters: int
    loss_nats: float
    num_params: int
    first_step_s: float
    train_s: float


def written(game: Game) -> str:
    r"""A game as a line of text, the newline before it.

    >>> written(Game("", ("e4", "e5", "Qh5"), "1-0"))
    '\n1. e4 e5 2. Qh5 1-0'
    """
    words = [f"{ply // 2 + 1}. {san}" if ply % 2 == 0 else san for ply, san in enumerate(game.san)]
    return "\n" + " ".join([*words, game.result])


def write_text(data: Path, path: Path, *, max_characters: int = MAX_CHARACTERS) -> tuple[int, int]:
    """Write the train games of a prepared folder as character ids, a byte each: as nanoGPT's prepare.py does.

    Returns:
        How many games and characters were written.

    Raises:
        InputError: there are no train games, or one has a character that PGN movetext hasn't.
    """
    table = bytes.maketrans(CHARACTERS.encode(), bytes(range(len(CHARACTERS))))
    known = set(CHARACTERS)
    num_games, pieces, size = 0, bytearray(), 0
    for row in read_games(games_folder(data), "train"):
        text = written(row.game)
        if not known.issuperset(text):
            raise InputError(f"{data}: game {row.game.id} is no plain movetext")
        pieces += text.encode().translate(table)
        num_games, size = num_games + 1, len(pieces)
        if size >= max_characters:
            break
    if not num_games:
        raise InputError(f"{data}: no train games")
    write_bytes(path, bytes(pieces))
    return num_games, size


def learning_rate_share(step: int, time_share: float) -> float:
    """Share of the highest learning rate: linear warm-up by steps, cosine to a tenth by the clock.

    Args:
        step: 0 for the first.
        time_share: of the time for training that is over.

    >>> [round(learning_rate_share(step, at), 3) for step, at in ((0, 0.0), (99, 0.0), (500, 0.5), (900, 1.0))]
    [0.01, 1.0, 0.55, 0.1]
    """
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, time_share)))
    return min(1.0, (step + 1) / WARM_UP_STEPS) * (LEAST_SHARE + (1 - LEAST_SHARE) * cosine)


def fresh_peer(settings: CharSettings) -> Any:
    """A `GPT2LMHeadModel` with fresh weights and no dropout."""
    transformers: Any = importlib.import_module("transformers")
    torch.manual_seed(settings.seed)
    config = transformers.GPT2Config(
        vocab_size=len(CHARACTERS),
        n_positions=settings.block,
        n_embd=settings.width,
        n_layer=settings.depth,
        n_head=settings.heads,
        n_inner=settings.mlp_width,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=None,
    )
    return transformers.GPT2LMHeadModel(config)


def train_peer(
    settings: CharSettings, text: Path, *, deadline: float, clock: Callable[[], float] = time.time
) -> tuple[Any, CharTraining]:
    """Train until the clock says so; at least one step.

    Args:
        settings: of model and loop.
        text: what `write_text` wrote.
        deadline: what the clock says when the weights must be saved.
        clock: seconds.

    Raises:
        InputError: the text is shorter than a block.
    """
    characters = np.memmap(text, dtype=np.uint8, mode="r")
    if len(characters) <= settings.block:
        raise InputError(f"{len(characters)} characters of games are fewer than a block of {settings.block}")
    model = fresh_peer(settings)
    network = torch.compile(model) if settings.compiled else model
    optimiser = _adamw(model, settings.learning_rate)
    blocks = _blocks(characters, settings)
    began = clock()
    now, step, first_s, took_s = began, 0, 0.0, 0.0
    losses: list[float] = []
    while step == 0 or now + took_s < deadline - _RESERVE_S:
        share = learning_rate_share(step, (now - began) / max(deadline - began, 1e-9))
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * share
        rows = next(blocks)
        with _autocast(settings.dtype):
            logits = network(input_ids=rows[:, :-1], use_cache=False).logits
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses = [*losses[1 - _LOSS_STEPS :], float(loss.detach())]
        step += 1
        before, now = now, clock()
        # The first one compiles, so it foretells nothing of the next.
        first_s, took_s = (now - before, 0.0) if step == 1 else (first_s, now - before)
    return model, CharTraining(
        steps=step,
        characters=step * settings.rows * settings.block,
        loss_nats=sum(losses) / len(losses),
        num_params=sum(parameter.numel() for parameter in model.parameters()),
        first_step_s=first_s,
        train_s=now - began,
    )


def save_peer(model: Any, folder: Path) -> None:
    """Write what `hf:FOLDER` reads: weights, a tokenizer of characters, and how games are written."""
    model.save_pretrained(folder)
    tokeniser = Tokenizer(models.WordLevel({character: place for place, character in enumerate(CHARACTERS)}))
    tokeniser.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    write_bytes(folder / "tokenizer.json", tokeniser.to_str(pretty=True).encode())
    write_bytes(folder / "chesslm.toml", b'text = "pgn"\nprefix = "\\n"\nbegin = ""\n')


def _adamw(model: nn.Module, learning_rate: float) -> torch.optim.AdamW:
    matrices = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=learning_rate,
        betas=(0.9, 0.95),
        fused=True,
    )


def _blocks(characters: npt.NDArray[np.uint8], settings: CharSettings) -> Iterator[torch.Tensor]:
    """Random blocks of the text with the character after each, `[rows, block + 1]`."""
    generator = np.random.default_rng(settings.seed)
    while True:
        starts = generator.integers(0, len(characters) - settings.block, settings.rows)
        rows = np.stack([characters[start : start + settings.block + 1] for start in starts])
        yield torch.from_numpy(rows.astype(np.int64))


def _autocast(dtype: str) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16) if dtype == "bfloat16" else nullcontext()
