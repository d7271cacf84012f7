"""A prefix tree of token sequences that could follow a prompt.

Knows: nodes, their parents, and which of them a network has to be fed.
Doesn't know: networks, notations or chess.

Node 0 is the end of the prompt. Sequences that share their first tokens share nodes, so scoring every wording of
every legal move costs one token for each distinct beginning. The last token of a sequence is only looked up in what
its parent predicts, so it needn't be fed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROOT = 0


@dataclass(frozen=True, slots=True)
class Branches:
    """Tokens to feed after a prompt, all at once: each sees the prompt, its ancestors and itself.

    Args:
        tokens: token ids, parents before children.
        parents: for each token the index of the one before it here, or -1 for the end of the prompt.
    """

    tokens: list[int]
    parents: list[int]

    def __len__(self) -> int:
        return len(self.tokens)

    def depths(self) -> list[int]:
        """How many tokens stand between the prompt and each token: 0 for the prompt's direct children."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        return depths


def chain(tokens: Sequence[int]) -> Branches:
    """One sequence without side branches.

    >>> chain([7, 8]).parents
    [-1, 0]
    """
    return Branches(list(tokens), list(range(-1, len(tokens) - 1)))


class TokenTree:
    """Grows by whole sequences; a sequence is known by its last node.

    >>> tree = TokenTree()
    >>> tree.add([5, 6]), tree.add([5, 8]), tree.add([9])
    (2, 3, 4)
    >>> tree.tokens, tree.parents
    ([-1, 5, 6, 8, 9], [-1, 0, 1, 1, 0])
    >>> tree.branches().tokens, tree.slots()  # only 5 has anything after it
    ([5], {0: 0, 1: 1})
    """

    def __init__(self) -> None:
        self.tokens: list[int] = [-1]
        self.parents: list[int] = [-1]
        self.children: list[dict[int, int]] = [{}]
        self._asked: set[int] = set()

    def __len__(self) -> int:
        """Nodes, the root included."""
        return len(self.tokens)

    def add(self, sequence: Sequence[int], *, start: int = ROOT) -> int:
        """The node at the end of a sequence that begins after node `start`; makes what is missing."""
        node = start
        for token in sequence:
            child = self.children[node].get(token)
            if child is None:
                child = len(self.tokens)
                self.children[node][token] = child
                self.tokens.append(token)
                self.parents.append(node)
                self.children.append({})
            node = child
        return node

    def ask(self, node: int) -> None:
        """Have this node fed even if nothing follows it: what would come next is wanted."""
        self._asked.add(node)

    def slots(self) -> dict[int, int]:
        """Node -> where its prediction stands: 0 for the root, then the fed nodes in the order of `branches`."""
        fed = (node for node in range(1, len(self)) if self.children[node] or node in self._asked)
        return {ROOT: 0, **{node: slot for slot, node in enumerate(fed, start=1)}}

    def branches(self) -> Branches:
        """The nodes that have to be fed."""
        slots = self.slots()
        fed = list(slots)[1:]
        return Branches([self.tokens[node] for node in fed], [slots[self.parents[node]] - 1 for node in fed])
