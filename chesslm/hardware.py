"""Peak rates of common CUDA cards, from NVIDIA's data sheets.

Knows: dense matrix rates with float32 accumulation (sparsity, which data sheets like to print, halved away) and memory.
Doesn't know: what share of a peak a training run reaches (`train_estimate`).

Sources: NVIDIA's data sheets of T4 (2019), A100 80GB (2021), L4 (2023) and H100 SXM (2023); the whitepapers of the
architectures GA102 (2020; RTX 3060 by its share of cores and clock of the 3090) and Ada (2022).
"""

from __future__ import annotations

from dataclasses import dataclass

from chesslm.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Hardware:
    """One card.

    Args:
        name: as `--hardware` takes it.
        bfloat16_flops: FLOP/s of bfloat16 matrix products; None where the card has none.
        float32_flops: FLOP/s of float32 matrix products as training does them: TF32 where the card has it.
        memory_bytes: of the card.
    """

    name: str
    bfloat16_flops: float | None
    float32_flops: float
    memory_bytes: float

    def flops(self, dtype: str) -> float:
        """FLOP/s for a training dtype; without bfloat16 the card computes in float32."""
        return self.bfloat16_flops if dtype == "bfloat16" and self.bfloat16_flops is not None else self.float32_flops


HARDWARE = (
    Hardware("T4", None, 8.1e12, 16e9),
    Hardware("RTX3060", 25.5e12, 12.7e12, 12e9),
    Hardware("RTX3090", 71e12, 35.6e12, 24e9),
    Hardware("RTX4090", 165e12, 82.6e12, 24e9),
    Hardware("L4", 121e12, 60e12, 24e9),
    Hardware("A100", 312e12, 156e12, 80e9),
    Hardware("H100", 989e12, 494e12, 80e9),
)


def find_hardware(name: str) -> Hardware:
    """A card by name, in any spelling of case and spaces.

    Raises:
        ConfigError: unknown; lists the known ones.

    >>> find_hardware("rtx 4090").name
    'RTX4090'
    """
    wanted = "".join(name.split()).replace("-", "").upper()
    for hardware in HARDWARE:
        if hardware.name == wanted:
            return hardware
    raise ConfigError(f"--hardware {name}: known are cpu, {', '.join(hardware.name for hardware in HARDWARE)}")
