"""The reference replay: python-chess judges every move; slow, short, and the judge of the fast path.

Knows: the grammar of movetext, byte by byte, and what of it is tolerated.
Doesn't know: headers, filters, or the fast path (`replay_kernel`), which must agree with it exactly.

The grammar. Every byte of a movetext belongs to one of these; anything else stops the replay:

* white space; `{ comments }` (they don't nest); `; comments` and `% escapes` (`%` in a line's first column) up to the
  line's end; `$` and digits; runs of `!` and `?`, standing alone or at the end of a move;
* variations in `( )`: skipped whole, whatever they hold, nesting and comments respected; none before the first move;
* move numbers: digits, then any number of dots, with or without a space before the move; or dots alone. A number that
  isn't the one due is a problem: it is the only sign by which a lost or doubled ply can be known;
* results: `1-0`, `0-1`, `1/2-1/2`, `*`; after one, only white space and comments. A movetext may lack a result;
* moves as `chess.Board.parse_san` reads them, null moves excepted: SAN, long forms (`Ng1-f3`, `e2e4`, `g1f3`), castling
  with letters or zeros; wrong or missing check and capture marks and needless disambiguation are corrected and counted.
  Beyond `parse_san`: `++` for a check mark, and `e.p.` or `ep` right after an en passant capture, also as its own word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import chess

from data_prep.replay_outcome import Problem, Rejected, Replayed, rejected

_TOKEN = re.compile(
    rb"""
    (?P<skipped> [ \t\n\r\v\f]+ | \{[^}]*\} | ;[^\n\r]* | (?:\A|(?<=[\n\r]))%[^\n\r]* )
    | (?P<glyph> (?: \$[0-9]++ | [!?]++ ) (?= [ \t\n\r\v\f{}();$!?] | \Z ) )
    | (?P<variation> \( )
    | (?P<word> [^ \t\n\r\v\f{}();$!?]+ )
    """,
    re.VERBOSE,
)
_VARIATION_PART = re.compile(rb"\{[^}]*\}|;[^\n\r]*|(?<=[\n\r])%[^\n\r]*|[(){}]")
_STRAY = {
    ord("{"): Problem.OPEN_COMMENT,
    ord("}"): Problem.STRAY_BRACE,
    ord(")"): Problem.STRAY_PARENTHESIS,
    ord("$"): Problem.GLYPH,
    ord("!"): Problem.GLYPH,
    ord("?"): Problem.GLYPH,
}
_NUMBER = re.compile(rb"([0-9]+)(?:\.+|\Z)|\.+")
_MOVE = re.compile(
    rb"((?:[NBKRQ])?[a-h]?[1-8]?[-x]?[a-h][1-8](?:=?[nbrqkNBRQK])?|O-O(?:-O)?|0-0(?:-0)?)(e\.p\.|ep)?(?:\+\+?|\#)?"
)
_RESULTS = (b"1-0", b"0-1", b"1/2-1/2", b"*")
_NULL_MOVES = (b"--", b"Z0", b"0000", b"@@@@")
_EN_PASSANT_MARKS = (b"e.p.", b"ep")


class _Stop(Exception):
    """The replay can't go on; carries the problem and the offset of its token."""

    def __init__(self, problem: Problem, offset: int) -> None:
        super().__init__(problem, offset)
        self.problem = problem
        self.offset = offset


def replay_reference(movetext: bytes) -> Replayed | Rejected:
    """Replay one game from the start position with python-chess.

    >>> replay_reference(b"1. e4 e5 2. Nf3+ { not a check } Nc6! 1/2-1/2")
    Replayed(uci=('e2e4', 'e7e5', 'g1f3', 'b8c6'), san=('e4', 'e5', 'Nf3', 'Nc6'), result='1/2-1/2', num_corrected=1)
    >>> print(replay_reference(b"1. e4 e5 2. Ke3").detail)
    'Ke3' is no legal move at ply 2 in rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2
    """
    board = chess.Board()
    san: list[str] = []
    result: str | None = None
    num_corrected = 0
    is_en_passant = False  # was the last ply an en passant capture?
    try:
        for kind, text, offset in _tokens(movetext):
            if result is not None:
                raise _Stop(Problem.AFTER_RESULT, offset)
            if kind == "variation" and not san:
                raise _Stop(Problem.EARLY_VARIATION, offset)
            if kind != "word":
                continue
            if text in _EN_PASSANT_MARKS:
                if not is_en_passant:
                    raise _Stop(Problem.STRAY_EN_PASSANT, offset)
                continue
            start = _number_end(text, offset, board)
            written = text[start:]
            if written in _RESULTS:
                result = written.decode("ascii")
            elif written:
                move = _move(written, offset + start, board)
                is_en_passant = board.is_en_passant(move)
                san.append(board.san(move))
                num_corrected += san[-1] != written.decode("ascii")
                board.push(move)
    except _Stop as stop:
        return rejected(stop.problem, movetext, stop.offset, board)
    return Replayed(tuple(move.uci() for move in board.move_stack), tuple(san), result, num_corrected)


def _tokens(movetext: bytes) -> Iterator[tuple[str, bytes, int]]:
    """Every token that isn't white space or a comment: its kind, its bytes and its offset."""
    offset = 0
    while offset < len(movetext):
        match = _TOKEN.match(movetext, offset)
        if match is None:
            raise _Stop(_STRAY[movetext[offset]], offset)
        kind = match.lastgroup
        assert kind is not None
        if kind != "skipped":
            yield kind, match[0], offset
        offset = _variation_end(movetext, offset) if kind == "variation" else match.end()


def _variation_end(movetext: bytes, offset: int) -> int:
    """Offset behind the variation that begins at `offset`."""
    depth = 0
    for part in _VARIATION_PART.finditer(movetext, offset):
        if part[0] in (b"{", b"}"):
            raise _Stop(_STRAY[part[0][0]], part.start())
        depth += (part[0] == b"(") - (part[0] == b")")
        if depth == 0:
            return part.end()
    raise _Stop(Problem.OPEN_VARIATION, offset)


def _number_end(word: bytes, offset: int, board: chess.Board) -> int:
    """Length of the move number (with its dots) that the word begins with; 0 if it begins with none."""
    number = _NUMBER.match(word)
    if number is None or word in _NULL_MOVES:
        return 0
    if number[1] is not None and number[1].lstrip(b"0") != b"%d" % board.fullmove_number:
        raise _Stop(Problem.NUMBER, offset)
    return number.end()


def _move(written: bytes, offset: int, board: chess.Board) -> chess.Move:
    """The one legal move that the bytes spell here."""
    if written in _NULL_MOVES:
        raise _Stop(Problem.NULL_MOVE, offset)
    match = _MOVE.fullmatch(written)
    if match is None:
        raise _Stop(Problem.WORD, offset)
    try:
        move = board.parse_san(match[1].decode("ascii"))
    except chess.AmbiguousMoveError:
        raise _Stop(Problem.AMBIGUOUS, offset) from None
    except chess.IllegalMoveError:
        raise _Stop(Problem.NO_LEGAL_MOVE, offset) from None
    if match[2] and not board.is_en_passant(move):
        raise _Stop(Problem.NO_LEGAL_MOVE, offset)
    return move
