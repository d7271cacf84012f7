"""How a foreign model's training text writes a game: moves, numbers, what stands before them.

Knows: the four ways to write that public checkpoints use, and the words that a game falls into.
Doesn't know: tokens (`text_tokens`) or which text a move has (`text_moves`).

    >>> template = TextTemplate(text="pgn-tight", prefix=";")
    >>> template.written(["e4", "e5", "Nf3"])
    ';1.e4 e5 2.Nf3'
    >>> TextTemplate(text="pgn").written(["e4", "e5", "Nf3"])
    '1. e4 e5 2. Nf3'
    >>> TextTemplate(text="uci").written(["e2e4", "e7e5"])
    'e2e4 e7e5'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

SEPARATOR = " "


class Before(NamedTuple):
    """What a game writes between the last move (with its mark) and the next.

    Args:
        apart: words of their own; may be empty.
        attached: what is in one word with the move: the separator, a number that no space follows.
        is_first: nothing was written before these.
    """

    apart: str
    attached: str
    is_first: bool


class TextTemplate(BaseModel):
    """How games are written as text. Plies stand one space apart."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    text: Literal["pgn", "pgn-tight", "san", "uci"] = Field(
        description="pgn: `1. e4 e5 2. Nf3`; pgn-tight: `1.e4 e5 2.Nf3`; san: `e4 e5 Nf3`; uci: `e2e4 e7e5 g1f3`"
    )
    prefix: str = Field("", description="text before the first move or its number")
    begin: str | None = Field(
        None,
        description="token before all text: a token of the tokenizer, or empty for none; what the tokenizer puts there "
        "by itself, else the configuration's bos token, if absent",
    )
    marks: bool = Field(True, description="whether checks and mates are written (`+`, `#`); nothing to uci")

    @property
    def is_uci(self) -> bool:
        """Whether moves are written as start and end squares, not in SAN."""
        return self.text == "uci"

    def before(self, ply: int) -> Before:
        """What stands before a ply (0 is White's first move)."""
        is_first = ply == 0
        start = self.prefix if is_first else SEPARATOR
        if ply % 2 or self.text in ("san", "uci"):
            # After a number that stands apart the word is a new one even at the beginning of the game.
            return Before("", start, is_first)
        number = f"{start}{ply // 2 + 1}."
        return Before("", number, is_first) if self.text == "pgn-tight" else Before(number, SEPARATOR, is_first)

    def written(self, moves: Sequence[str]) -> str:
        """A game's text from its moves' texts, marks included."""
        parts = [self.before(ply) for ply in range(len(moves))]
        return "".join(f"{part.apart}{part.attached}{move}" for part, move in zip(parts, moves, strict=True))
