"""Opening torch's library without stopping other threads: a board that is typed at, an engine that is told to stop.

Knows: that `import torch` holds the interpreter for some 200 to 400 ms while the dynamic linker works on one large
file, and that a call through ctypes doesn't.
Doesn't know: what is done with torch; whoever imports it afterwards finds the file open.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

_LIBRARY = "libtorch_cpu.so"


def open_torch_library() -> None:
    """Have the linker open the library; does nothing where torch is imported already, or is laid out otherwise."""
    spec = find_spec("torch") if "torch" not in sys.modules else None
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "lib" / _LIBRARY
        if path.is_file():
            dlopen = ctypes.CDLL(None).dlopen
            dlopen.restype = ctypes.c_void_p
            # What can't be opened here is left to the import, which says why.
            dlopen(os.fsencode(path), os.RTLD_NOW)
