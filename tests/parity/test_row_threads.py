"""Threads that compute a step's rows: alone, all of them, whatever goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
import torch

from chesslm.row_threads import divided, run_alone


@pytest.fixture(autouse=True)
def two_threads_of_torch() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("num_rows", "num_shares"), [(1, 1), (16, 2), (19, 2), (64, 5), (3, 7)])
def test_every_row_belongs_to_one_share_and_shares_differ_by_a_row_at_most(num_rows: int, num_shares: int) -> None:
    shares = divided(num_rows, num_shares)
    rows = [row for share in shares for row in range(num_rows)[share]]
    sizes = [len(range(num_rows)[share]) for share in shares]
    assert rows == list(range(num_rows))
    assert max(sizes) - min(sizes) <= 1


def test_shares_run_at_once_each_with_one_thread_of_torch_and_the_caller_keeps_its_own() -> None:
    together = threading.Barrier(3)
    seen: list[int] = []

    def share() -> None:
        together.wait(timeout=60.0)
        seen.append(torch.get_num_threads())

    for _ in range(2):  # threads that are kept, too
        run_alone([share] * 3)
    assert seen == [1] * 6
    assert torch.get_num_threads() == 2
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


def test_a_single_share_stays_where_it_is() -> None:
    seen: list[int] = []
    run_alone([lambda: seen.append(threading.get_ident())])
    assert seen == [threading.get_ident()]


def test_a_share_that_fails_is_heard_of_after_the_others_have_ended() -> None:
    ended = []

    def fails() -> None:
        raise ValueError("the third row")

    with pytest.raises(ValueError, match="the third row"):
        run_alone([fails, lambda: ended.append(True)])
    assert ended == [True]
    run_alone([lambda: ended.append(True)] * 2)  # and the threads are as good as before
    assert ended == [True] * 3


def test_shares_record_no_gradients_whoever_calls() -> None:
    weight = torch.ones(2, requires_grad=True)
    found: list[bool] = []
    run_alone([lambda: found.append((weight * 2).requires_grad)] * 2)
    assert found == [False, False]


def test_shares_may_change_what_a_caller_without_gradients_has_made() -> None:
    with torch.inference_mode():
        made = torch.zeros(2)

    def write(row: int) -> None:
        made[row] += row + 1.0

    run_alone([partial(write, row) for row in range(2)])
    assert made.tolist() == [1.0, 2.0]
