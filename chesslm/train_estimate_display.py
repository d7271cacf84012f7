"""An estimate as a table.

Knows: rich, and how people read numbers.
Doesn't know: where they come from (`train_estimate`).
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from chesslm.config import TrainConfig
from chesslm.hardware import Hardware
from chesslm.train_estimate import ASSUMED_UTILISATION, Estimate, card_seconds


def needs_table(config: TrainConfig, needed: Estimate) -> Table:
    """Weights, games, operations and memory."""
    counts, games, flops, memory = needed.counts, needed.games, needed.flops, needed.memory
    table = Table(title=Text(f"{config.run.out}: what it takes"), show_header=False)
    table.add_column()
    table.add_column()
    rows = {
        "weights": f"{counts.total:,} (trunk {counts.trunk:,}, embedding {counts.embedding:,}, head {counts.head:,})",
        "games": f"{games.num_games:,}, {games.tokens_per_game:,.1f} tokens each ({games.source})",
        "steps": f"{config.training.steps:,}, {needed.epochs:,.2f} epochs",
        "tokens": f"{needed.num_tokens:,.0f}",
        "FLOPs a token": f"{flops.total / needed.num_tokens:.3g}",
        "FLOPs in all": f"{flops.total:.3g} (trunk {flops.trunk / flops.total:.1%}, attention "
        f"{flops.attention / flops.total:.1%}, head {flops.head / flops.total:.1%})",
        "memory a process": f"{memory.total / 1e9:,.2f} GB (weights {memory.weights / 1e9:,.2f}, gradients "
        f"{memory.gradients / 1e9:,.2f}, optimiser {memory.optimiser / 1e9:,.2f}, "
        f"activations {memory.activations / 1e9:,.2f} at {config.training.tokens_per_micro_batch:,} tokens)",
    }
    for name, value in rows.items():
        table.add_row(name, Text(value))
    return table


def hours_table(
    config: TrainConfig, needed: Estimate, cards: Sequence[Hardware], *, count: int, cpu_tokens_per_s: float | None
) -> Table:
    """Hours on this CPU (if measured) and on cards, one and several."""
    table = Table(
        title="how long",
        caption="this CPU: measured, without torch.compile; cards: data sheets, at an assumed "
        f"{ASSUMED_UTILISATION:.0%} of their dense peak; validations and checkpoints not counted",
    )
    for heading in ("hardware", "tokens/s", "hours on 1", f"hours on {count}", "memory"):
        table.add_column(heading, justify="left" if heading == "hardware" else "right")
    if cpu_tokens_per_s is not None:
        table.add_row("this CPU", f"{cpu_tokens_per_s:,.0f}", hours(needed.num_tokens / cpu_tokens_per_s), "", "")
    for card in cards:
        one_s = card_seconds(config, needed, card, count=1)
        fits = "fits" if needed.memory.total < 0.9 * card.memory_bytes else "too small: fewer tokens_per_micro_batch"
        without = " (float32)" if card.bfloat16_flops is None and config.training.dtype == "bfloat16" else ""
        table.add_row(
            f"{card.name}{without}",
            f"{needed.num_tokens / one_s:,.0f}",
            hours(one_s),
            hours(card_seconds(config, needed, card, count=count)),
            fits,
        )
    return table


def hours(seconds: float) -> str:
    """Seconds in hours, to what an estimate is worth.

    >>> hours(30.0), hours(3_600 * 8.54), hours(3_600 * 8_540)
    ('0.0083', '8.5', '8,540')
    """
    value = seconds / 3_600
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
