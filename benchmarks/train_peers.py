"""What the training benchmark measures, each in its own process: `python -m benchmarks.train_peers NAME …`.

Knows: our training step and our decoding, and the plain loops around Hugging Face models that they are compared with:
eager float32, AdamW, rows of consecutive tokens cut from all games, as nanoGPT does it. Each prints one JSON line.
Doesn't know: repetitions and tables (`bench_train`).

Tokens are counted alike: the ones that are predicted, no padding. Decoding is greedy and doesn't stop: equal prompts,
equally many new tokens, both with their caches; in a reduced precision the peers' weights, sums between layers and
caches are bfloat16, ours as `chesslm.quantise` has it.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import torch

from chesslm.batches import Place, Plan
from chesslm.checkpoints import fresh_model
from chesslm.config import (
    ModelSection,
    OptimiserSection,
    RunSection,
    TrainConfig,
    TrainDataSection,
    TrainingSection,
)
from chesslm.game_files import games_folder, read_manifest
from chesslm.local_processes import run_in_processes
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.notation.registry import load_notation
from chesslm.processes import Processes
from chesslm.quantise import rounded
from chesslm.sampling import sample_text
from chesslm.token_games import TokenGames, read_token_games
from chesslm.training_step import Trainer

# About 1M and 5M weights; the peers have the same width, depth and heads.
SIZES = {
    "1M": ModelSection(width=128, depth=5, heads=2, mlp_width=352, context_len=512),
    "5M": ModelSection(width=256, depth=6, heads=4, mlp_width=704, context_len=512),
}
ROW_LEN = 256  # tokens of a row of the plain loops
ROWS = 16
GAMES_A_STEP = 20  # about as many tokens as the plain loops' step
NEW_TOKENS = 200
WARM_UP_STEPS = 8


def read_games(data: Path) -> tuple[TokenGames, Notation]:
    """The train games of a prepared folder in `pgn`, at most 20,000."""
    folder = data / "tokens" / "pgn"
    notation = load_notation("pgn", folder)
    games = read_token_games(
        folder,
        "train",
        fingerprint=notation.vocabulary.fingerprint,
        games_digest=str(read_manifest(games_folder(data))["games_digest"]),
    )
    return games, notation


def timed(
    steps: Iterator[int], *, warm_up_s: float, seconds: float, processes: Processes | None = None
) -> dict[str, float]:
    """Tokens a second of steps that yield how many tokens they predicted, the first ones left out.

    Processes that make the steps together stop together.
    """
    processes = processes or Processes()
    began = time.perf_counter()
    next(steps)
    first_s = time.perf_counter() - began
    for _ in range(WARM_UP_STEPS):  # unusual shapes are compiled anew in some of the first steps
        next(steps)
    while not processes.any(time.perf_counter() - began >= warm_up_s):
        next(steps)
    start, tokens = time.perf_counter(), 0
    while not processes.any(time.perf_counter() - start >= seconds):
        tokens += next(steps)
    return {"tokens_per_s": tokens / (time.perf_counter() - start), "first_step_s": first_s}


def our_steps(
    model: Decoder,
    games: TokenGames,
    notation: Notation,
    *,
    dtype: Literal["float32", "bfloat16"],
    compiled: bool,
    processes: Processes | None = None,
) -> Iterator[int]:
    """The steps of `chesslm train`: whole games, Muon and AdamW, clipping."""
    training = TrainingSection(steps=1_000_000, games_per_step=GAMES_A_STEP, dtype=dtype, compile=compiled)
    config = TrainConfig(
        run=RunSection(out="nowhere"),
        data=TrainDataSection(games="nowhere", notation=notation.name),
        optimiser=OptimiserSection(muon_learning_rate=0.02),
        training=training,
    )
    trainer = Trainer(
        config,
        model,
        games=games,
        plan=Plan(games, seed=0, games_per_step=GAMES_A_STEP),
        pad_id=notation.vocabulary.pad_id,
        processes=processes or Processes(),
    )
    place = Place()
    with closing(trainer):
        while True:
            done = trainer.step(place)
            place = done.after
            yield done.num_tokens


def our_training(
    size: str,
    data: Path,
    *,
    dtype: Literal["float32", "bfloat16"],
    compiled: bool,
    seconds: float,
    processes: Processes,
) -> dict[str, float]:
    """What `run` gives, as one of the processes that `chesslm train` would start."""
    torch.set_flush_denormal(True)
    games, notation = read_games(data)
    model = fresh_model(SIZES[size], len(notation.vocabulary), seed=0)
    steps = our_steps(model, games, notation, dtype=dtype, compiled=compiled, processes=processes)
    with closing(steps):  # type: ignore[type-var]
        found = timed(steps, warm_up_s=seconds / 2, seconds=seconds, processes=processes)
    peak_bytes = processes.sum(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return {**found, "num_params": model.parameter_counts().total, "peak_bytes": peak_bytes}


def plain_steps(model: torch.nn.Module, games: TokenGames) -> Iterator[int]:
    """Steps of a plain loop: random rows of one long line of tokens, AdamW, clipping."""
    line = np.concatenate([games.game_tokens(index) for index in range(min(len(games), 5_000))]).astype(np.int64)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    generator = np.random.default_rng(0)
    while True:
        starts = generator.integers(0, len(line) - ROW_LEN - 1, ROWS)
        rows_BT = torch.from_numpy(np.stack([line[start : start + ROW_LEN + 1] for start in starts]))
        logits_BTV = model(rows_BT[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits_BTV.flatten(0, 1), rows_BT[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        yield ROWS * ROW_LEN


def plain_model(kind: str, shape: ModelSection, vocabulary_len: int) -> Any:
    """A Hugging Face model of the same width, depth and heads, with fresh weights: llama, gpt2 or gpt2dropout.

    GPT-2's configuration drops out a tenth unless told otherwise; nanoGPT, for one, tells it otherwise.
    """
    transformers: Any = importlib.import_module("transformers")
    torch.manual_seed(0)
    ids = {"bos_token_id": 0, "eos_token_id": 1}
    if kind.startswith("gpt2"):
        dropout = 0.1 if kind == "gpt2dropout" else 0.0
        config = transformers.GPT2Config(
            vocab_size=vocabulary_len,
            n_positions=shape.context_len,
            n_embd=shape.width,
            n_layer=shape.depth,
            n_head=shape.heads,
            resid_pdrop=dropout,
            embd_pdrop=dropout,
            attn_pdrop=dropout,
            **ids,
        )
        return transformers.GPT2LMHeadModel(config)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary_len,
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads,
        max_position_embeddings=shape.context_len,
        tie_word_embeddings=True,
        **ids,
    )
    return transformers.LlamaForCausalLM(config)


def decoded(write: Callable[[], int], *, seconds: float) -> dict[str, float]:
    """Tokens a second of decoding, the first call left out."""
    write()
    start, tokens = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        tokens += write()
    return {"tokens_per_s": tokens / (time.perf_counter() - start)}


def run(name: str, size: str, data: Path, *, threads: int, seconds: float) -> dict[str, Any]:
    """One peer by its name: `train-ours`, `train-gpt2`, `decode-llama-64-bfloat16` and the like."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    shape = SIZES[size]
    games, notation = read_games(data)
    vocabulary_len = len(notation.vocabulary)
    kind, who, *task = name.split("-")
    is_ours = who.startswith("ours")
    if kind == "train" and is_ours:
        fast = name == "train-ours"
        dtype: Literal["float32", "bfloat16"] = "bfloat16" if fast else "float32"
        work = partial(our_training, size, data, dtype=dtype, compiled=fast, seconds=seconds)
        return run_in_processes(threads, work, first=lambda group: work(processes=group))
    ours = fresh_model(shape, vocabulary_len, seed=0)
    model: Any = ours if is_ours else plain_model(who, shape, vocabulary_len)
    if kind == "train":
        found = timed(plain_steps(model, games), warm_up_s=seconds / 2, seconds=seconds)
    else:
        num_rows, precision = int(task[0]), task[1]
        begin = notation.vocabulary.begin_id
        # Neither may stop early: every row gets all its tokens, with a cache, greedily, after a prompt of one token.
        endless: Any = SimpleNamespace(vocabulary=SimpleNamespace(end_id=-1))
        model.eval()
        if is_ours:
            writer = rounded(
                ours, "int8" if precision == "int8" else "bfloat16" if precision == "bfloat16" else "float32"
            )

            def write() -> int:
                texts = sample_text(
                    writer,
                    endless,
                    prefixes=[[begin]] * num_rows,
                    temperature=0.0,
                    seeds=list(range(num_rows)),
                    max_new_tokens=NEW_TOKENS,
                )
                return sum(map(len, texts))
        else:
            model.to(getattr(torch, precision))

            def write() -> int:
                start = torch.full((num_rows, 1), begin)
                texts = model.generate(
                    start,
                    attention_mask=torch.ones_like(start),
                    do_sample=False,
                    use_cache=True,
                    max_new_tokens=NEW_TOKENS,
                    eos_token_id=None,
                    pad_token_id=notation.vocabulary.pad_id,
                )
                return int(texts[:, 1:].numel())

        found = decoded(write, seconds=seconds)
    return {
        **found,
        "num_params": sum(parameter.numel() for parameter in model.parameters()),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


if __name__ == "__main__":
    peer, its_size, folder, num_threads, how_long = sys.argv[1:]
    print(json.dumps(run(peer, its_size, Path(folder), threads=int(num_threads), seconds=float(how_long))))
