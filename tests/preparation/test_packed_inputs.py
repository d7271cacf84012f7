from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from chesslm.errors import InputError
from data_prep.decompress import BLOCK_LEN, STANDARD_INPUT, TextInput

TEXT = b"".join(b'[White "%d"]\n\n1. e4 e5 %d-0\n\n' % (n, n) for n in range(60_000))


def zstd_frames(text: bytes, frame_len: int = 500_000) -> bytes:
    """As pzstd writes: each frame behind a skippable frame with its size."""
    packed = []
    for start in range(0, len(text), frame_len):
        frame = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(text[start : start + frame_len])
        packed.append(b"\x50\x2a\x4d\x18\x04\0\0\0" + len(frame).to_bytes(4, "little") + frame)
    return b"".join(packed)


def gzip_members(text: bytes) -> bytes:
    return gzip.compress(text[:1_000_000], mtime=0) + gzip.compress(text[1_000_000:], mtime=0) + bytes(100)


def bzip2_streams(text: bytes) -> bytes:
    return bz2.compress(text[:1_000_000]) + bz2.compress(text[1_000_000:])


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    ".pgn": lambda text: text,
    ".pgn.zst": zstd_frames,
    ".pgn.gz": gzip_members,
    ".pgn.bz2": bzip2_streams,
}


def read(path: Path) -> bytes:
    return b"".join(TextInput(str(path)).blocks())


@pytest.mark.parametrize("suffix", PACKINGS)
def test_every_packing_gives_the_same_text_and_the_digest_of_the_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"games{suffix}"
    path.write_bytes(PACKINGS[suffix](TEXT))
    source = TextInput(str(path))
    blocks = list(source.blocks())
    assert b"".join(blocks) == TEXT
    assert {len(block) for block in blocks[:-1]} == {BLOCK_LEN}
    assert source.name == f"games{suffix}"
    assert source.num_bytes == source.size == path.stat().st_size
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", PACKINGS)
def test_the_content_tells_the_packing_where_the_name_does_not(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "games"
    path.write_bytes(PACKINGS[suffix](TEXT))
    assert read(path) == TEXT


def test_standard_input_is_read_packed_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zstd_frames(TEXT)
    for content in (packed, TEXT):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        source = TextInput(STANDARD_INPUT)
        assert source.size is None
        assert b"".join(source.blocks()) == TEXT
        assert source.num_bytes == len(content)


@pytest.mark.parametrize("suffix", [".pgn.zst", ".pgn.gz", ".pgn.bz2"])
def test_a_file_cut_anywhere_is_an_error_that_names_it(tmp_path: Path, suffix: str) -> None:
    packed = PACKINGS[suffix](TEXT[:300_000])
    if suffix == ".pgn.gz":
        packed = packed.rstrip(b"\0")  # padding may be cut
    path = tmp_path / f"games{suffix}"
    cuts = [1, 2, 3, 5, 11, 13, len(packed) - 1, len(packed) - 3, len(packed) - 9]
    cuts += random.Random(1).sample(range(20, len(packed) - 10), 25)
    for cut in cuts:
        path.write_bytes(packed[:cut])
        if cut == 12:
            continue
        with pytest.raises(InputError, match=rf"games{suffix}"):
            read(path)


def test_a_cut_between_two_frames_cannot_be_told_and_gives_the_frames_before_it(tmp_path: Path) -> None:
    frame_len = 500_000
    first = zstd_frames(TEXT[:frame_len])
    assert zstd_frames(TEXT).startswith(first)
    path = tmp_path / "games.pgn.zst"
    path.write_bytes(first)
    assert read(path) == TEXT[:frame_len]


@pytest.mark.parametrize("suffix", [".pgn.zst", ".pgn.gz", ".pgn.bz2"])
def test_a_flipped_byte_is_an_error_that_names_the_file(tmp_path: Path, suffix: str) -> None:
    packed = bytearray(PACKINGS[suffix](TEXT[:300_000]))
    packed[len(packed) // 2] ^= 0x55
    path = tmp_path / f"games{suffix}"
    path.write_bytes(packed)
    with pytest.raises(InputError, match=rf"games{suffix}"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.pgn.zst", TEXT[:1000], "is named .zst, but its content is not zst data"),
        ("text.pgn.gz", TEXT[:1000], "is named .gz, but its content is not gz data"),
        ("zst.pgn.bz2", zstd_frames(TEXT[:1000]), "is named .bz2, but"),
        ("noise.pgn", random.Random(1).randbytes(10_000), "binary data, not a PGN"),
        ("noise.pgn.zst", random.Random(2).randbytes(10_000), "is named .zst, but"),
        ("packed-noise.pgn.zst", zstd_frames(random.Random(3).randbytes(10_000)), "binary data, not a PGN"),
        ("empty.pgn", b"", "empty"),
        ("empty.pgn.zst", b"", "empty"),
        ("packed-nothing.pgn.gz", gzip.compress(b"", mtime=0), "empty"),
        ("wide.pgn", "1. e4 e5 1-0".encode("utf-16"), "UTF-16"),
        ("garbage-behind.pgn.zst", zstd_frames(TEXT[:1000]) + b"garbage", "corrupt zst data"),
        ("garbage-behind.pgn.gz", gzip.compress(TEXT[:1000], mtime=0) + b"garbage", "corrupt gz data"),
        ("window.pgn.zst", b"\x28\xb5\x2f\xfd\x00\x98\x01\x00\x00", "corrupt zst data.*memory"),
    ],
)
def test_what_is_no_text_is_an_error_that_says_what_it_is(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}.*{message}"):
        read(tmp_path / name)


def test_a_missing_file_and_a_folder_are_errors_at_once(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pgn", tmp_path):
        with pytest.raises(InputError, match=str(path)):
            TextInput(str(path))


def test_a_bomb_is_read_in_small_pieces(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pgn.zst"
    path.write_bytes(zstandard.ZstdCompressor(level=19).compress(b"e" * 200_000_000))
    assert path.stat().st_size < 20_000
    assert max(len(block) for block in TextInput(str(path)).blocks()) == BLOCK_LEN


def test_a_pipe_is_read_once_and_its_size_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = subprocess.Popen([sys.executable, "-c", f"open({str(path)!r}, 'wb').write(b'1. e4 e5 1-0' * 9)"])
    source = TextInput(str(path))
    assert source.size is None
    assert b"".join(source.blocks()) == b"1. e4 e5 1-0" * 9
    assert writer.wait() == 0


def test_a_file_name_that_is_no_utf8_is_kept_readable(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/M\xfcller.pgn")
    Path(path).write_bytes(TEXT[:1000])
    assert TextInput(path).name == "M?ller.pgn"


def test_text_with_a_few_control_characters_is_text(tmp_path: Path) -> None:
    path = tmp_path / "games.pgn"
    path.write_bytes(TEXT[:1000] + b"\0\x1b\x0c" + TEXT[:1000])
    assert len(read(path)) == 2003
