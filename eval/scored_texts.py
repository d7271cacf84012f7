"""The probability of texts after prompts: any texts, legal moves or not.

Knows: that texts which begin alike share a tree, so a prompt costs one pass and its texts another, and how many trees'
logits may be held at once.
Doesn't know: what the texts say. Nothing is removed from the softmax.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from chesslm.model import Decoder
from chesslm.move_scores import TYPICAL_TREE_LEN, check_fits
from chesslm.token_model import TokenModel, as_token_model, batches_by_length, tokens_per_batch
from chesslm.token_tree import ROOT, TokenTree
from eval.written_moves import Floats


def text_logprobs(
    model: TokenModel | Decoder,
    prompts: Sequence[Sequence[int]],
    texts: Sequence[Sequence[Sequence[int]]],
    tell: Callable[[int], None] = lambda _done: None,
) -> list[Floats]:
    """Ln p of each text after its prompt, as many numbers a prompt as it has texts.

    Args:
        model: says.
        prompts: at least one token each.
        texts: for each prompt its texts, at least one token each.
        tell: told how many prompts are done.

    Raises:
        GameTooLong: a prompt leaves no room in the model's context.
    """
    tokens = as_token_model(model)
    for prompt in prompts:
        check_fits(tokens, prompt)
    found: dict[int, Floats] = {}
    for batch in batches_by_length([len(prompt) for prompt in prompts], extra=TYPICAL_TREE_LEN):
        tell(len(found))
        scored = _score(tokens, [prompts[index] for index in batch], [texts[index] for index in batch])
        found.update(zip(batch, scored, strict=True))
    tell(len(prompts))
    return [found[index] for index in range(len(prompts))]


@torch.inference_mode()
def _score(
    model: TokenModel, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[Sequence[int]]]
) -> list[Floats]:
    trees = []
    ends = []
    for of_prompt in texts:
        tree = TokenTree()
        ends.append([tree.add(text) for text in of_prompt])
        trees.append(tree)
    reading = model.read(prompts)
    after_prompts = reading.logits(range(len(prompts)), [len(prompt) - 1 for prompt in prompts]).log_softmax(1)
    branches = [tree.branches() for tree in trees]
    # Only the logits say how large the vocabulary is: trees take their turns where all would be too many.
    room = tokens_per_batch(after_prompts.shape[1])
    found: dict[int, Floats] = {}
    for part in batches_by_length([len(fed) for fed in branches], extra=0, tokens=room):
        rows = sorted(part)
        asked = reading if len(rows) == len(prompts) else reading.select(rows)
        after_nodes = asked.branch_logits([branches[row] for row in rows]).log_softmax(1)
        offset = 0
        for row in rows:
            num_fed = len(branches[row])
            # First what the prompt predicts, then the fed nodes in the order of the branches.
            predicted = torch.cat((after_prompts[row : row + 1], after_nodes[offset : offset + num_fed]))
            offset += num_fed
            found[row] = _paths(trees[row], predicted)[ends[row]]
    return [found[row] for row in range(len(prompts))]


def _paths(tree: TokenTree, predicted: Tensor) -> Floats:
    """Ln p of the way to each node of a tree, from log-probabilities after each of its slots."""
    slots = tree.slots()
    parents = torch.tensor([slots[parent] for parent in tree.parents[1:]], device=predicted.device)
    tokens = torch.tensor(tree.tokens[1:], device=predicted.device)
    edges = predicted[parents, tokens].double().tolist()
    paths = np.zeros(len(tree))
    for node in range(ROOT + 1, len(tree)):
        paths[node] = paths[tree.parents[node]] + edges[node - 1]
    return paths
