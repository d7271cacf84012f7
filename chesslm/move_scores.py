"""Everything a model says about a position, from one reading of the game before it.

Knows: METRICS section 1: the probability of each legal move from the full softmax, the first choice (greedy and
unmasked), the mass of results, and whether the mark after a move is written rightly.
Doesn't know: which position is asked about or why (`inference`, `measures`, `model_player`).

A position costs one pass over its prompt and one over a tree that holds every wording of every legal move. The first
choice walks along that tree and costs further passes only where it leaves it before the move is settled.

Tensor key: B prompts of a batch · N fed nodes of all their trees · V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import chess
import numpy as np
import torch
from torch import Tensor

from chesslm.errors import GameTooLong
from chesslm.notation import Notation
from chesslm.token_model import Reading, TokenModel, batches_by_length, tokens_per_batch
from chesslm.token_tree import ROOT, TokenTree, chain
from chesslm.vocabulary import Vocabulary

# A first choice that isn't settled after so many tokens is unreadable; the longest spelling has about a dozen.
MAX_FIRST_CHOICE_TOKENS = 32
# Room left for the tree of a position when positions are put into batches: typical, not a bound.
TYPICAL_TREE_LEN = 48


@dataclass(frozen=True, slots=True)
class MoveProbabilities:
    """ln p(move | game) of every legal move, in python-chess's order.

    Args:
        moves: the legal moves.
        logprobs: natural logarithms, as many; -inf where p is 0.
    """

    moves: tuple[chess.Move, ...]
    logprobs: tuple[float, ...]

    @property
    def legal_mass(self) -> float:
        """Sum of p over the legal moves, in [0, 1]."""
        return min(1.0, math.fsum(math.exp(logprob) for logprob in self.logprobs))

    @property
    def best(self) -> chess.Move:
        """The most probable legal move (lenient play); ValueError where there is none."""
        return self.moves[max(range(len(self.moves)), key=lambda index: self.logprobs[index])]

    def logprob_of(self, move: chess.Move) -> float:
        """Ln p of a legal move; ValueError for any other."""
        return self.logprobs[self.moves.index(move)]


@dataclass(frozen=True, slots=True)
class Question:
    """A position to be asked about.

    Args:
        board: the position; its move stack is the game, where the notation needs it.
        prompt: all tokens before the move.
        end_len: how many tokens of the prompt stand before a result could be written; None if that isn't asked.
        played: spelling of the move whose mark is judged, and all that follows from it; None if that isn't asked.
    """

    board: chess.Board
    prompt: list[int]
    end_len: int | None = None
    played: tuple[list[int], list[int]] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says.

    Args:
        probabilities: of all legal moves.
        first_choice: tokens decoded greedily until the move was complete or impossible; empty if not asked.
        end_mass: probability of a result after `end_len` tokens; None if not asked.
        mark_right: whether the most probable tokens after the played move are its mark (or no mark); None if not asked.
    """

    probabilities: MoveProbabilities
    first_choice: list[int]
    end_mass: float | None
    mark_right: bool | None


@dataclass(slots=True)
class _Planted:
    """A question with its tree.

    Args:
        slots: node -> place among the tree's predictions (`TokenTree.slots`).
        ends: the nodes where the wordings of each legal move end.
        num_spelling_nodes: nodes below this number belong to spellings, the others to what follows from `played`.
        judged: the played move's last node and those of what follows, each with the token that is right there.
    """

    question: Question
    tree: TokenTree = field(default_factory=TokenTree)
    slots: dict[int, int] = field(default_factory=dict)
    ends: list[tuple[chess.Move, list[int]]] = field(default_factory=list)
    num_spelling_nodes: int = 0
    judged: list[tuple[int, int | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Predictions:
    """What is kept of a tree's logits.

    Args:
        edges: for each node the log-probability of its token after its ancestors.
        favourites: for each judged node the most probable token after it.
        choices: for each slot the most probable token that a move can have there.
    """

    edges: list[float]
    favourites: list[int]
    choices: list[int]


def ask(
    model: TokenModel, notation: Notation, questions: Sequence[Question], *, with_first_choice: bool
) -> list[Answer]:
    """Answers in the order of the questions.

    Raises:
        GameTooLong: a prompt leaves no room in the model's context.
    """
    answers: dict[int, Answer] = {}
    for question in questions:
        check_fits(model, question.prompt)
    lengths = [len(question.prompt) for question in questions]
    for batch in batches_by_length(lengths, extra=TYPICAL_TREE_LEN, tokens=tokens_per_batch(len(notation.vocabulary))):
        planted = [_plant(notation, questions[index]) for index in batch]
        answered = _ask_batch(model, notation, planted, with_first_choice=with_first_choice)
        answers.update(zip(batch, answered, strict=True))
    return [answers[index] for index in range(len(questions))]


def check_fits(model: TokenModel, prompt: Sequence[int]) -> None:
    """Raise GameTooLong unless at least one more token fits after the prompt."""
    if len(prompt) >= model.context_len:
        raise GameTooLong(f"the game has {len(prompt)} tokens, the model's context holds {model.context_len}")


def legal_spellings(notation: Notation, board: chess.Board) -> list[tuple[chess.Move, list[list[int]]]]:
    """Every wording of every legal move."""
    return [(move, notation.spellings(board, move)) for move in board.legal_moves]


def end_masses_after(model: TokenModel, vocabulary: Vocabulary, prompts: Sequence[Sequence[int]]) -> list[float]:
    """Probability that a result is written after each prompt.

    Raises:
        GameTooLong: a prompt leaves no room in the model's context.
    """
    masses: dict[int, float] = {}
    for prompt in prompts:
        check_fits(model, prompt)
    room = tokens_per_batch(len(vocabulary))
    for batch in batches_by_length([len(prompt) for prompt in prompts], extra=0, tokens=room):
        reading = model.read([prompts[index] for index in batch])
        masses.update(zip(batch, _end_masses(reading, vocabulary, [len(prompts[i]) for i in batch]), strict=True))
    return [masses[index] for index in range(len(prompts))]


def _asked_end_masses(reading: Reading, vocabulary: Vocabulary, questions: Sequence[Question]) -> list[float | None]:
    ends = [question.end_len or len(question.prompt) for question in questions]
    if all(question.end_len is None for question in questions):
        return [None] * len(questions)
    masses = _end_masses(reading, vocabulary, ends)
    return [mass if question.end_len is not None else None for mass, question in zip(masses, questions, strict=True)]


def _end_masses(reading: Reading, vocabulary: Vocabulary, lengths: Sequence[int]) -> list[float]:
    logits_BV = reading.logits(range(len(lengths)), [length - 1 for length in lengths]).double()
    results_BV = logits_BV[:, list(vocabulary.result_ids.values())]
    masses: list[float] = (results_BV.logsumexp(1) - logits_BV.logsumexp(1)).exp().tolist()
    return masses


def _plant(notation: Notation, question: Question) -> _Planted:
    planted = _Planted(question)
    tree = planted.tree
    for move, wordings in legal_spellings(notation, question.board):
        planted.ends.append((move, [tree.add(wording) for wording in wordings]))
    planted.num_spelling_nodes = len(tree)
    if question.played is not None:
        spelling, follow = question.played
        node = tree.add(spelling)
        for token in follow:
            planted.judged.append((node, token))
            node = tree.add([token], start=node)
        if not follow:
            planted.judged.append((node, None))
        for node, _ in planted.judged:
            tree.ask(node)
    planted.slots = tree.slots()
    return planted


@torch.inference_mode()
def _ask_batch(
    model: TokenModel, notation: Notation, batch: Sequence[_Planted], *, with_first_choice: bool
) -> list[Answer]:
    vocabulary = notation.vocabulary
    reading = model.read([planted.question.prompt for planted in batch])
    lengths = [len(planted.question.prompt) for planted in batch]
    end_masses = _asked_end_masses(reading, vocabulary, [planted.question for planted in batch])
    root_BV = reading.logits(range(len(batch)), [length - 1 for length in lengths])
    branch_NV = reading.branch_logits([planted.tree.branches() for planted in batch])
    predictions = _predict(root_BV, branch_NV, vocabulary, batch)
    choices = (
        _first_choices(reading, notation, batch, predictions) if with_first_choice else [[] for _ in range(len(batch))]
    )
    return [
        Answer(
            probabilities=_move_probabilities(planted, predicted.edges),
            first_choice=choice,
            end_mass=end_mass,
            mark_right=_mark_right(planted, predicted.favourites, vocabulary),
        )
        for planted, predicted, choice, end_mass in zip(batch, predictions, choices, end_masses, strict=True)
    ]


def _predict(
    root_BV: Tensor, branch_NV: Tensor, vocabulary: Vocabulary, batch: Sequence[_Planted]
) -> list[_Predictions]:
    """Boil the logits down, the roots' and the branches' (which are overwritten on the way)."""
    num_roots = len(batch)
    offsets = num_roots - 1 + np.cumsum([0, *(len(planted.slots) - 1 for planted in batch)])

    def row_of(index: int, node: int) -> int:
        slot = batch[index].slots[node]
        return int(offsets[index]) + slot if slot else index

    parents = np.array(
        [row_of(i, parent) for i, p in enumerate(batch) for parent in p.tree.parents[1:]], dtype=np.int64
    )
    tokens = np.array([token for planted in batch for token in planted.tree.tokens[1:]], dtype=np.int64)
    judged = [row_of(i, node) - num_roots for i, p in enumerate(batch) for node, _ in p.judged]
    favourites: list[int] = branch_NV[judged].argmax(1).tolist()

    # METRICS section 1: p is "given that a move comes next", so results, end and marks leave the first softmax.
    root_BV.index_fill_(1, _index(vocabulary.not_a_first_token_ids, root_BV), -math.inf)
    normalisers = torch.cat((root_BV.logsumexp(1), branch_NV.logsumexp(1))).double().cpu().numpy()
    is_root = parents < num_roots
    edges = np.empty(len(tokens))
    edges[is_root] = root_BV[parents[is_root], tokens[is_root]].cpu().numpy()
    edges[~is_root] = branch_NV[parents[~is_root] - num_roots, tokens[~is_root]].cpu().numpy()
    edges -= normalisers[parents]

    branch_NV.index_fill_(1, _index(vocabulary.not_a_move_ids, branch_NV), -math.inf)
    choices: list[int] = torch.cat((root_BV.argmax(1), branch_NV.argmax(1))).tolist()

    predictions = []
    edge, judge = 0, 0
    for index, planted in enumerate(batch):
        num_edges, num_judged = len(planted.tree) - 1, len(planted.judged)
        first = int(offsets[index]) + 1
        predictions.append(
            _Predictions(
                edges=[0.0, *edges[edge : edge + num_edges].tolist()],
                favourites=favourites[judge : judge + num_judged],
                choices=[choices[index], *choices[first : first + len(planted.slots) - 1]],
            )
        )
        edge, judge = edge + num_edges, judge + num_judged
    return predictions


def _index(ids: frozenset[int], like: Tensor) -> Tensor:
    return torch.tensor(sorted(ids), dtype=torch.int64, device=like.device)


def _move_probabilities(planted: _Planted, edges: Sequence[float]) -> MoveProbabilities:
    """P of each legal move: the sum over its wordings."""
    tree = planted.tree
    paths = [0.0] * planted.num_spelling_nodes
    for node in range(1, planted.num_spelling_nodes):
        paths[node] = paths[tree.parents[node]] + edges[node]

    def wording(end: int) -> float:
        # Where a longer legal spelling goes on from here, this one is meant only if the longer one's token isn't next.
        longer = [child for child in tree.children[end].values() if child < planted.num_spelling_nodes]
        if not longer:
            return paths[end]
        rest = 1.0 - sum(math.exp(edges[child]) for child in longer)
        return paths[end] + math.log(rest) if rest > 0.0 else -math.inf

    return MoveProbabilities(
        moves=tuple(move for move, _ in planted.ends),
        logprobs=tuple(log_sum([wording(end) for end in ends]) for _, ends in planted.ends),
    )


def log_sum(logprobs: Sequence[float]) -> float:
    """Ln of the sum of probabilities given as logarithms; -inf for none.

    >>> round(math.exp(log_sum([math.log(0.25), math.log(0.5), -math.inf])), 9)
    0.75
    """
    largest = max(logprobs, default=-math.inf)
    if largest == -math.inf:
        return -math.inf
    return largest + math.log(sum(math.exp(logprob - largest) for logprob in logprobs))


def _mark_right(planted: _Planted, favourites: Sequence[int], vocabulary: Vocabulary) -> bool | None:
    if not planted.judged:
        return None
    return all(
        favourite == right if right is not None else favourite not in vocabulary.mark_ids
        for (_, right), favourite in zip(planted.judged, favourites, strict=True)
    )


def _first_choices(
    reading: Reading, notation: Notation, batch: Sequence[_Planted], predictions: Sequence[_Predictions]
) -> list[list[int]]:
    """Greedy tokens of each position until its move is settled; each finishes on its own."""
    choices: list[list[int]] = []
    pending: list[int] = []
    for index, (planted, predicted) in enumerate(zip(batch, predictions, strict=True)):
        choice: list[int] = []
        node: int | None = ROOT
        while node in planted.slots:
            token = predicted.choices[planted.slots[node]]
            if not goes_on(notation, planted.question.board, choice, token):
                break
            choice.append(token)
            if is_over(notation, planted.question.board, choice):
                break
            node = planted.tree.children[node].get(token)
        else:
            pending.append(index)
        choices.append(choice)
    # The text has left the tree and isn't a move yet: go on with the few that are like that.
    beyond = reading.select(pending) if pending else reading
    excluded = notation.vocabulary.not_a_move_ids
    while pending:
        logits_NV = beyond.branch_logits([chain(choices[index]) for index in pending])
        last_NV = logits_NV[np.cumsum([len(choices[index]) for index in pending]) - 1]
        tokens = last_NV.index_fill(1, _index(excluded, last_NV), -math.inf).argmax(1).tolist()
        going_on = []
        for row, (index, token) in enumerate(zip(pending, tokens, strict=True)):
            board = batch[index].question.board
            if goes_on(notation, board, choices[index], token):
                choices[index].append(token)
                if not is_over(notation, board, choices[index]):
                    going_on.append(row)
        if len(going_on) < len(pending):
            pending = [pending[row] for row in going_on]
            beyond = beyond.select(going_on) if going_on else beyond
    return choices


def goes_on(notation: Notation, board: chess.Board, ids: Sequence[int], token: int) -> bool:
    """Whether a token belongs to the move: always, unless the move is settled and can't go on with it."""
    return not ids or notation.is_complete(board, ids) is not True or token in notation.continuations(ids)


def is_over(notation: Notation, board: chess.Board, ids: Sequence[int]) -> bool:
    """Whether nothing that could follow belongs to the move."""
    complete = notation.is_complete(board, ids)
    return len(ids) >= MAX_FIRST_CHOICE_TOKENS or complete is None or (complete and not notation.continuations(ids))
