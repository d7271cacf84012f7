"""A model that remembers what it read says what one says that reads everything anew, and feeds little."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import chess
import pytest
import torch

from chesslm.config import ModelSection
from chesslm.inference import moves_and_first_choices
from chesslm.key_value_cache import KeyValueCache, Stretch
from chesslm.model import Decoder
from chesslm.model_player import ModelPlayer
from chesslm.notation import Notation
from chesslm.player import choose
from chesslm.prefix_reuse import RememberingModel
from chesslm.token_model import DecoderReading, DecoderTokenModel
from chesslm.token_tree import TokenTree

V = 17


@pytest.fixture
def small() -> Decoder:
    torch.manual_seed(0)
    model = Decoder(ModelSection(width=30, depth=2, heads=3, mlp_width=13, context_len=61), V).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def assert_same(found: DecoderReading, expected: DecoderReading, prompts: Sequence[Sequence[int]]) -> None:
    """Everything that a reading can be asked, at every token."""
    places = [(row, column) for row, prompt in enumerate(prompts) for column in range(len(prompt))]
    rows, columns = [row for row, _ in places], [column for _, column in places]
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(found.logits(rows, columns), expected.logits(rows, columns), **close)
    trees = []
    for row in range(len(prompts)):
        tree = TokenTree()
        for wording in ([3, 5, 7], [3, 5, 2], [row % V, 1])[: 1 + row % 3]:
            tree.add(wording)
        trees.append(tree.branches())
    torch.testing.assert_close(found.branch_logits(trees), expected.branch_logits(trees), **close)
    some = list(range(len(prompts)))[::-2]
    picked, expected_picked = found.select(some), expected.select(some)
    for token in (4, 6):
        tokens = [token] * len(some)
        torch.testing.assert_close(picked.extend(tokens), expected_picked.extend(tokens), **close)


@pytest.mark.parametrize("seed", range(12))
def test_readings_of_growing_cut_and_new_texts_equal_those_of_a_model_that_forgets(small: Decoder, seed: int) -> None:
    generator = random.Random(seed)
    remembering, forgetful = RememberingModel(small), DecoderTokenModel(small)
    texts: list[list[int]] = [[1]]
    for _ in range(12):
        for text in texts:
            if generator.random() < 0.2:
                del text[generator.randrange(1, len(text) + 1) :]
            text += [generator.randrange(V) for _ in range(generator.randrange(5))]
        if generator.random() < 0.3:
            texts.append([*generator.choice(texts), generator.randrange(V)])
        if generator.random() < 0.2 and len(texts) > 1:
            texts.pop(generator.randrange(len(texts)))
        texts = [text[:61] for text in texts]
        generator.shuffle(texts)
        assert_same(remembering.read(texts), forgetful.read(texts), texts)


def test_one_text_that_goes_on_is_fed_only_what_is_new(small: Decoder) -> None:
    model = RememberingModel(small)
    text = [generator % V for generator in range(40)]
    model.read([text])
    for num_new in (1, 4, 2):
        before, text = model.num_fed, text + [num_new] * num_new
        model.read([text])
        assert model.num_fed - before == num_new
    before = model.num_fed
    model.read([text])
    # Nothing is new, but what follows the last token is wanted.
    assert model.num_fed - before == 1


def test_a_text_that_was_taken_back_goes_on_from_where_it_parts(small: Decoder) -> None:
    model = RememberingModel(small)
    model.read([list(range(10))])
    before = model.num_fed
    model.read([[*range(7), 16, 15]])
    assert model.num_fed - before == 2


def test_two_texts_with_a_common_beginning_dont_push_each_other_out(small: Decoder) -> None:
    model = RememberingModel(small)
    first, second = [1, 2, *[3] * 30], [1, 2, *[4] * 30]
    model.read([first])
    model.read([second])
    before = model.num_fed
    for _ in range(3):
        first, second = [*first, 5], [*second, 6]
        model.read([first])
        model.read([second])
    assert model.num_fed - before == 6


def test_a_batch_is_fed_as_much_as_its_least_known_text_needs(small: Decoder) -> None:
    model = RememberingModel(small)
    texts = [[row, *[row + 1] * (20 + row)] for row in range(5)]
    model.read(texts)
    before = model.num_fed
    # Turned round, one has three new tokens, and a game begins.
    texts = [[*text, 9] for text in texts[::-1]]
    texts[2] += [8, 7]
    model.read([*texts, [11]])
    assert model.num_fed - before == 3 * 5 + 1


def test_a_game_that_is_gone_through_again_leaves_no_trail(small: Decoder) -> None:
    model = RememberingModel(small)
    whole = [1, *[2] * 50]
    model.read([whole])
    for length in range(1, 40):
        before = model.num_fed
        model.read([whole[:length]])
        assert model.num_fed - before == 1
    assert len(model._held) <= 2


def test_memory_has_a_bound_and_can_be_given_back(small: Decoder) -> None:
    model = RememberingModel(small, max_bytes=0)
    for _ in range(2):
        before = model.num_fed
        model.read([[1, 2, 3]])
        model.read([[4, 5, 6]])
        assert model.num_fed - before == 6
    before = model.num_fed
    model.read([[4, 5, 6, 7]])
    assert model.num_fed - before == 1
    model.forget()
    model.read([[4, 5, 6, 7]])
    assert model.num_fed - before == 5


def test_what_stands_before_a_stretch_is_nought_whatever_was_in_memory(small: Decoder) -> None:
    cache = KeyValueCache(2)
    keys = torch.full((2, 3, 5, 7), torch.nan)
    for block in range(2):
        cache.append(block, keys, keys)
    joined = KeyValueCache.right_aligned([Stretch(cache, 0, 0, 4), Stretch(cache, 1, 2, 3), Stretch(cache, 0, 0, 0)])
    assert len(joined) == 4
    held, _ = joined.append(1, torch.ones(3, 3, 1, 7), torch.ones(3, 3, 1, 7))
    assert held.isnan().sum(dim=(1, 2, 3)).tolist() == [3 * 4 * 7, 3 * 1 * 7, 0]
    with pytest.raises(ValueError, match="nothing has been fed"):
        KeyValueCache.right_aligned([Stretch(KeyValueCache(1), 0, 0, 0)])


def test_a_player_asked_move_by_move_says_what_one_reading_says(
    notation: Notation, make_decoder: Callable[..., Decoder]
) -> None:
    decoder = make_decoder(notation)
    player = ModelPlayer(decoder, notation, name="m")
    generator = random.Random(2)
    boards = [chess.Board() for _ in range(3)]
    for _ in range(14):
        for board in boards:
            board.push(generator.choice(list(board.legal_moves)))
        if generator.random() < 0.3:
            boards[0].pop()
            boards[0].pop()
        asked = generator.sample(boards, k=generator.randrange(1, 4))
        expected = moves_and_first_choices(decoder, notation, asked)
        for decision, (probabilities, choice) in zip(player.choose_many(asked), expected, strict=True):
            assert decision.first_choice == choice.text
            assert decision.legal_mass == pytest.approx(probabilities.legal_mass, rel=1e-4)
            found = dict(decision.candidates)
            assert [found[move] for move in probabilities.moves] == pytest.approx(
                torch.tensor(probabilities.logprobs).exp().tolist(), rel=1e-3, abs=1e-7
            )


def test_a_closed_player_has_forgotten_but_still_plays(notation: Notation, decoder: Decoder) -> None:
    with ModelPlayer(decoder, notation, name="m") as player:
        before = choose(player, chess.Board())
    assert choose(player, chess.Board()).move == before.move
