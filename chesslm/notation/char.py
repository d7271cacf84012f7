"""PGN movetext character by character: the baseline of character-level language models (nanoGPT, Chess-GPT).

Knows: the vocabulary (every character that movetext has, and one token a result) and the grammar of a move in it.
Doesn't know: legality (`chesslm.san` judges).

Numbers stand before White's plies; a number, a move with its mark, and a result are set apart by single spaces. A
settled move may be the beginning of a longer one: `O-O` of `O-O-O`, `Qh4` of `Qh4e1`.

    >>> notation = build("char", ())
    >>> encoded = notation.encode_game(Game("", ("e4", "e5", "Qh5", "Nc6", "Bc4", "Nf6", "Qxf7#"), "1-0"))
    >>> notation.text(encoded.ids)
    '<begin>1. e4 e5 2. Qh5 Nc6 3. Bc4 Nf6 4. Qxf7# 1-0<end>'
    >>> [notation.text(encoded.ids[start:end]) for start, end in encoded.spans]
    ['e4', 'e5', 'Qh5', 'Nc6', 'Bc4', 'Nf6', 'Qxf7']
    >>> len(notation.vocabulary)
    38
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import chess
import regex

from chesslm.errors import FormatError, GameTooLong
from chesslm.game import RESULTS, Game
from chesslm.notation.frame import plies_and_result
from chesslm.notation.pgn import MAX_MOVE_NUMBER
from chesslm.notation.san_notation import Ids, SanNotation
from chesslm.notation.stored_vocabulary import require_vocabulary
from chesslm.san import UNREADABLE, fault, judge, parse
from chesslm.vocabulary import Vocabulary

CHARACTERS = " .0123456789abcdefghNBRQKOx+#=-"
_MARKS = ("+", "#")
_IN_MOVES = frozenset("12345678abcdefghNBRQKOx=-")

# SAN without marks, as it grows character by character.
SAN_TEXT = regex.compile(r"O-O(?:-O)?|[NBRQK][a-h]?[1-8]?x?[a-h][1-8]|(?:[a-h][1-8]?x?)?[a-h](?:[2-7]|[18]=[NBRQK])")


def char_vocabulary() -> Vocabulary:
    """3 specials, 4 results, 31 characters."""
    specials = ("<begin>", "<end>", "<pad>")
    return Vocabulary((*specials, *RESULTS, *CHARACTERS), *specials, {result: result for result in RESULTS}, _MARKS)


class CharNotation(SanNotation):
    """Characters of PGN movetext behind the `Notation` protocol."""

    def __init__(self, name: str, vocabulary: Vocabulary) -> None:
        self._ids = {character: vocabulary.id_of(character) for character in CHARACTERS}
        super().__init__(name, vocabulary, {mark: self._written(f"{mark} ") for mark in ("", *_MARKS)})
        self._numbers = [self._written(f"{number}. ") for number in range(1, MAX_MOVE_NUMBER + 1)]
        self._move_ids = frozenset(self._ids[character] for character in _IN_MOVES)

    def _written(self, text: str) -> Ids:
        return tuple(self._ids[character] for character in text)

    def _before(self, ply: int) -> Ids:
        if ply % 2:
            return ()
        if ply // 2 >= MAX_MOVE_NUMBER:
            raise GameTooLong(f"move number {ply // 2 + 1} can't be written; the last is {MAX_MOVE_NUMBER}")
        return self._numbers[ply // 2]

    def _wordings(self, *, is_white: bool, core: str) -> tuple[Ids, ...]:
        del is_white  # both sides write alike
        parts = parse(core)
        if parts is None or parts.mark:
            raise ValueError(f"{core!r} is not SAN")
        return (self._written(core),)

    def _is_settled(self, ids: Sequence[int]) -> bool | None:
        san = self.san_of(ids)
        match = None if san is None else SAN_TEXT.fullmatch(san, partial=True)
        return None if match is None else not match.partial

    def continuations(self, ids: Sequence[int]) -> frozenset[int]:
        """Characters with which a settled move could go on to be another."""
        if self._is_settled(ids) is not True:
            return frozenset()
        return frozenset(token for token in self._move_ids if self._is_settled([*ids, token]) is not None)

    def read(self, board: chess.Board, ids: Sequence[int]) -> chess.Move:
        """The move that ids spell in this position.

        Raises:
            UnreadableMove, AmbiguousMove, IllegalMove: only a text of `spellings` is a move.
        """
        san = self.san_of(ids)
        if san is None:
            raise fault(board, self.text(ids), UNREADABLE)
        return judge(board, san)

    def san_of(self, ids: Sequence[int]) -> str | None:
        """The characters of a spelling joined, unjudged; None if one among them stands in no move."""
        return self.text(ids) if self._move_ids.issuperset(ids) else None

    def text(self, ids: Sequence[int]) -> str:
        """All characters, joined; special tokens in their own spelling."""
        return "".join(self.vocabulary.string_of(token_id) for token_id in ids)

    def decode_game(self, ids: Sequence[int]) -> Game:
        """The inverse of `encode_game`, with an empty id.

        Raises:
            FormatError: the ids are not a whole game of this notation.
        """
        rest, result = plies_and_result(self.name, self.vocabulary, ids)
        words = self.text(rest).split(" ")
        game = Game("", tuple(word for word in words if word and not word.endswith(".")), result)
        try:
            is_same = self.encode_game(game).ids == list(ids)
        except (ValueError, GameTooLong):
            is_same = False
        if not is_same:
            raise FormatError(f"not a {self.name} game: {self.text(rest)[:40]!r} isn't numbered moves one space apart")
        return game


def build(name: str, games: Iterable[Game]) -> CharNotation:
    """The notation; its vocabulary is fixed, so the games are not looked at."""
    del games
    return CharNotation(name, char_vocabulary())


def load(name: str, resources: Mapping[str, bytes], source: str) -> CharNotation:
    """The notation from its resource files.

    Raises:
        FormatError: the stored vocabulary isn't the computed one; names both fingerprints.
    """
    return CharNotation(name, require_vocabulary(name, char_vocabulary(), resources, source))
