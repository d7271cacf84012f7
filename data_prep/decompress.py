"""An input file, packed or not, as blocks of text bytes in constant memory.

Knows: .pgn, .pgn.zst (many frames, skippable frames among them), .pgn.gz, .pgn.bz2 and standard input, told apart by
their first bytes; when a packed file is cut short or corrupt; what is too binary to be text.
Doesn't know: PGN.

Packed bytes go through the decoders in pieces of 4 KiB, so that even a bomb (a zstd block of 4 bytes can stand for 128
KiB) gives at most about 128 MiB at once.
"""

from __future__ import annotations

import bz2
import hashlib
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from chesslm.errors import InputError

STANDARD_INPUT = "-"
BLOCK_LEN = 1 << 20  # bytes of text a block
PIECE_LEN = 1 << 12  # packed bytes that go through a decoder at once
MAX_WINDOW_LEN = 1 << 27  # bytes: what the zstd command itself accepts without --long
_MAX_CONTROL_SHARE = 0.05  # of the first block; random bytes have 0.11, text has none or nearly none
_CONTROLS = bytes(code for code in (*range(9), 11, 12, *range(14, 26), *range(27, 32), 127))
_DECODER_ERRORS = (zstandard.ZstdError, zlib.error, OSError, EOFError, ValueError)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class TextInput:
    """One input, read once from its first byte to its last.

    Args:
        path: a file, or `-` for standard input.

    `name` is the file's own name without its folder. `num_bytes` counts the bytes read so far, as they lie on disk;
    `sha256` is their digest, which means the file's digest once `blocks` is exhausted.

    Raises:
        InputError: missing, a folder or unreadable; names the file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.num_bytes = 0
        self._digest = hashlib.sha256()
        name = "standard input" if path == STANDARD_INPUT else Path(path).name
        self.name = name.encode(errors="replace").decode()  # file names need not be UTF-8
        if path != STANDARD_INPUT and not Path(path).is_fifo():  # a pipe can be opened only once
            with _reading(path), Path(path).open("rb"):
                pass

    @property
    def size(self) -> int | None:
        """Bytes on disk; None where that can't be known before reading."""
        if self.path == STANDARD_INPUT or not Path(self.path).is_file():
            return None
        return Path(self.path).stat().st_size

    @property
    def sha256(self) -> str:
        """sha256 (hex) of the bytes read so far."""
        return self._digest.hexdigest()

    def read_to_the_end(self) -> None:
        """Read all bytes for their digest alone."""
        for _ in self._pieces():
            pass

    def blocks(self) -> Iterator[bytes]:
        """The text in blocks of exactly `BLOCK_LEN` bytes, the last one shorter.

        Raises:
            InputError: cut short, corrupt, empty, binary or in UTF-16; names the file.
        """
        gathered: list[bytes] = []
        length = 0
        is_first = True
        for piece in self._text_pieces():
            gathered.append(piece)
            length += len(piece)
            if length >= BLOCK_LEN:
                whole = b"".join(gathered)
                for start in range(0, length - BLOCK_LEN + 1, BLOCK_LEN):
                    block = whole[start : start + BLOCK_LEN]
                    if is_first:
                        self._check_text(block)
                    is_first = False
                    yield block
                rest = whole[length - length % BLOCK_LEN :]
                gathered, length = [rest], len(rest)
        last = b"".join(gathered)
        if is_first:
            self._check_text(last)
        if last:
            yield last

    def _text_pieces(self) -> Iterator[bytes]:
        pieces = self._pieces()
        first = next(pieces, b"")
        if not first:
            raise InputError(f"{self.path}: empty, no game in it")
        kind = _kind_of(first)
        suffix = Path(self.path).suffix.lower()
        if suffix in _DECODERS and kind != suffix:
            raise InputError(f"{self.path}: is named {suffix}, but its content is not {suffix[1:]} data")
        if kind is None:
            yield first
            yield from pieces
        else:
            yield from self._unpacked(first, pieces, kind)

    def _unpacked(self, first: bytes, pieces: Iterator[bytes], kind: str) -> Iterator[bytes]:
        """Frames (zstd) or members (gzip, bzip2) one after the other; a frame that never ends was cut short."""
        decoder: _Decoder | None = None
        piece = first
        try:
            while piece:
                while piece:
                    if decoder is None and kind == ".gz":
                        piece = piece.lstrip(b"\0")  # zeros may stand behind a member: gzip calls them padding
                        if not piece:
                            break
                    decoder = decoder or _DECODERS[kind]()
                    text = decoder.decompress(piece)
                    if text:
                        yield text
                    piece = decoder.unused_data if decoder.eof else b""
                    decoder = None if decoder.eof else decoder
                piece = next(pieces, b"")
        except _DECODER_ERRORS as error:
            raise InputError(f"{self.path}: corrupt {kind[1:]} data near byte {self.num_bytes}: {error}") from error
        if decoder is not None:
            raise InputError(f"{self.path}: cut short: its last {kind[1:]} frame doesn't end")

    def _pieces(self) -> Iterator[bytes]:
        with _reading(self.path), self._open() as file:
            while piece := file.read(PIECE_LEN):
                self.num_bytes += len(piece)
                self._digest.update(piece)
                yield piece

    def _open(self) -> AbstractContextManager[BinaryIO]:
        if self.path == STANDARD_INPUT:
            return nullcontext(sys.stdin.buffer)
        return Path(self.path).open("rb")

    def _check_text(self, block: bytes) -> None:
        if not block:
            raise InputError(f"{self.path}: empty, no game in it")
        if block[:2] in (b"\xff\xfe", b"\xfe\xff") or block[:4] == b"\0\0\xfe\xff":
            raise InputError(f"{self.path}: is in UTF-16 or UTF-32; convert it to UTF-8 first")
        num_controls = len(block) - len(block.translate(None, _CONTROLS))
        if num_controls > _MAX_CONTROL_SHARE * len(block):
            raise InputError(f"{self.path}: binary data, not a PGN")


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turns what the operating system says about a file into an InputError that names it."""
    try:
        yield
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}") from error


def _zstd_decoder() -> _Decoder:
    return zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_LEN).decompressobj()


def _gzip_decoder() -> _Decoder:
    return zlib.decompressobj(wbits=31)


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    ".zst": _zstd_decoder,
    ".gz": _gzip_decoder,
    ".bz2": bz2.BZ2Decompressor,
}


def _kind_of(first: bytes) -> str | None:
    """The packing that the first bytes tell: zstd's or its skippable frames' magic (RFC 8878), gzip's, bzip2's."""
    if first[:4] == b"\x28\xb5\x2f\xfd" or (first[1:4] == b"\x2a\x4d\x18" and first[0] & 0xF0 == 0x50):
        return ".zst"
    if first[:2] == b"\x1f\x8b":
        return ".gz"
    if first[:3] == b"BZh":
        return ".bz2"
    return None
