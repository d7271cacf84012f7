"""The configuration of `chesslm data prepare`: workers, filters, columns, shares of the splits.

Knows: every key, its unit, its default, and which values decide the result.
Doesn't know: how a filter decides (`filters`).
"""

from __future__ import annotations

import os
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from chesslm.config import Section
from chesslm.files import digest_json

TimeClass = Literal["ultrabullet", "bullet", "blitz", "rapid", "classical", "correspondence"]


class DataSection(Section):
    """How the work is done; nothing here changes a byte of the result."""

    workers: int | None = Field(None, ge=1, le=1_024, description="blocks at work at once; one a CPU core if absent")

    @property
    def num_workers(self) -> int:
        """`workers`, or the cores this process may use."""
        return self.workers or len(os.sched_getaffinity(0))


class FiltersSection(Section):
    """Which games are kept.

    Games that no notation can write (variants, set-up positions, unreadable or illegal ones) and games with
    contradictory results are always dropped.
    """

    min_plies: int = Field(2, ge=1, description="plies: shorter games are dropped")
    max_plies: int = Field(200, ge=1, le=400, description="plies: longer games are dropped, never cut")
    keep_unfinished: bool = Field(False, description="keep games with the result *")
    keep_bots: bool = Field(False, description="keep games in which WhiteTitle or BlackTitle is BOT")
    keep_duplicates: bool = Field(False, description="keep games with the same moves as an earlier one")
    min_rating: int | None = Field(
        None, ge=0, description="rating points: both players have at least these; unrated players are dropped then"
    )
    max_rating: int | None = Field(
        None, ge=0, description="rating points: both players have at most these; unrated players are dropped then"
    )
    time_classes: tuple[TimeClass, ...] = Field(
        (), description="speeds by seconds + 40 * increment, as Lichess estimates them; empty: all, unknown too"
    )
    rated: Literal["both", "rated", "casual"] = Field("both", description="by the first word of the Event header")

    keep_chess960_month: bool = Field(
        False, description="keep Lichess games of November 2023, into which unmarked Chess960 games were mixed"
    )
    keep_wrong_results: bool = Field(False, description="keep Lichess games of 12 March 2021: some results are wrong")
    keep_moves_after_end: bool = Field(
        False, description="keep Lichess games of 9 February 2021: some go on after their end"
    )
    keep_wrong_evals: bool = Field(
        False,
        description="keep Lichess games of December 2016, July and August 2020, whose evaluations may be wrong; "
        "they are dropped only where evaluations are kept",
    )

    @field_validator("time_classes", mode="before")
    @classmethod
    def _tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value  # TOML has lists only

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_plies > self.max_plies:
            raise ValueError(f"min_plies {self.min_plies} is more than max_plies {self.max_plies}")
        if self.min_rating is not None and self.max_rating is not None and self.min_rating > self.max_rating:
            raise ValueError(f"min_rating {self.min_rating} is more than max_rating {self.max_rating}")
        return self


class ColumnsSection(Section):
    """What is kept of the comments, a value a ply; it costs nothing unless asked for."""

    clocks: bool = Field(False, description="column clock_s: seconds left after each ply, from [%clk]")
    evals: bool = Field(False, description="column eval_cp: centipawns after each ply for White, from [%eval]")


class SplitSection(Section):
    """Shares of the held-out splits; a game's place depends on its moves alone."""

    test_per_10000: int = Field(500, ge=0, le=10_000, description="games of 10,000 that go to test")
    val_per_10000: int = Field(500, ge=0, le=10_000, description="games of 10,000 that go to val")

    @model_validator(mode="after")
    def _at_most_all(self) -> Self:
        if self.test_per_10000 + self.val_per_10000 > 10_000:
            raise ValueError("test_per_10000 and val_per_10000 are more than 10,000 together")
        return self


class PrepareConfig(Section):
    """Everything that `chesslm data prepare` can be told beside its inputs and notations."""

    data: DataSection = DataSection()
    filters: FiltersSection = FiltersSection()
    columns: ColumnsSection = ColumnsSection()
    split: SplitSection = SplitSection()

    def deciding_values(self) -> dict[str, Any]:
        """The values that decide the result, JSON-able: all but section `data`."""
        return self.model_dump(mode="json", exclude={"data"})

    def digest(self) -> str:
        """sha256 (hex) of `deciding_values`."""
        return digest_json(self.deciding_values())
