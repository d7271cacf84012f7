"""A second opinion on a kept game: its words by a lexer of its own, its moves by python-chess's board.

Knows: how to read a movetext that data preparation has accepted, byte by byte, sharing no code with it.
Doesn't know: which movetexts ought to be accepted; `replay_reference` is the judge of that.

`chess.pgn.read_game` is no oracle here: it skips what it can't read without a word and cuts games at illegal moves.
"""

from __future__ import annotations

import re

import chess

from data_prep.replay_outcome import Replayed

_RESULTS = ("1-0", "0-1", "1/2-1/2", "*")
_NUMBER = re.compile(r"\d+\.*$|\d+\.+|\.+")


class Finding(AssertionError):
    """A promise was broken; the message says which, and the bytes that broke it."""


def check_kept(movetext: bytes, kept: Replayed) -> None:
    """Compare what was kept of a movetext with a reading of our own.

    Raises:
        Finding: a move is illegal, a spelling isn't canonical, or a word of the movetext was passed over or made up.
    """
    board = chess.Board()
    words = iter(_words(movetext))
    for ply, (uci, san) in enumerate(zip(kept.uci, kept.san, strict=True)):
        move = chess.Move.from_uci(uci)
        if move not in board.legal_moves:
            raise Finding(f"ply {ply}: {uci} was kept and is illegal in {board.fen()}: {movetext!r}")
        if board.san(move) != san:
            raise Finding(f"ply {ply}: {san} was written for {board.san(move)}: {movetext!r}")
        word = next(words, None)
        if word is None or _move(board, word) != move:
            raise Finding(f"ply {ply}: {san} was read where the movetext has {word!r}: {movetext!r}")
        board.push(move)
    rest = list(words)
    if rest != ([kept.result] if kept.result else []):
        raise Finding(f"{rest} stands behind the last move, result {kept.result} was read: {movetext!r}")


def _move(board: chess.Board, word: str) -> chess.Move | None:
    bare = word.rstrip("+#").removesuffix("e.p.").removesuffix("ep")
    try:
        move = board.parse_san(bare)
    except ValueError:
        return None
    return move if move else None  # parse_san takes null moves


def _words(movetext: bytes) -> list[str]:
    """Moves and results, as they stand; numbers, comments, variations, glyphs and en passant marks left out."""
    words: list[str] = []
    for word in _bare(movetext.decode("latin-1")).split(" "):
        number = None if word in _RESULTS else _NUMBER.match(word)
        rest = word[number.end() :] if number else word
        if rest and rest not in ("e.p.", "ep"):
            words.append(rest)
    return words


def _bare(text: str) -> str:
    """The text with a space for everything that is no word."""
    kept: list[str] = []
    depth, at, line_begins = 0, 0, True
    while at < len(text):
        sign = text[at]
        begins, line_begins = line_begins, sign in "\n\r"
        if sign == "{":
            end = text.find("}", at)
            if end < 0:
                raise Finding(f"a comment that never ends was accepted: {text!r}")
            at, sign, line_begins = end, " ", False
        elif sign == ";" or (sign == "%" and begins):
            while at + 1 < len(text) and text[at + 1] not in "\n\r":
                at += 1
            sign = " "
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            if depth < 0:
                raise Finding(f"a parenthesis that closes nothing was accepted: {text!r}")
            sign = " "
        elif sign == "$" and not depth:
            while at + 1 < len(text) and text[at + 1] in "0123456789":
                at += 1
            sign = " "
        elif sign in "!?\t\n\r\v\f":
            sign = " "
        if not depth:
            kept.append(sign)
        at += 1
    if depth:
        raise Finding(f"a variation that never ends was accepted: {text!r}")
    return "".join(kept)
