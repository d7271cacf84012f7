"""Token strings and their ids, with the roles that every notation shares.

Knows: ids <-> strings, which ids are special, results or marks, and a fingerprint of all of that.
Doesn't know: chess, or how a notation splits text into tokens.

Ids are stored as unsigned 16-bit numbers, so a vocabulary has at most 65,536 entries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chesslm.errors import FormatError

VOCABULARY_FORMAT = "chesslm-vocabulary/1"
MAX_VOCABULARY_LEN = 65_536


@dataclass(frozen=True)
class Vocabulary:
    """An ordered list of token strings; the id of a token is its index.

    Args:
        tokens: unique strings.
        begin: the token that begins every game.
        end: the token that ends every game.
        pad: the token that fills rows of a batch; never predicted, never in a token file.
        results: PGN result -> its one token.
        marks: tokens that write check and mate after a move. Outside a spelling they are marks,
            and they can't begin a move.

    >>> v = Vocabulary(("<b>", "<e>", "<p>", "1-0", "e4"), "<b>", "<e>", "<p>", {"1-0": "1-0"}, ())
    >>> v.id_of("e4"), v.string_of(3), v.result_ids
    (4, '1-0', {'1-0': 3})
    """

    tokens: tuple[str, ...]
    begin: str
    end: str
    pad: str
    results: Mapping[str, str]
    marks: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.tokens)) != len(self.tokens):
            raise ValueError("a vocabulary has unique tokens")
        if len(self.tokens) > MAX_VOCABULARY_LEN:
            raise ValueError(f"a vocabulary has at most {MAX_VOCABULARY_LEN} tokens, not {len(self.tokens)}")
        for token in (self.begin, self.end, self.pad, *self.results.values(), *self.marks):
            if token not in self._ids:
                raise ValueError(f"special token {token!r} is not in the vocabulary")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """The id of a token string; KeyError if there is none."""
        return self._ids[token]

    def string_of(self, token_id: int) -> str:
        """The string of an id; IndexError outside the vocabulary."""
        if token_id < 0:
            raise IndexError(token_id)
        return self.tokens[token_id]

    @cached_property
    def begin_id(self) -> int:
        """Id of the token that begins every game."""
        return self._ids[self.begin]

    @cached_property
    def end_id(self) -> int:
        """Id of the token that ends every game."""
        return self._ids[self.end]

    @cached_property
    def pad_id(self) -> int:
        """Id of the filling token."""
        return self._ids[self.pad]

    @cached_property
    def result_ids(self) -> dict[str, int]:
        """PGN result -> id of its token."""
        return {result: self._ids[token] for result, token in self.results.items()}

    @cached_property
    def mark_ids(self) -> frozenset[int]:
        """Ids of the tokens that write check and mate marks."""
        return frozenset(self._ids[token] for token in self.marks)

    @cached_property
    def not_a_move_ids(self) -> frozenset[int]:
        """Ids that can't stand anywhere in a move: begin, end, pad and results."""
        return frozenset({self.begin_id, self.end_id, self.pad_id, *self.result_ids.values()})

    @cached_property
    def not_a_first_token_ids(self) -> frozenset[int]:
        """`not_a_move_ids` and the marks: removed at the first token of a move (METRICS section 1)."""
        return self.not_a_move_ids | self.mark_ids

    def to_json(self) -> dict[str, Any]:
        """A JSON-able twin that `from_json` reads back; tokens stand in the order of their ids."""
        return {
            "format": VOCABULARY_FORMAT,
            "begin": self.begin,
            "end": self.end,
            "pad": self.pad,
            "results": dict(self.results),
            "marks": list(self.marks),
            "tokens": list(self.tokens),
        }

    @classmethod
    def from_json(cls, payload: Any, *, source: str) -> Vocabulary:
        """Read what `to_json` wrote.

        Raises:
            FormatError: not a vocabulary of this format; names `source`.
        """
        found = payload.get("format") if isinstance(payload, dict) else type(payload).__name__
        if found != VOCABULARY_FORMAT:
            raise FormatError(f"{source}: expected {VOCABULARY_FORMAT}, found {found!r}")
        try:
            return cls(
                tokens=_strings(payload["tokens"]),
                begin=str(payload["begin"]),
                end=str(payload["end"]),
                pad=str(payload["pad"]),
                results={str(key): str(value) for key, value in payload["results"].items()},
                marks=_strings(payload["marks"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise FormatError(f"{source}: not a usable vocabulary: {error}") from error

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) over the JSON twin: two vocabularies agree on every id if and only if these agree."""
        text = json.dumps(self.to_json(), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _strings(values: Iterable[Any]) -> tuple[str, ...]:
    out = tuple(values)
    if not all(isinstance(value, str) for value in out):
        raise TypeError("tokens are strings")
    return out
