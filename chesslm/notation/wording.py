"""English sentences for SAN, and SAN for English sentences.

Knows: the wordings of each kind of move, and the grammar that reads them back.
Doesn't know: tokens, boards, or which wording a game chooses.

A sentence is a spelling (" White captures with pawn from file e on d5"), which settles the move with its last word,
and a follow (".", " with check.", " with checkmate."). It says what SAN says, no more and no less. Every wording names
piece, origin and capture before the destination, and the destination, the castling side or the promotion piece comes
last, so no spelling is a prefix of another.

    >>> WORDINGS[0].write("exd8=Q", is_white=True)
    ' White captures with pawn from file e on d8 and promotes to queen'
    >>> [wording.write("Nbd7", is_white=False) for wording in WORDINGS[1:3]]
    [' Black plays the knight from file b to d7', " Black's knight from file b goes to d7"]
    >>> Grammar(WORDINGS).read(" The black knight from file b moves to d7")
    (False, 'Nbd7')
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import chess
import regex

from chesslm.san import KINGSIDE, QUEENSIDE, SanParts, parse

FOLLOWS = {"": ".", "+": " with check.", "#": " with checkmate."}
MARK_WORDS = (" with", " check", " checkmate")

_WINGS = {KINGSIDE: "kingside", QUEENSIDE: "queenside"}
_CASTLINGS = {wing: castling for castling, wing in _WINGS.items()}
_LETTERS = {"pawn": "", "knight": "N", "bishop": "B", "rook": "R", "queen": "Q", "king": "K"}

# Pieces of the grammar; they name the same groups in several alternatives, which `regex` allows.
_OFFICER = r"(?P<piece>knight|bishop|rook|queen|king)"
_PAWN = r"(?P<piece>pawn)"
_FILE, _RANK = r"(?P<file>[a-h])", r"(?P<rank>[1-8])"
_OFFICER_ORIGIN = rf"(?: from (?:file {_FILE}|rank {_RANK}|{_FILE}{_RANK}))?"
_PAWN_ORIGIN = rf" from (?:file {_FILE}|{_FILE}{_RANK})"
_SQUARE = r"(?P<square>[a-h][1-8])"
_PROMOTED = r"(?P<promoted>knight|bishop|rook|queen|king)"


@dataclass(frozen=True, slots=True)
class Wording:
    """One manner of writing every kind of move: templates, as `str.format` takes them.

    Args:
        quiet: a move to an empty square, with `{side}`, `{piece}`, `{origin}`, `{square}`.
        capture: the same for a capture.
        castling: with `{side}` and `{wing}`.
        promotion: what comes after the destination, with `{promoted}`.
        sides: what `{side}` is for Black and for White (the order of python-chess's colours).
    """

    quiet: str
    capture: str
    castling: str
    promotion: str
    sides: tuple[str, str] = ("Black", "White")

    def write(self, core: str, *, is_white: bool) -> str:
        """The spelling of a core SAN; ValueError if it isn't one."""
        parts = parse(core)
        if parts is None or parts.mark:
            raise ValueError(f"{core!r} is not SAN")
        side = self.sides[is_white]
        if parts.to_square is None:
            return self.castling.format(side=side, wing=_WINGS[parts.castling])
        template = self.capture if parts.is_capture else self.quiet
        text = template.format(
            side=side,
            piece=chess.PIECE_NAMES[parts.piece],
            origin=_origin(parts),
            square=chess.SQUARE_NAMES[parts.to_square],
        )
        if parts.promotion is not None:
            text += self.promotion.format(promoted=chess.PIECE_NAMES[parts.promotion])
        return text


WORDINGS = (
    Wording(
        quiet=" {side} moves {piece}{origin} to {square}",
        capture=" {side} captures with {piece}{origin} on {square}",
        castling=" {side} castles {wing}",
        promotion=" and promotes to {promoted}",
    ),
    Wording(
        quiet=" {side} plays the {piece}{origin} to {square}",
        capture=" {side} takes with the {piece}{origin} on {square}",
        castling=" {side} castles on the {wing}",
        promotion=" and promotes it to a {promoted}",
    ),
    Wording(
        quiet=" {side}'s {piece}{origin} goes to {square}",
        capture=" {side}'s {piece}{origin} captures on {square}",
        castling=" {side}'s king castles {wing}",
        promotion=" and becomes a {promoted}",
    ),
    Wording(
        quiet=" The {side} {piece}{origin} moves to {square}",
        capture=" The {side} {piece}{origin} takes on {square}",
        castling=" The {side} king castles on the {wing}",
        promotion=" and turns into a {promoted}",
        sides=("black", "white"),
    ),
    Wording(
        quiet=" {side} puts the {piece}{origin} on {square}",
        capture=" {side} uses the {piece}{origin} to capture on {square}",
        castling=" {side} chooses to castle {wing}",
        promotion=" and makes it a {promoted}",
    ),
)


def _origin(parts: SanParts) -> str:
    file = "" if parts.from_file is None else chess.FILE_NAMES[parts.from_file]
    rank = "" if parts.from_rank is None else chess.RANK_NAMES[parts.from_rank]
    if file and rank:
        return f" from {file}{rank}"
    if file:
        return f" from file {file}"
    return f" from rank {rank}" if rank else ""


class Grammar:
    """Reads spellings and sentences of some wordings.

    It reads exactly the image of the SAN grammar: every text that `chesslm.san.parse` can read has its sentence here,
    legal anywhere or not, and nothing else has.
    """

    def __init__(self, wordings: Sequence[Wording]) -> None:
        settled = "|".join(_pattern(wording, is_judged=False) for wording in wordings)
        self._settled = regex.compile(settled)
        self._spelling = regex.compile("|".join(_pattern(wording, is_judged=True) for wording in wordings))
        follows = "|".join(regex.escape(text) for text in FOLLOWS.values())
        self._sentence = regex.compile(f"({settled})(?P<follow>{follows})")

    def is_settled(self, text: str) -> bool | None:
        """True, a whole spelling; False, the beginning of one; None, neither."""
        match = self._settled.fullmatch(text, partial=True)
        return None if match is None else not match.partial

    def read(self, text: str) -> tuple[bool, str] | None:
        """Whether White moves, and the core SAN, of a spelling; None if it is none.

        Promotions are read where they are impossible or missing too, for the judge to name the fault.
        """
        match = self._spelling.fullmatch(text)
        return None if match is None else _said(match)

    def sentences(self, text: str) -> Iterator[tuple[bool, str]]:
        """Whether White moves, and the SAN with its mark, of each sentence of a text.

        Raises:
            ValueError: at the first place that is no sentence; the message quotes it.
        """
        marks = {follow: mark for mark, follow in FOLLOWS.items()}
        place = 0
        while place < len(text):
            match = self._sentence.match(text, place)
            if match is None:
                raise ValueError(f"no sentence of a move: {text[place : place + 60]!r}")
            is_white, core = _said(match)
            yield is_white, core + marks[match["follow"]]
            place = match.end()


def _pattern(wording: Wording, *, is_judged: bool) -> str:
    """A regular expression for the spellings of one wording.

    A pawn move to a last rank isn't settled before its promotion piece, and no other move has one; where the text goes
    to the judge (`is_judged`), the promotion may be missing or impossible, because that is a fault of its own.
    """
    black, white = wording.sides
    side = f"(?:(?P<white>{white})|{black})"
    promotion = wording.promotion.format(promoted=_PROMOTED)
    officer_square = pawn_square = f"{_SQUARE}(?:{promotion})?"
    if not is_judged:
        officer_square = _SQUARE
        pawn_square = f"(?:(?P<square>[a-h][2-7])|(?P<square>[a-h][18]){promotion})"
    officer = {"side": side, "piece": _OFFICER, "origin": _OFFICER_ORIGIN, "square": officer_square}
    pawn = {"side": side, "piece": _PAWN, "square": pawn_square}
    return "|".join(
        (
            wording.quiet.format(**officer),
            wording.quiet.format(**pawn, origin=f"(?:{_PAWN_ORIGIN})?"),
            "(?P<capture>)" + wording.capture.format(**officer),
            "(?P<capture>)" + wording.capture.format(**pawn, origin=_PAWN_ORIGIN),
            wording.castling.format(side=side, wing="(?P<wing>kingside|queenside)"),
        )
    )


def _said(match: regex.Match[str]) -> tuple[bool, str]:
    is_white = match["white"] is not None
    if match["wing"]:
        return is_white, _CASTLINGS[match["wing"]]
    capture = "" if match["capture"] is None else "x"
    promotion = f"={_LETTERS[match['promoted']]}" if match["promoted"] else ""
    origin = (match["file"] or "") + (match["rank"] or "")
    return is_white, f"{_LETTERS[match['piece']]}{origin}{capture}{match['square']}{promotion}"
