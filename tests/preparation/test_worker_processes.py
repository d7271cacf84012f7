"""Work in threads and processes: order, errors, and the death of a process at any moment.

Fresh processes can't import this file, so most tasks are expressions for `eval`.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from chesslm.errors import OutputError
from data_prep.workers import ordered_map, ordered_map_in_threads

SUICIDE = "__import__('os').kill(__import__('os').getpid(), 9)"
# What a process leaves that is killed while it writes a result: its length, and too little of it.
TORN = f"""[
    [os.write(int(fd), (1 << 20).to_bytes(4, "big") + b"torn")
     for fd in os.listdir("/proc/self/fd") if "socket:" in os.path.realpath("/proc/self/fd/" + fd)]
    for os in [__import__("os")]
] and {SUICIDE}"""


KINDS = pytest.mark.parametrize("run", [ordered_map, ordered_map_in_threads], ids=["processes", "threads"])


@KINDS
@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_tasks(run: Any, num_workers: int) -> None:
    assert list(run(abs, range(-20, 0), num_workers=num_workers)) == list(range(20, 0, -1))
    assert list(run(abs, list[int](), num_workers=num_workers)) == []


def test_tasks_and_results_larger_than_a_pipe_do_not_block_each_other() -> None:
    tasks = [bytes([number]) * (5 << 20) for number in range(8)]
    assert list(ordered_map(bytes, tasks, num_workers=2)) == tasks


@KINDS
def test_tasks_are_taken_only_a_little_ahead(run: Any) -> None:
    taken = []

    def tasks() -> Iterator[int]:
        for number in range(1_000):
            taken.append(number)
            yield number

    assert list(islice(run(abs, tasks(), num_workers=2), 5)) == [0, 1, 2, 3, 4]
    assert len(taken) <= 5 + 2 * 3 + 1


@KINDS
@pytest.mark.parametrize("num_workers", [1, 2])
def test_an_error_at_work_is_raised_here(run: Any, num_workers: int) -> None:
    results = run(eval, ["1 / 2", "1 / 4", "1 / 0", "1"], num_workers=num_workers)
    assert [next(results), next(results)] == [0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize(("function", "task"), [(memoryview, b""), (id, threading.Lock())])
def test_what_cannot_be_sent_is_an_error_not_a_wait_without_end(function: Any, task: Any) -> None:
    with pytest.raises(TypeError, match="pickle"):
        list(ordered_map(function, [task], num_workers=2))


@pytest.mark.parametrize("death", [SUICIDE, TORN], ids=["at work", "while it sends"])
def test_a_process_that_is_killed_is_an_error(death: str) -> None:
    with pytest.raises(OutputError, match="a worker process was killed"):
        list(ordered_map(eval, ["1", "2", "3", death, *["4"] * 50], num_workers=2))


def test_no_process_outlives_its_results() -> None:
    tasks = ["__import__('os').getpid()"] * 100
    results = ordered_map(eval, tasks, num_workers=2)
    workers = set(islice(results, 10))
    del results
    assert workers
    assert os.getpid() not in workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


WAITS = """
from itertools import count
from data_prep.workers import ordered_map
if __name__ == "__main__":
    for worker in ordered_map(eval, ("__import__('os').getpid()" for _ in count()), num_workers=2):
        print(worker, flush=True)
"""


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(WAITS)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = {int(line) for line in islice(parent.stdout, 10)}
        parent.kill()
    until = time.monotonic() + 60
    while any(map(is_running, workers)):
        assert time.monotonic() < until, "a worker outlived its parent"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
