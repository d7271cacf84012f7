"""Compiling a kernel with numba: once an installation, and again whenever any of its sources changes.

Knows: numba's cache on disk, and what it doesn't notice.
Doesn't know: what a kernel does.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import resources
from typing import Any, TypeVar

import numba

KernelType = TypeVar("KernelType", bound=Callable[..., Any])


def sources_stamp(*sources: str) -> int:
    """A checksum of files of this package: numba itself renews its cache only when the entry point's file changes.

    An entry point is a closure that holds the stamp: the cache is keyed by what closures hold.
    """
    return zlib.crc32(b"".join(resources.files("data_prep").joinpath(source).read_bytes() for source in sources))


def compile_kernel(function: KernelType, **options: Any) -> KernelType:
    """The function, compiled on its first call; it releases the interpreter's lock.

    Args:
        function: what numba can compile.
        options: further options of `numba.njit`.
    """
    try:
        compiled: KernelType = numba.njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # "cannot cache function": neither the package's folder nor the user's cache can be written
        compiled = numba.njit(nogil=True, **options)(function)
    return compiled
