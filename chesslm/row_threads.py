"""Rows shared out among threads, each of which computes its own ones alone.

Knows: how threads are kept that torch doesn't divide further, and how rows are divided.
Doesn't know: what is computed (`sampling`).

Torch itself divides one operation at a time among its threads, and all of them wait for the last one each time; small
operations become slower that way, not faster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise

import torch


def divided(num_rows: int, num_shares: int) -> list[slice]:
    """Shares of about equal size, at least one row each where there are as many.

    >>> divided(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    ends = [num_rows * index // num_shares for index in range(num_shares + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def run_alone(shares: Sequence[Callable[[], None]]) -> None:
    """Call each, the last one here and the others in a thread each; torch has one thread in each of them.

    They record no gradients. If one fails, its error is raised once all have ended.
    """
    *others, last = shares
    if not others:
        last()
        return
    here = torch.get_num_threads()
    running: list[Future[None]] = [_threads(len(others)).submit(_without_gradients, share) for share in others]
    try:
        torch.set_num_threads(1)
        _without_gradients(last)
    finally:
        torch.set_num_threads(here)
        failed = [share.exception() for share in running]  # waits for each
    for error in filter(None, failed):
        raise error


def _without_gradients(share: Callable[[], None]) -> None:
    with torch.inference_mode():
        share()


_kept: dict[int, ThreadPoolExecutor] = {}
_making = threading.Lock()


def _threads(num: int) -> ThreadPoolExecutor:
    """The process's only ones of this number."""
    with _making:
        if num not in _kept:
            here = torch.get_num_threads()
            all_begun = threading.Barrier(num)

            def begin() -> None:
                # A thread takes over the process's number when it first asks: that must not be after the next line.
                torch.get_num_threads()
                torch.set_num_threads(1)
                all_begun.wait()

            _kept[num] = ThreadPoolExecutor(num, thread_name_prefix="rows", initializer=begin)
            wait([_kept[num].submit(int) for _ in range(num)])
            # What a thread sets holds for threads to come, too.
            torch.set_num_threads(here)
        return _kept[num]
