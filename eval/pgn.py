"""Games of a PGN file for measuring: read carefully, since python-chess forgives more than a measurement may.

Knows: .pgn, .pgn.zst, .pgn.gz and .pgn.bz2; which games can't be used, and why.
Doesn't know: how games are chosen (`positions`). Preparing training data reads PGN in its own room, with filters.

`chess.pgn.read_game` cuts a game at an illegal move, skips what it can't read without a word, accepts null moves, and
starts from any FEN; here each of these is a reason to leave the game out.
"""

from __future__ import annotations

import bz2
import codecs
import io
import itertools
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TextIO, cast

import chess
import chess.pgn
import zstandard

from chesslm.errors import InputError
from chesslm.game import RESULTS, Game, moves_digest, moves_hash

SUFFIXES: tuple[str, ...] = (".pgn", ".pgn.zst", ".pgn.gz", ".pgn.bz2")
SET_UP = "variant or set-up position"
ILLEGAL = "illegal or ambiguous move"
UNREADABLE = "unreadable movetext"
NO_MOVES = "no moves"

MAX_LINE_LEN = 1_000_000  # characters; a Lichess game with clocks and evals has about 20,000
_MAX_WINDOW_LEN = 1 << 27  # bytes: what the zstd command itself accepts without --long
_PIECE_LEN = 1 << 12  # packed bytes that go through a decoder at once; a zstd bomb gives 128 MiB of them

_NOT_MOVETEXT = re.compile(r"\{[^}]*\}|;[^\n]*|^%[^\n]*", re.MULTILINE)
_VARIATION = re.compile(r"\([^()]*\)")
_TOKEN = re.compile(
    r"(\d+\.*)?([NBKRQ]?[a-h]?[1-8]?[-x]?[a-h][1-8](=?[NBRQ])?|O-O(-O)?|0-0(-0)?)?[+#]?[!?]*|\$\d+|\.+|e\.p\."
)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    ".zst": lambda: zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_LEN).decompressobj(),
    ".gz": lambda: zlib.decompressobj(wbits=31),
    ".bz2": bz2.BZ2Decompressor,
}


def is_pgn(path: Path) -> bool:
    """Whether the name is that of a PGN file, packed or not."""
    return path.name.lower().endswith(SUFFIXES)


def raw_games(path: Path) -> Iterator[str]:
    """The text of each game of a file, headers and movetext, in constant memory; boundaries are python-chess's own.

    Raises:
        InputError: missing, unreadable, cut short, corrupt, or with a line of more than `MAX_LINE_LEN` characters.
    """
    try:
        lines = _RememberedLines(text_lines(path))
        # The cast: read_game only calls readline.
        while chess.pgn.read_game(cast(TextIO, lines), Visitor=chess.pgn.SkipVisitor):
            yield lines.take()
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error


def text_lines(path: Path) -> Iterator[str]:
    """Lines of a text file, packed as its name says, with their line ends, which are all newlines, whatever it has.

    Raises:
        InputError: corrupt, cut short, or with a line of more than `MAX_LINE_LEN` characters.
        OSError: missing or unreadable.
    """
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest = ""
    for piece in _unpack(path):
        *whole, rest = (rest + decoder.decode(piece)).split("\n")
        if len(rest) > MAX_LINE_LEN:
            raise InputError(f"{path}: a line of more than {MAX_LINE_LEN:,} characters; not a file of this kind")
        for line in whole:
            yield line + "\n"
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def movetext_of(raw: str) -> str:
    """Everything but the header lines, white space made single."""
    return " ".join("".join(_movetext_lines(raw)).split())


def read_raw_game(raw: str) -> tuple[Game, int] | str:
    r"""A game and its moves hash, or the reason why it can't be used.

    >>> game, _ = read_raw_game('[Result "1-0"]\n\n1. e4 e5 2. Nf3 1-0\n')
    >>> game.san, game.result
    (('e4', 'e5', 'Nf3'), '1-0')
    >>> read_raw_game("1. e4 e4 *")
    'illegal or ambiguous move'
    """
    try:
        read = chess.pgn.read_game(io.StringIO(raw), Visitor=_MovesOf)
    except _LeftOut as reason:
        return str(reason)
    except (ValueError, IndexError):
        # IndexError: python-chess on a stray ")"; ValueError: a header that it can't make a board of.
        return UNREADABLE
    if read is None or not _is_readable(raw):
        return UNREADABLE
    if not read.san:
        return NO_MOVES
    digest = moves_digest(read.uci)
    return Game(read.site or digest.hex()[:16], tuple(read.san), read.result_text), moves_hash(digest)


def _movetext_lines(raw: str) -> Iterator[str]:
    lines = raw.lstrip("\ufeff").splitlines(keepends=True)
    return itertools.dropwhile(lambda line: line.startswith("[") or not line.strip(), lines)


def _is_readable(raw: str) -> bool:
    text = _NOT_MOVETEXT.sub(" ", "".join(_movetext_lines(raw)))
    while (without := _VARIATION.sub(" ", text)) != text:
        text = without
    return all(token in RESULTS or _TOKEN.fullmatch(token) for token in text.split())


class _LeftOut(Exception):
    """Why a game can't be used."""


class _MovesOf(chess.pgn.BaseVisitor["_MovesOf"]):
    """The main line of a game, which must be legal from the start position."""

    def __init__(self) -> None:
        self.san: list[str] = []
        self.uci: list[str] = []
        self.site = ""
        self.result_text = "*"
        self._headers: dict[str, str] = {}

    def visit_header(self, tagname: str, tagvalue: str) -> None:
        self._headers[tagname] = tagvalue

    def end_headers(self) -> None:
        headers = self._headers
        is_from_start = headers.get("FEN", chess.STARTING_FEN) == chess.STARTING_FEN
        if not is_from_start or headers.get("Variant", "Standard").lower() not in ("standard", "chess"):
            raise _LeftOut(SET_UP)
        self.site = headers.get("Site", "").rpartition("/")[2] if "lichess.org/" in headers.get("Site", "") else ""
        self._take_result(headers.get("Result", "*"))

    def begin_variation(self) -> chess.pgn.SkipType:
        return chess.pgn.SKIP

    def visit_move(self, board: chess.Board, move: chess.Move) -> None:
        if not move:
            raise _LeftOut(ILLEGAL)
        self.san.append(board.san(move))
        self.uci.append(move.uci())

    def visit_result(self, result: str) -> None:
        if self.result_text == "*":
            self._take_result(result)

    def handle_error(self, error: Exception) -> None:
        raise _LeftOut(ILLEGAL) from error

    def result(self) -> _MovesOf:
        return self

    def _take_result(self, text: str) -> None:
        self.result_text = text if text in RESULTS else "*"


class _RememberedLines:
    """The lines that python-chess reads for one game, kept until they are taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._source = lines
        self._lines: list[str] = []

    def readline(self) -> str:
        line = next(self._source, "")
        self._lines.append(line)
        return line

    def take(self) -> str:
        text = "".join(self._lines)
        self._lines = []
        return text


def _unpack(path: Path) -> Iterator[bytes]:
    """Frames (zstd, skippable ones among them) or members (gzip, bzip2) one after the other."""
    make_decoder = _DECODERS.get(path.suffix.lower())
    decoder: _Decoder | None = None
    with path.open("rb") as file:
        while piece := file.read(_PIECE_LEN):
            if make_decoder is None:
                yield piece
                continue
            try:
                while piece:
                    decoder = decoder or make_decoder()
                    yield decoder.decompress(piece)
                    piece = decoder.unused_data if decoder.eof else b""
                    decoder = None if decoder.eof else decoder
            except (zstandard.ZstdError, zlib.error, OSError, EOFError, ValueError) as error:
                raise InputError(f"{path}: corrupt or not {path.suffix[1:]} data: {error}") from error
    if decoder is not None:
        raise InputError(f"{path}: cut short: its last {path.suffix[1:]} frame doesn't end")
