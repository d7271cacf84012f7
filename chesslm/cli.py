"""The `chesslm` command: finds each room's commands, loads only the one asked for, and says failures in one line.

Knows: the entry-point group `chesslm.commands`, exit codes (0 done, 2 a user's mistake, 130 interrupted).
Doesn't know: what any command does.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
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
    try:
        loaded = typer.main.get_command(command.load())
        code = loaded.main(arguments, prog_name=f"chesslm {command.name}", standalone_mode=False)
        sys.stdout.flush()
        # typer turns Ctrl-C into Exit(130) and, without its standalone mode, returns an Exit's code.
        return _interrupted() if code == INTERRUPTED else DONE
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except ChesslmError as error:
        return _fail(str(error))
    except TyperException as error:
        said = getattr(error, "format_message", error.__str__)()
        return _fail(f"{said.rstrip('.')} (see chesslm {command.name} --help)")
    except (BrokenPipeError, SystemExit):
        # The reader of our output has gone (`chesslm … | head`): not a failure, and nothing more can be said.
        # (typer answers a broken pipe with SystemExit; our own commands return or raise.)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


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
    sys.exit(main())


if __name__ == "__main__":
    run()
