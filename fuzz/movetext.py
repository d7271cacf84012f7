"""Hostile movetext: the kernel, the reference and an independent reading agree on every one, and nothing hangs.

Knows: which inputs are made, and what must hold for each.
Doesn't know: files and headers (`dumps`).

    python -m fuzz.movetext --runs 3000 --seed 1
"""

from __future__ import annotations

import faulthandler
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import Annotated

import typer

from data_prep.replay_block import replay_block
from data_prep.replay_outcome import Rejected, Replayed
from data_prep.replay_reference import replay_reference
from fuzz.damage import PIECES, damaged
from fuzz.games import random_movetext
from fuzz.oracle import Finding, check_kept

HANG_S = 600  # seconds that a batch may take on a busy machine; it takes milliseconds
_BATCH_LEN = 50
_POOL_LEN = 200  # undamaged games that damage starts from; about one a batch is replaced by a new one
KEPT = "kept"


def movetexts(seed: int) -> Iterator[bytes]:
    """Endlessly: damaged games, whole games now and then, and bytes put together at random."""
    generator = random.Random(seed)
    pool = [random_movetext(generator) for _ in range(_POOL_LEN)]
    while True:
        kind = generator.random()
        if kind < 0.02:
            pool[generator.randrange(_POOL_LEN)] = random_movetext(generator)
            yield generator.choice(pool)
        elif kind < 0.85:
            yield damaged(generator, generator.choice(pool), pool)
        elif kind < 0.95:  # a legal beginning, then pieces
            whole = generator.choice(pool)
            begun = whole[: generator.randrange(len(whole) + 1)]
            yield begun + b" ".join(generator.choices(PIECES, k=generator.randrange(1, 8)))
        else:
            yield b"".join(generator.choices([*PIECES, generator.randbytes(2)], k=generator.randrange(20)))


def check(batch: Sequence[bytes]) -> Counter[str]:
    """Judge movetexts together, as data preparation does.

    Returns:
        how many were kept, and how many were rejected for each reason.

    Raises:
        Finding: a promise was broken.
    """
    try:
        outcomes = replay_block(batch).outcomes()
    except Exception as error:
        raise Finding(f"the fast path raised {error!r} on {batch!r}") from error
    return Counter(starmap(check_one, zip(batch, outcomes, strict=True)))


def check_one(movetext: bytes, outcome: Replayed | Rejected) -> str:
    """Judge what became of one movetext; `KEPT`, or the reason of its rejection.

    Raises:
        Finding: a promise was broken.
    """
    by_reference = replay_reference(movetext)
    if outcome != by_reference:
        raise Finding(f"the fast path says {outcome}, the reference says {by_reference}: {movetext!r}")
    if isinstance(outcome, Rejected):
        return outcome.reason
    check_kept(movetext, outcome)
    return KEPT


def main(
    runs: Annotated[int, typer.Option(min=1, help="movetexts")] = 3_000,
    seed: Annotated[int, typer.Option(help="decides every movetext")] = 1,
) -> None:
    """Replay hostile movetexts and compare."""
    counts: Counter[str] = Counter()
    source = movetexts(seed)
    while (left := runs - counts.total()) > 0:
        faulthandler.dump_traceback_later(HANG_S, exit=True, file=2)
        try:
            counts += check([next(source) for _ in range(min(_BATCH_LEN, left))])
        except Finding as finding:
            typer.echo(f"seed {seed}, near movetext {counts.total():,}: {finding}", err=True)
            raise typer.Exit(1) from finding
    faulthandler.cancel_dump_traceback_later()
    typer.echo(f"{counts.total():,} movetexts, seed {seed}, no finding: {dict(counts.most_common())}")


if __name__ == "__main__":
    typer.run(main)
