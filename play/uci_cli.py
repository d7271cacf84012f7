"""`chesslm uci`: the UCI engine on standard input and output.

Knows: the options, the thread that reads lines, and how the engine ends: quit, end of input, Ctrl-C, a reader gone.
Doesn't know: chess or the protocol (`uci_engine`).
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import typer

from chesslm.errors import ConfigError, InputError
from play.uci_engine import Engine
from play.uci_options import MAX_MOVES, MAX_SEED, MAX_THREADS, Settings
from play.uci_thinker import ModelThinker

app = typer.Typer(help="A UCI engine for GUIs, match runners and bots.", add_completion=False)

# Longer than any game of chess can be written; what goes beyond it is cut into lines of its own.
MAX_LINE_BYTES = 1 << 20
_READ_BYTES = 1 << 16
# A GUI that says quit waits for the process to end.
QUIT_PATIENCE_S = 0.5

Event = str | BaseException | None


@app.command()
def uci(
    model: Annotated[
        str | None,
        typer.Option(help="a run folder, a checkpoint, a shipped model's name, or random; a shipped model if absent"),
    ] = None,
    temperature: Annotated[float, typer.Option(help="0 plays the best legal move; higher is more varied")] = 0.0,
    top_k: Annotated[int, typer.Option(min=0, max=MAX_MOVES, help="draw from the k best legal moves; 0: all")] = 0,
    top_p: Annotated[float, typer.Option(help="draw from the best legal moves that hold this share")] = 1.0,
    multi_pv: Annotated[int, typer.Option("--multipv", min=1, max=MAX_MOVES, help="how many moves to tell")] = 1,
    policy: Annotated[
        Literal["lenient", "strict"], typer.Option(help="strict gives up when the model's first choice is illegal")
    ] = "lenient",
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="seeds what is drawn")] = 0,
    threads: Annotated[int, typer.Option(min=1, max=MAX_THREADS, help="processor threads for a move")] = 1,
) -> None:
    """A UCI engine for GUIs, match runners and bots.

    It speaks the Universal Chess Interface on standard input and output. Each option is the default of the UCI option
    of the same name, which a GUI may change.
    """
    if model is not None and not model.strip():
        raise ConfigError("--model: an empty name")
    settings = Settings(model, multi_pv=multi_pv, policy=policy, seed=seed, threads=threads, top_k=top_k)
    for name, flag, value in (("Temperature", "--temperature", temperature), ("TopP", "--top-p", top_p)):
        try:
            settings = settings.with_option(name, repr(value))
        except InputError as error:
            raise ConfigError(str(error).replace(f"option {name}", flag)) from error
    serve(settings)


def serve(settings: Settings) -> None:
    """Answer standard input until it ends.

    Raises:
        UserError: the model named in the settings can't be loaded.
        BrokenPipeError: nobody reads the answers any more.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    engine = Engine(_say, ModelThinker(), settings, failed=events.put)
    # A daemon, since nothing can end its waiting; it reads past Python's own buffers, which it could leave locked.
    threading.Thread(target=_read_lines, args=(events,), name="reader", daemon=True).start()
    try:
        while isinstance(event := events.get(), str):
            if not engine.tell(event):
                if not engine.close(within_s=QUIT_PATIENCE_S):
                    # In the middle of importing torch, say: nothing is open that a sudden end could spoil.
                    os._exit(0)
                return
        if isinstance(event, BaseException):
            raise event
        engine.end_of_input()
        while not events.empty():
            if isinstance(late := events.get(), BaseException):
                raise late
    finally:
        engine.close()


def _say(lines: Sequence[str]) -> None:
    output = sys.stdout.buffer
    output.write("".join(f"{line}\n" for line in lines).encode(errors="replace"))
    output.flush()


def _read_lines(events: queue.SimpleQueue[Event]) -> None:
    try:
        for line in lines_of(sys.stdin.fileno()):
            events.put(line)
    except OSError:
        pass  # a terminal that went away is the end of input, too
    finally:
        events.put(None)


def lines_of(descriptor: int) -> Iterator[str]:
    """Lines of a file descriptor as they come, without their ends; bytes that aren't UTF-8 become replacement marks."""
    rest = b""
    while chunk := os.read(descriptor, _READ_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")
