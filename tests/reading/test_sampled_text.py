"""Free-running text: seeds, temperature, top-k and top-p, and where a text ends."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.game import Game
from chesslm.inference import sample_text
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.sampling import drawn, reshaped
from chesslm.token_model import DecoderReading, DecoderTokenModel


def test_a_text_depends_on_its_prefix_and_seed_and_not_on_the_batch(notation: Notation, decoder: Decoder) -> None:
    begin = notation.vocabulary.begin_id
    after_e4 = notation.encode_game(Game("", ("e4", "e5", "Nf3"), "*")).ids[:-2]
    prefixes = [[begin], after_e4, [begin], after_e4[:2], [begin]]
    seeds = [3, 5, 7, 11, 3]
    settings_ = {"temperature": 0.9, "top_k": 30, "top_p": 0.95, "max_new_tokens": 40}
    together = sample_text(decoder, notation, prefixes=prefixes, seeds=seeds, **settings_)
    for prefix, seed, text in zip(prefixes, seeds, together, strict=True):
        assert sample_text(decoder, notation, prefixes=[prefix], seeds=[seed], **settings_) == [text]
    assert together[0] == together[4]
    assert together[0] != together[2]


@pytest.fixture
def threads_that_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Two threads of torch, and which of Python's have read prompts since."""
    before, seen = torch.get_num_threads(), []
    read = DecoderTokenModel.read

    def noted(model: DecoderTokenModel, prompts: Sequence[Sequence[int]]) -> DecoderReading:
        seen.append(threading.get_ident())
        return read(model, prompts)

    monkeypatch.setattr(DecoderTokenModel, "read", noted)
    torch.set_num_threads(2)
    yield seen
    torch.set_num_threads(before)


def test_many_rows_are_shared_out_among_threads_which_changes_nothing(
    notations: dict[str, Notation], make_decoder: Callable[..., Decoder], threads_that_read: list[int]
) -> None:
    notation = notations["pgn"]
    model = make_decoder(notation, context_len=60)
    game = notation.encode_game(Game("", ("e4", "e5", "Nf3", "Nc6") * 9, "*")).ids
    prefixes = [game[: 1 + row] for row in range(19)]
    texts = sample_text(model, notation, prefixes=prefixes, temperature=1.0, seeds=range(19), max_new_tokens=30)
    assert len(threads_that_read) == len(set(threads_that_read)) == 2
    assert torch.get_num_threads() == 2
    for prefix, seed, text in zip(prefixes, range(19), texts, strict=True):
        assert sample_text(model, notation, prefixes=[prefix], temperature=1.0, seeds=[seed], max_new_tokens=30) == [
            text
        ]


def test_whoever_interrupts_writing_doesnt_wait_for_the_other_threads_texts(
    notations: dict[str, Notation],
    make_decoder: Callable[..., Decoder],
    threads_that_read: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notation = notations["pgn"]
    extend = DecoderReading.extend
    steps: list[int] = []

    def interrupted(reading: DecoderReading, tokens: Sequence[int]) -> torch.Tensor:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        steps.append(1)
        time.sleep(0.02)
        return extend(reading, tokens)

    monkeypatch.setattr(DecoderReading, "extend", interrupted)
    prefixes = [[notation.vocabulary.begin_id]] * 16
    with pytest.raises(KeyboardInterrupt):
        sample_text(
            make_decoder(notation, context_len=300),
            notation,
            prefixes=prefixes,
            temperature=1.0,
            seeds=range(16),
            max_new_tokens=250,
        )
    assert len(set(threads_that_read)) == 2
    assert len(steps) < 100
    assert torch.get_num_threads() == 2


def test_temperature_zero_writes_the_most_probable_tokens(notations: dict[str, Notation], scripted: Callable) -> None:
    pgn = notations["pgn"]
    table = {"<begin>": {"1.": 0.6}, "1.": {"e4": 0.5, "d4": 0.4}, "e4": {"1-0": 0.3}, "1-0": {"<end>": 0.9}}
    model = scripted(pgn.vocabulary, table)
    (text,) = sample_text(model, pgn, prefixes=[[0]], temperature=0.0, seeds=[0], max_new_tokens=9)
    assert [pgn.vocabulary.string_of(token) for token in text] == ["1.", "e4", "1-0", "<end>"]


def test_texts_end_at_the_end_token_at_the_limit_or_where_the_context_is_full(
    notations: dict[str, Notation], scripted: Callable
) -> None:
    pgn = notations["pgn"]
    model = scripted(pgn.vocabulary, {"1. e4": {"<end>": 1.0}, "1.": {"e4": 1.0}, "d4": {"d4": 1.0}}, context_len=12)
    ids = {token: pgn.vocabulary.id_of(token) for token in ("<begin>", "1.", "e4", "d4", "<end>")}
    prefixes = [[ids["<begin>"], ids["1."]], [ids["d4"]], [ids["d4"]] * 9, [ids["d4"]] * 12]
    texts = sample_text(model, pgn, prefixes=prefixes, temperature=1.0, seeds=[1, 2, 3, 4], max_new_tokens=5)
    assert texts == [[ids["e4"], ids["<end>"]], [ids["d4"]] * 5, [ids["d4"]] * 3, []]
    only_full = [[ids["d4"]] * 12]
    assert sample_text(model, pgn, prefixes=only_full, temperature=1.0, seeds=[1], max_new_tokens=5) == [[]]


def test_a_row_that_fills_the_context_doesnt_hold_up_or_disturb_the_others(
    notations: dict[str, Notation], make_decoder: Callable[..., Decoder]
) -> None:
    # More tokens are written after the first rows are full than a decoder has positions beyond its context.
    notation = notations["english"]
    model = make_decoder(notation, context_len=150)
    game = notation.encode_game(Game("", ("e4", "e5", "Nf3", "Nc6") * 9, "*")).ids
    prefixes = [game[:length] for length in (149, 4, 5, 6, 7)]
    texts = sample_text(model, notation, prefixes=prefixes, temperature=1.0, seeds=range(5), max_new_tokens=140)
    assert [len(prefix) + len(text) <= 150 for prefix, text in zip(prefixes, texts, strict=True)] == [True] * 5
    assert max(len(text) for text in texts) > 70
    for prefix, seed, text in zip(prefixes, range(5), texts, strict=True):
        alone = sample_text(model, notation, prefixes=[prefix], temperature=1.0, seeds=[seed], max_new_tokens=140)
        assert alone == [text]


def test_tokens_come_as_often_as_the_model_says(notations: dict[str, Notation], scripted: Callable) -> None:
    pgn = notations["pgn"]
    model = scripted(pgn.vocabulary, {"1.": {"e4": 0.5, "d4": 0.3, "c4": 0.2}})
    prefixes = [[pgn.vocabulary.begin_id, pgn.vocabulary.id_of("1.")]] * 2_000

    def shares(temperature: float, top_k: int | None = None, top_p: float | None = None) -> list[float]:
        texts = sample_text(
            model,
            pgn,
            prefixes=prefixes,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seeds=range(2_000),
            max_new_tokens=1,
        )
        counts = Counter(pgn.vocabulary.string_of(token) for (token,) in texts)
        return [counts[move] / 2_000 for move in ("e4", "d4", "c4")]

    three_sigma = 3 * math.sqrt(0.25 / 2_000)
    assert shares(1.0) == pytest.approx([0.5, 0.3, 0.2], abs=three_sigma)
    assert shares(1.0, top_k=2) == pytest.approx([0.625, 0.375, 0.0], abs=three_sigma)
    assert shares(1.0, top_p=0.75) == pytest.approx([0.625, 0.375, 0.0], abs=three_sigma)
    assert shares(0.5) == pytest.approx([25 / 38, 9 / 38, 4 / 38], abs=three_sigma)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -0.1}, "temperature must be 0 or more"),
        ({"temperature": math.nan}, "temperature must be 0 or more"),
        ({"temperature": 1.0, "top_k": 0}, "top_k must be 1 or more"),
        ({"temperature": 1.0, "top_p": 0.0}, "top_p must be above 0 and at most 1"),
        ({"temperature": 1.0, "top_p": 1.5}, "top_p must be above 0 and at most 1"),
        ({"temperature": 1.0, "seeds": [1, 2]}, "1 prefixes need as many seeds, not 2"),
    ],
)
def test_impossible_sampling_is_refused(
    notations: dict[str, Notation], scripted: Callable, arguments: dict, message: str
) -> None:
    pgn = notations["pgn"]
    given_arguments = {"prefixes": [[0]], "seeds": [0], "max_new_tokens": 3, **arguments}
    with pytest.raises(ValueError, match=message):
        sample_text(scripted(pgn.vocabulary, {}), pgn, **given_arguments)


logprobs = st.lists(st.floats(-20, 0), min_size=1, max_size=30).map(np.array)


@settings(deadline=None, max_examples=60)
@given(
    logprobs=logprobs,
    temperature=st.floats(0, 3),
    top_k=st.none() | st.integers(1, 40),
    top_p=st.none() | st.floats(0.01, 1),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_reshaped_weights_are_probabilities_that_keep_the_largest(
    logprobs: np.ndarray, temperature: float, top_k: int | None, top_p: float | None, uniform: float
) -> None:
    weights = reshaped(logprobs, temperature=temperature, top_k=top_k, top_p=top_p)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[logprobs.argmax()] == weights.max() > 0
    assert np.count_nonzero(weights) <= (top_k or len(logprobs))
    assert weights[drawn(weights, uniform)] > 0


def test_a_top_k_cut_among_equals_keeps_exactly_k() -> None:
    weights = reshaped(np.zeros(7), temperature=1.0, top_k=3, top_p=None)
    assert weights.tolist() == [1 / 3] * 3 + [0] * 4
