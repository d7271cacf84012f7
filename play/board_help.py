"""What the board says about itself: its keys, its mouse, its commands.

Knows: the words.
Doesn't know: how they are shown.
"""

from __future__ import annotations

from play.commands import BOARD

ABOUT_ARGUMENTS = {
    "load": "A PGN file; the game goes on after the last move of its first game.",
    "save": "A new PGN file; an existing one is never overwritten.",
    "start": 'Moves from the start position, such as "1. e4 e5 2. Nf3".',
    "fen": "A position in FEN. Models that write whole games can't begin there; the random player can.",
    "model": "A run's folder, a checkpoint's folder, a shipped model's name, or random.",
    "watch": "A run's folder, a checkpoint's folder, a shipped model's name, or random.",
}

_INTRODUCTION = """\
Type a move as e4, Nf3, exd5, O-O, e8=Q or e2e4, and Enter. Tab completes it, the
right arrow takes the grey suggestion, the up arrow brings lines back.
Or click on a piece, then on where it goes.

Keys
  ? F1        this help                    ^s          save as PGN
  ^z F2       undo                         ^l          load a PGN
  ^y F3       redo                         Page Up     the position before
  ^t F4       hint                         Page Down   the position after
  ^r F5       flip the board               Escape      back to the present
  ^n F6       new game                     Space       pause, when models play
  ^o F7       another model                ^q F10      quit
  ^p F8       menu of all commands         ^c          quit at once

What the model shows
  The bars are p(move): how the model shares its probability among the moves of
  the position, most probable first; > stands before what it played. Legal mass
  is the share that is on legal moves at all. Its first choice is what it wrote
  by itself, unmasked: where that was illegal, it says so, and the best legal
  move was played instead. Below the board stands the page that it reads and
  writes: the game in the tokens of its notation, its own moves in yellow.

Commands (type them, or choose from the menu)
"""


def help_text() -> str:
    """The help screen's text, lines of at most 80 columns."""
    commands = "".join(f"  {f'{name} {command.argument}':<28}{command.help}\n" for name, command in BOARD.items())
    return _INTRODUCTION + commands
