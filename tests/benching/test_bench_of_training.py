"""The training benchmark's table: who is compared with whom."""

from __future__ import annotations

import pytest

from benchmarks.bench_train import Row, ratio, ratio_to_fastest, table

SPEEDS = {
    "train-ours": 6.0,
    "train-gpt2": 2.0,
    "decode-gpt2-64-float32": 3.0,
    "decode-llama-64-float32": 2.0,
    "decode-llama-64-bfloat16": 1.0,
    "decode-llama-1-float32": 50.0,
    "decode-ours-64-float32": 6.0,
    "decode-ours-64-bfloat16": 9.0,
    "decode-ours-64-int8": 12.0,
}


@pytest.mark.parametrize(
    ("name", "same_precision", "any_precision"),
    [
        ("train-gpt2", 3.0, None),
        ("decode-llama-64-float32", 3.0, None),
        ("decode-ours-64-float32", 2.0, 2.0),
        ("decode-ours-64-bfloat16", 9.0, 3.0),
        ("decode-ours-64-int8", None, 4.0),
    ],
)
def test_ours_is_compared_in_the_same_precision_and_with_the_fastest(
    name: str, same_precision: float | None, any_precision: float | None
) -> None:
    assert (ratio(name, SPEEDS), ratio_to_fastest(name, SPEEDS)) == (same_precision, any_precision)


def test_without_peers_there_is_no_ratio() -> None:
    alone = {"decode-ours-1-int8": 4.0}
    assert (ratio("decode-ours-1-int8", alone), ratio_to_fastest("decode-ours-1-int8", alone)) == (None, None)


def test_the_table_has_both_and_says_what_is_missing_and_that_the_machine_was_busy() -> None:
    rows = [
        Row("decode-ours-64-int8", "ours", "1M", 1, None, 7, 12.0, (12.0,), 10**6, None, 4.0),
        Row("decode-gpt2-64-float32", "peer", "1M", 1, "not installed"),
    ]
    text = table(rows, threads=[1], repeats=3, load=2.0)
    assert "| ours (1M) | 1 | 7 | 12 | 1 MB |  | 4.00 |" in text
    assert "| peer (1M) | 1 | | not installed | | | |" in text
    assert "load average 2.0" in text
