"""zstd frames as `pzstd` writes them: what the Lichess dumps are made of.

Knows: the skippable frame before each frame, which says how long the frame is.
Doesn't know: what is packed, or how frames are read (`decompress`).
"""

from __future__ import annotations

import struct

import zstandard

_SKIPPABLE_MAGIC = 0x184D2A50  # zstd format, RFC 8878, section 3.1.2


def pack_frame(content: bytes, *, level: int) -> bytes:
    """A skippable frame with the length of the frame behind it, and that frame.

    Args:
        content: to be packed.
        level: of zstd's compression, 1 to 22.
    """
    frame = zstandard.ZstdCompressor(level=level).compress(content)
    return struct.pack("<III", _SKIPPABLE_MAGIC, 4, len(frame)) + frame
