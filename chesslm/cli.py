"""The `chesslm` command: finds each room's commands, loads only the one asked for, and says failures in one line.

Knows: the entry-point group `chesslm.commands`, exit codes (0 done, 2 a user's mistake, 130 interrupted).
Doesn't know: what any command does.
"""

from __future__ import annotations

import io
import logging
import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

import typer
from typer.exceptions import TyperException

import chesslm
from chesslm.errors import ChesslmError

GROUP = "chesslm.commands"
DONE, USER_MISTAKE, INTERRUPTED = 0, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code. Every failure of ours is one line on stderr."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    commands = {point.name: point for point in entry_points(group=GROUP)}
    name = arguments[0] if arguments else "--help"
    if name in ("--help", "-h", "help"):
        print(_overview(commands))
        return DONE
    if name in ("--version", "version"):
        print(f"chesslm {chesslm.__version__}")
        return DONE
    if name not in commands:
        return _fail(f"no command {name!r}; known: {', '.join(sorted(commands))}")
    return _run(commands[name], arguments[1:])


def _run(command: EntryPoint, arguments: list[str]) -> int:
    with _copy_of_output() as output:
        try:
            return _call(command, arguments)
        except (KeyboardInterrupt, typer.Abort):
            return _interrupted()
        except ChesslmError as error:
            return _fail(str(error))
        except TyperException as error:
            said = getattr(error, "format_message", error.__str__)()
            return _fail(f"{said.rstrip('.')} (see chesslm {command.name} --help)")
        except SystemExit as ended:
            # typer and rich answer any broken pipe with SystemExit(1), raised while they handle the pipe's error.
            if isinstance(ended.__context__, BrokenPipeError):
                return _broken_pipe(ended.__context__, output)
            return _exit_code(ended.code)
        except BrokenPipeError as error:
            return _broken_pipe(error, output)
        except OSError as error:
            said = error.strerror or str(error) or type(error).__name__
            return _fail(f"{error.filename}: {said}" if error.filename is not None else said)


def _call(command: EntryPoint, arguments: list[str]) -> int:
    loaded = typer.main.get_command(command.load())
    code = loaded.main(arguments, prog_name=f"chesslm {command.name}", standalone_mode=False)
    sys.stdout.flush()
    # typer turns Ctrl-C into Exit(130) and, without its standalone mode, returns an Exit's code.
    if code == INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else DONE


@contextmanager
def _copy_of_output() -> Iterator[int | None]:
    """A second descriptor of our output, None where it has none; rich replaces the first when its reader has gone."""
    try:
        copy = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):
        yield None
        return
    try:
        yield copy
    finally:
        os.close(copy)


def _broken_pipe(error: BrokenPipeError, output: int | None) -> int:
    """If our own output's reader has gone (`chesslm … | head`), that is no failure, and nothing more can be said.

    Raises:
        BrokenPipeError: it was another pipe, which whoever writes to it ought to have handled.
    """
    watched = select.poll()
    if output is not None:
        watched.register(output, 0)  # errors are told unasked
    if not any(events & (select.POLLERR | select.POLLHUP) for _, events in watched.poll(0)):
        raise error
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
    return DONE


def _exit_code(code: object) -> int:
    """What the interpreter makes of a SystemExit's code."""
    if code is None or isinstance(code, int):
        return code or DONE
    return _fail(str(code))


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return INTERRUPTED


def _fail(message: str) -> int:
    line = " ".join(message.split())
    printable = "".join(character if character.isprintable() else "?" for character in line)
    print(f"chesslm: {printable}", file=sys.stderr)
    return USER_MISTAKE


def _overview(commands: dict[str, EntryPoint]) -> str:
    lines = ["chesslm: a laboratory for chess language models", "", "Commands (each has --help):"]
    for name in sorted(commands):
        help_text = commands[name].load().info.help or ""
        lines.append(f"  {name:<8} {help_text.strip().splitlines()[0] if help_text.strip() else ''}")
    return "\n".join(lines)


def run() -> None:
    """The console script."""
    # File names need not be UTF-8, and saying one shall not fail; stderr does this by itself.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())


if __name__ == "__main__":
    run()
