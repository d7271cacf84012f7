"""How much memory this process has needed at most.

Knows: how to ask the kernel and CUDA's allocator.
Doesn't know: what for.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """The most that one process has held at a time.

    Args:
        process_bytes: resident in main memory, since the process began.
        device_bytes: allocated by torch on the CUDA device; None on a CPU.
    """

    process_bytes: int
    device_bytes: int | None

    def text(self) -> str:
        """As people read it.

        >>> PeakMemory(431_000_000, None).text(), PeakMemory(2_000_000_000, 11_300_000_000).text()
        ('431 MB', '2,000 MB, on the device 11,300 MB')
        """
        process = f"{self.process_bytes / 1e6:,.0f} MB"
        return process if self.device_bytes is None else f"{process}, on the device {self.device_bytes / 1e6:,.0f} MB"


def peak_memory(device: torch.device) -> PeakMemory:
    """The peak of this process so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return PeakMemory(
        process_bytes=most if sys.platform == "darwin" else most * 1024,  # kilobytes but on macOS (getrusage(2))
        device_bytes=torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    )
