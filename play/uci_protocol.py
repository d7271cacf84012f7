r"""The Universal Chess Interface as text: what a line says, and how an answer is written.

Knows: the commands of the protocol (Meyer-Kahlen 2006) as typed values, and positions as boards.
Doesn't know: what the engine does with them (`uci_engine`), its options (`uci_options`), or where lines come from.

As the protocol asks, unknown words before a command are skipped (`joho debug on` is `debug on`), and a line that isn't
understood at all is ignored. Only a bad `position` is an error that its reader has to tell: the position before it must
not be taken for it.

    >>> parse("joho debug on")
    Debug(on=True)
    >>> parse("go wtime 60000 btime 60000 infinite")
    Go(searchmoves=None, is_infinite=True, is_pondering=False)
    >>> parse("position startpos moves e2e4").board().fen()
    'rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq - 0 1'
    >>> parse("hello") is None
    True
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import chess

from chesslm.errors import InputError
from play.inert_text import inert

# Bare moves and mates; UCI has no other way to give up or to say that there is nothing to play.
NO_MOVE = "0000"
_MOVE = re.compile(r"[a-h][1-8][a-h][1-8][nbrqNBRQ]?")
_SET_OPTION = re.compile(r"setoption\s+name\s+(?P<name>.*?)(?:\s+value(?:\s(?P<value>.*))?)?", re.DOTALL)
_LIMITS = ("wtime", "btime", "winc", "binc", "movestogo", "depth", "nodes", "mate", "movetime", "perft")
_GO_WORDS = frozenset(("searchmoves", "ponder", "infinite", *_LIMITS))


class Word(StrEnum):
    """Commands that say all with one word."""

    UCI = "uci"
    IS_READY = "isready"
    NEW_GAME = "ucinewgame"
    STOP = "stop"
    PONDER_HIT = "ponderhit"
    REGISTER = "register"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Debug:
    """`debug on`, `debug off`."""

    on: bool


@dataclass(frozen=True, slots=True)
class SetOption:
    """`setoption name NAME value VALUE`; buttons have no value."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Go:
    """`go`. What limits a search is read over: a language model reads the game once, whatever time it has.

    Args:
        searchmoves: moves to choose among, as written; None for all. May hold illegal ones.
        is_infinite: the answer is wanted only after `stop`.
        is_pondering: the answer is wanted only after `ponderhit` or `stop`.
    """

    searchmoves: tuple[str, ...] | None = None
    is_infinite: bool = False
    is_pondering: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """`position`.

    Args:
        fen: None for the start position.
        moves: as written.
        fault: why the line makes no position; "" where it may.
    """

    fen: str | None = None
    moves: tuple[str, ...] = ()
    fault: str = ""

    def board(self, before: tuple[Position, chess.Board] | None = None) -> chess.Board:
        """A new board with all moves on its stack.

        Args:
            before: an earlier position and its board: where this one goes on from it, only what is new is checked.

        Raises:
            InputError: it is no position, or a move is illegal; names the reason.
        """
        if self.fault:
            raise InputError(self.fault)
        num_known = 0
        if before is not None and before[0].fen == self.fen and before[0].moves == self.moves[: len(before[0].moves)]:
            board, num_known = before[1].copy(), len(before[0].moves)
        else:
            board = _starting_board(self.fen)
        for ply, text in enumerate(self.moves[num_known:], start=num_known):
            try:
                move = board.parse_uci(text.lower())
            except ValueError as error:
                raise InputError(f"move {ply + 1}, {inert(text, limit=20)}, is illegal in {board.fen()}") from error
            if not move:
                raise InputError(f"move {ply + 1} is a null move, which no game has")
            board.push(move)
        return board


Command = Word | Debug | SetOption | Go | Position


def parse(line: str) -> Command | None:
    """What a line says; None where that is nothing."""
    words = line.split()
    for index, word in enumerate(words):
        rest = words[index + 1 :]
        if word in _BARE:
            return Word(word)
        if word == "debug":
            # The protocol: "debug joho on" is undefined, "debug" alone turns it on in its own examples.
            return Debug(rest[:1] != ["off"])
        if word == "setoption":
            return _set_option(line[line.index("setoption") :].strip())
        if word == "position":
            return _position(rest)
        if word == "go":
            return _go(rest)
    return None


_BARE = frozenset(word.value for word in Word)


def _set_option(line: str) -> SetOption | None:
    found = _SET_OPTION.fullmatch(line)
    if found is None or not found["name"].strip():
        return None
    value = found["value"]
    return SetOption(" ".join(found["name"].split()), None if value is None else value.strip())


def _position(words: Sequence[str]) -> Position:
    border = words.index("moves") if "moves" in words else len(words)
    what, moves = words[:border], tuple(words[border + 1 :])
    if what[:1] == ["startpos"]:
        return Position(None, moves)
    if what[:1] == ["fen"] and len(what) > 1:
        return Position(" ".join(what[1:]), moves)
    return Position(fault="position needs startpos or fen, then maybe moves")


def _starting_board(fen: str | None) -> chess.Board:
    if fen is None:
        return chess.Board()
    try:
        board = chess.Board(fen)
    except ValueError as error:
        raise InputError(f"no FEN: {inert(str(error), limit=120)}") from error
    if not board.is_valid():
        raise InputError(f"no position of a game of chess: {inert(fen, limit=100)}")
    return board


def _go(words: Sequence[str]) -> Go:
    searchmoves: list[str] | None = None
    if "searchmoves" in words:
        searchmoves = []
        for word in words[words.index("searchmoves") + 1 :]:
            if word in _GO_WORDS:
                break
            if _MOVE.fullmatch(word):
                searchmoves.append(word.lower())
    return Go(
        searchmoves=tuple(searchmoves) if searchmoves else None,
        is_infinite="infinite" in words,
        is_pondering="ponder" in words,
    )


def info_string(text: str) -> str:
    """A message to people; never more than one line, whatever the text holds."""
    return f"info string {inert(text, limit=400)}"


def info_line(*, move: chess.Move, rank: int, time_ms: int, score: str | None) -> str:
    """One of the moves thought of, 1 for the one that is played.

    Args:
        move: the only one of the line: nothing is searched beyond it.
        rank: its number, from 1.
        time_ms: milliseconds since the question.
        score: "mate 1", "cp 0" where the rules alone say so; None else: a language model has no score.
    """
    scored = f"score {score} " if score is not None else ""
    return f"info depth 1 seldepth 1 multipv {rank} {scored}nodes 1 time {time_ms} pv {move.uci()}"


def best_move(move: chess.Move | None) -> str:
    """The answer to `go`; None: there is nothing to play."""
    return f"bestmove {NO_MOVE if move is None else move.uci()}"
