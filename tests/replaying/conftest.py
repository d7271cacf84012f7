"""What the replay tests share: the three ways to replay, which must agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from data_prep.replay import Rejected, Replayed, replay_movetext
from data_prep.replay_block import replay_block, replay_spans
from data_prep.replay_kernel import replay_games_interpreted

Outcome = Replayed | Rejected


def by_kernel(movetext: bytes) -> Outcome:
    return replay_block([movetext]).outcomes()[0]


def by_interpreted_kernel(movetext: bytes) -> Outcome:
    ends = np.array([len(movetext)])
    return replay_spans(movetext, ends - ends, ends, replay=replay_games_interpreted).outcomes()[0]


@pytest.fixture(params=[replay_movetext, by_kernel, by_interpreted_kernel], ids=["reference", "kernel", "interpreted"])
def replay(request: pytest.FixtureRequest) -> Callable[[bytes], Outcome]:
    """Each way to replay one movetext."""
    way: Callable[[bytes], Outcome] = request.param
    return way


@pytest.fixture
def interpreted() -> Callable[[Sequence[bytes]], list[Outcome]]:
    """The kernel as Python runs it, for many movetexts."""
    return lambda movetexts: [by_interpreted_kernel(movetext) for movetext in movetexts]
