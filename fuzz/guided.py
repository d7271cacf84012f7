"""Hostile movetext chosen by branch coverage (atheris): what random damage would hardly ever hit upon.

Knows: how atheris is set up; the kernel runs as the plain Python it is written in, so that its branches can be seen.
Doesn't know: what must hold (`movetext.check`).

    python -m fuzz.guided --runs 3000 --seed 1 [--corpus DIR]

Each input is tried as a movetext of its own and behind beginnings from which castling, en passant and promotion are
one ply away. Inputs that reach a new branch are kept in the corpus folder, if one is given; the next run begins there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import atheris
import typer

os.environ["NUMBA_DISABLE_JIT"] = "1"  # before numba is imported: what is compiled can't be watched
with atheris.instrument_imports(include=["data_prep"]):
    from fuzz.damage import PIECES
    from fuzz.movetext import HANG_S, check

MAX_LEN = 400  # bytes of an input
BEGINNINGS: tuple[bytes, ...] = (
    b"",
    b"1. e4 Nf6 2. e5 d5 3. Nf3 Nc6 4. Be2 Be6 5. O-O Qd7 6. c4 dxc4 7. a4 ",  # Black may castle
    b"1. e4 a6 2. e5 d5 ",  # exd6 en passant
    b"1. a4 b5 2. axb5 a6 3. bxa6 Bb7 4. axb7 Nc6 5. h4 g5 6. hxg5 h6 7. gxh6 Bg7 8. hxg7 Nf6 ",  # promotions
)


def main(
    runs: Annotated[int, typer.Option(min=1, help="inputs; each is tried behind every beginning")] = 3_000,
    seed: Annotated[int, typer.Option(min=1, help="decides the mutations")] = 1,
    corpus: Annotated[Path | None, typer.Option(help="folder of inputs that reached something new")] = None,
) -> None:
    """Replay movetexts that reach new branches, and compare."""
    counts: Counter[str] = Counter()

    def count(data: bytes) -> None:
        counts.update(check([beginning + data for beginning in BEGINNINGS]))
        if counts.total() == runs * len(BEGINNINGS):
            typer.echo(f"{runs:,} inputs, {counts.total():,} movetexts, seed {seed}, no finding: {dict(counts)}")
            sys.stdout.flush()

    words = [f"-max_len={MAX_LEN}", f"-runs={runs}", f"-seed={seed}", f"-timeout={HANG_S}", "-verbosity=0"]
    words.append(f"-artifact_prefix={tempfile.gettempdir()}/")
    folders = []
    if corpus is not None:
        corpus.mkdir(parents=True, exist_ok=True)
        for number, piece in enumerate(PIECES):
            (corpus / f"piece-{number:03d}").write_bytes(piece)
        folders = [os.fspath(corpus)]
    atheris.Setup([sys.argv[0], *words, *folders], count)
    atheris.Fuzz()


if __name__ == "__main__":
    typer.run(main)
