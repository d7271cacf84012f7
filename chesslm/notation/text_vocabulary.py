"""A foreign tokenizer's vocabulary with the roles that every notation shares.

Knows: which of its ids can't stand in a move, or can't begin one; tokens of our own that no network knows.
Doesn't know: games.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from chesslm.game import RESULTS
from chesslm.notation.text_plies import TextPlies
from chesslm.vocabulary import Vocabulary

_MARKS = ("+", "#")
# Numbers that share a word with the move decide what can begin it.
_LAST_NUMBER = 200


@dataclass(frozen=True)
class TextVocabulary(Vocabulary):
    """A foreign vocabulary, of any size, with tokens of our own behind it.

    Its `results` are empty: they are several tokens in most vocabularies, so their mass isn't measured.

    Args:
        excluded: ids that can't stand in a move.
        excluded_first: further ids that can't begin one.
        our_results: PGN result -> the id that stands for it at the end of an encoded game; no network knows it.
        identity: what else decides what ids mean: the template.
    """

    excluded: frozenset[int] = frozenset()
    excluded_first: frozenset[int] = frozenset()
    our_results: tuple[tuple[str, int], ...] = ()
    identity: str = ""

    def __post_init__(self) -> None:
        """Nothing is stored in 16 bits here, so any size will do."""

    @cached_property
    def not_a_move_ids(self) -> frozenset[int]:
        """Ids of the network that can't stand anywhere in a move: special and unused tokens."""
        return self.excluded

    @cached_property
    def not_a_first_token_ids(self) -> frozenset[int]:
        """Ids of the network that are removed at the first token of a move."""
        return self.excluded | self.excluded_first

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) over the tokens in the order of their ids, and the template."""
        return hashlib.sha256("\0".join((*self.tokens, self.identity)).encode()).hexdigest()


def text_vocabulary(
    plies: TextPlies, names: Collection[str], *, begin_id: int | None, end_id: int | None
) -> TextVocabulary:
    """The roles of a foreign vocabulary's ids.

    Args:
        plies: how games are cut.
        names: a name for each id of the network, in order.
        begin_id: the token before all text, if any.
        end_id: the token that ends texts, if any.
    """
    surfaces = plies.tokens.surfaces
    ours = [f"<chesslm {what}>" for what in ("begin", "end", "pad", *RESULTS)]
    tokens = (*names, *ours)
    size = len(names)
    special = {token for token in range(size) if token >= len(surfaces) or surfaces[token] is None}
    special |= {token for token in (begin_id, end_id) if token is not None}
    overlaps = {plies.border(ply).overlap for ply in (0, 1, *range(2, 2 * _LAST_NUMBER, 2))}
    no_first = {token for token, text in enumerate(surfaces) if text is not None and not may_begin(text, overlaps)}
    marks = plies.moves.marks if plies.has_own_marks() else ()
    return TextVocabulary(
        tokens=tokens,
        begin=tokens[size if begin_id is None else begin_id],
        end=tokens[size + 1 if end_id is None else end_id],
        pad=tokens[size + 2],
        results={},
        marks=tuple(tokens[token] for token, text in enumerate(surfaces) if text in marks),
        excluded=frozenset(special),
        excluded_first=frozenset(no_first),
        our_results=tuple((result, size + 3 + place) for place, result in enumerate(RESULTS)),
        identity=plies.template.model_dump_json(),
    )


def may_begin(text: str, overlaps: Collection[str]) -> bool:
    """Whether a token can begin a move's text, given what of its word is already known; results and marks can't.

    >>> [may_begin(text, {" "}) for text in (" N", " ", " x", "N", " 1", " 1-0", " +", "+")]
    [True, True, True, False, False, False, False, False]
    """
    for overlap in overlaps:
        if text and overlap.startswith(text):
            return True
        rest = text[len(overlap) :] if text.startswith(overlap) else ""
        is_result = any(result.startswith(rest) or rest.startswith(result) for result in RESULTS)
        if rest and not is_result and not rest.startswith(_MARKS):
            return True
    return False
