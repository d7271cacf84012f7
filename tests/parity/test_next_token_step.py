"""Texts that grow token by token are told the same as texts that are read at once."""

from __future__ import annotations

import pytest
import torch

from chesslm.config import ModelSection
from chesslm.model import Decoder
from chesslm.next_token_step import step_of
from chesslm.prefix_reuse import RememberingModel
from chesslm.token_model import DecoderTokenModel

V = 17
CONFIGS = [
    ModelSection(width=30, depth=2, heads=3, mlp_width=13, context_len=181),
    ModelSection(width=44, depth=3, heads=2, kv_heads=1, mlp_width=19, context_len=181, tied_head=False),
    ModelSection(width=30, depth=2, heads=3, mlp_width=13, context_len=181, qk_norm=False, rope_base=100.0),
]
PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]


@pytest.fixture(params=CONFIGS, ids=["plain", "shared-keys", "without-norm"])
def model(request: pytest.FixtureRequest) -> Decoder:
    torch.manual_seed(0)
    model = Decoder(request.param, V).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def following(num_texts: int, count: int) -> list[list[int]]:
    return torch.randint(0, V, (count, num_texts), generator=torch.Generator().manual_seed(2)).tolist()


def last_logits(model: Decoder, text: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([text]))[0, -1]


def test_each_step_equals_a_reading_of_the_whole_text(model: Decoder) -> None:
    reading = DecoderTokenModel(model).read(PROMPTS)
    texts = [list(prompt) for prompt in PROMPTS]
    # More steps than a cache has room for at first; halfway the second text is left out and the others change places.
    for step, tokens in enumerate(following(3, 120)):
        if step == 50:
            reading, texts = reading.select([2, 0]), [texts[2], texts[0]]
        logits = reading.extend(tokens[: len(texts)])
        for text, token, found in zip(texts, tokens, logits, strict=False):
            text.append(token)
            if step % 10 < 2:
                torch.testing.assert_close(found, last_logits(model, text), rtol=1e-4, atol=1e-5)


def test_a_single_text_grows_from_one_token_to_the_end_of_the_context(model: Decoder) -> None:
    reading = DecoderTokenModel(model).read([[3]])
    text = [3]
    for (token,) in following(1, 180):
        logits = reading.extend([token])
        text.append(token)
    torch.testing.assert_close(logits[0], last_logits(model, text), rtol=1e-4, atol=1e-5)


def test_remembered_beginnings_that_stand_on_the_right_grow_alike(model: Decoder) -> None:
    remembering = RememberingModel(model)
    remembering.read(PROMPTS)
    texts = [[*prompt, 12] for prompt in PROMPTS]
    reading = remembering.read(texts)
    for tokens in following(3, 5):
        logits = reading.extend(tokens)
        texts = [[*text, token] for text, token in zip(texts, tokens, strict=True)]
    for text, found in zip(texts, logits, strict=True):
        torch.testing.assert_close(found, last_logits(model, text), rtol=1e-4, atol=1e-5)


def test_a_decoder_that_isnt_what_the_step_knows_is_fed_the_plain_way(model: Decoder) -> None:
    class Shifted(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 0.1

    assert step_of(model) is not None
    last: torch.nn.Module = model.blocks[0].mlp
    torch.manual_seed(1)
    last.down = Shifted(last.down.in_features, last.down.out_features, bias=False)
    assert step_of(model) is None
    assert step_of(Decoder(model.config, V).double()) is None
    reading = DecoderTokenModel(model).read(PROMPTS)
    for tokens in ([1, 2, 3], [4, 5, 6]):
        logits = reading.extend(tokens)
    for prompt, token, after, found in zip(PROMPTS, [1, 2, 3], [4, 5, 6], logits, strict=True):
        torch.testing.assert_close(found, last_logits(model, [*prompt, token, after]), rtol=1e-4, atol=1e-5)


def test_rows_dont_see_each_other_when_they_grow(model: Decoder) -> None:
    found = []
    for other in (7, 8):
        reading = DecoderTokenModel(model).read([[1, 2], [other] * 5])
        found.append([reading.extend([3, other])[0], reading.extend([4, other])[0]])
    torch.testing.assert_close(found[0], found[1], rtol=0.0, atol=0.0)
