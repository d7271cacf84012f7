"""The plies of a foreign game in tokens: where a prompt ends, a spelling begins and ends, and a mark stands.

Knows: the border that the segmentations of all moves share, and how the tokens of a ply fall to its parts.
Doesn't know: positions, or whole games.

    >>> from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    >>> tokeniser = Tokenizer(models.WordLevel({c: i for i, c in enumerate(" .#+-0123456789=BKNOQRabcdefghx")}))
    >>> tokeniser.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    >>> plies = TextPlies(tokeniser, TextTemplate(text="pgn"), source="example")
    >>> [plies.tokens.text(part) for part in plies.ply(2, "Bb5", "+")]
    [' 2. ', 'Bb5', '+']
"""

from __future__ import annotations

from typing import NamedTuple

from tokenizers import Tokenizer

from chesslm.errors import FormatError, UnsupportedPosition
from chesslm.notation.text_moves import MoveText, SanText, UciText
from chesslm.notation.text_template import Before, TextTemplate
from chesslm.notation.text_tokens import Cut, TokenText

_EXAMPLE = ("e4", "e5", "Nf3", "Nc6", "Bc4", "Nd4", "Nxe5", "Qg5", "Nxf7", "Qxg2", "Rf1", "Qxe4+", "Be2", "Nf3#")
_SHORT_LEN = 4

Ids = tuple[int, ...]


class TextPly(NamedTuple):
    """A ply in tokens: what stands before the move, what settles it, what is left of the mark behind it."""

    before: Ids
    spelling: Ids
    follow: Ids


class Border(NamedTuple):
    """Where a prompt ends.

    Args:
        ids: the tokens before it, of the move's own word.
        overlap: the text of that word between it and the move: a separator that belongs to the move's first token.
    """

    ids: Ids
    overlap: str


class TextPlies:
    """Cuts plies.

    Args:
        tokeniser: foreign.
        template: how games are written.
        source: named in errors.

    Raises:
        FormatError: the tokenizer can't write games in this way; says why.
    """

    def __init__(self, tokeniser: Tokenizer, template: TextTemplate, *, source: str) -> None:
        self.template = template
        self.moves: MoveText = UciText() if template.is_uci else SanText(has_marks=template.marks)
        games = [self.moves.cores_and_marks(_EXAMPLE[:size]) for size in (_SHORT_LEN, len(_EXAMPLE))]
        texts = [template.written([core + mark for core, mark in game]) for game in games]
        self.tokens = TokenText(tokeniser, anchor=self.moves.anchor, examples=texts[:1], source=source)
        self._borders: dict[Before, Border] = {}
        self._starts = frozenset(reference[0] for reference in self.moves.references)
        given = frozenset(f"{template.prefix} .0123456789")
        self._crossing = [
            text
            for text in self.tokens.surfaces
            if text and len(text) > 1 and text[0] in given and text.lstrip("".join(given))[:1] in {"", *self._starts}
        ]
        for game, text in zip(games, texts, strict=True):
            self._check(game, text, source)

    def border(self, ply: int) -> Border:
        """Where the prompt of a ply ends: the last border that the segmentations of all moves share."""
        part = self.template.before(ply)
        found = self._borders.get(part)
        if found is None:
            found = self._borders[part] = self._shared(part)
        return found

    def before(self, ply: int) -> Ids:
        """Tokens of what stands before a ply, up to the border.

        Raises:
            UnsupportedPosition: the tokenizer has none for it.
        """
        part = self.template.before(ply)
        apart = self.tokens.cut(part.apart, is_first=part.is_first)
        if apart is None:
            raise UnsupportedPosition(f"the tokenizer has no tokens for {part.apart!r}")
        return (*apart.ids, *self.border(ply).ids)

    def ply(self, ply: int, core: str, mark: str) -> TextPly:
        """A ply in tokens.

        Raises:
            UnsupportedPosition: the tokenizer has none for it.
        """
        move = self.move(ply, core, mark)
        if move is None:
            raise UnsupportedPosition(f"the tokenizer has no tokens for {core + mark!r} (ply {ply})")
        return TextPly(self.before(ply), *move)

    def move(self, ply: int, core: str, mark: str) -> tuple[Ids, Ids] | None:
        """Spelling and follow of a move; None if the tokenizer has no tokens for it behind the border."""
        part = self.template.before(ply)
        cut = self._word(part, core + mark)
        border = self.border(ply).ids
        if cut is None or cut.ids[: len(border)] != border:
            return None
        settled = len(part.attached) + len(core)
        end = next(place for place, where in enumerate(cut.ends, start=1) if where >= settled)
        return cut.ids[len(border) : end], cut.ids[end:]

    def has_own_marks(self) -> bool:
        """Whether a mark is always one token of its own; also where none is written."""
        for reference in self.moves.references:
            plain = self.move(1, reference, "")
            for mark in self.moves.marks if plain is not None else ():
                marked = self.move(1, reference, mark)
                if marked is None or plain is None or marked[0] != plain[0] or len(marked[1]) != 1:
                    return False
        return True

    def _word(self, part: Before, move: str) -> Cut | None:
        return self.tokens.cut(part.attached + move, is_first=part.is_first and not part.apart)

    def _shared(self, part: Before) -> Border:
        cuts = [(reference, self._word(part, reference)) for reference in self.moves.references]
        known = [(reference, cut) for reference, cut in cuts if cut is not None]
        if not known:
            return Border((), part.attached)
        reference, cut = known[0]
        size = 0
        while (
            size < len(cut.ids)
            and cut.ends[size] <= len(part.attached)
            and all(other.ids[: size + 1] == cut.ids[: size + 1] for _, other in known)
        ):
            size += 1
        while size and self._is_crossed(part.attached, cut.ends[size - 1]):
            size -= 1
        behind = self.tokens.text(cut.ids[size:]) or ""
        return Border(cut.ids[:size], behind.removesuffix(reference))

    def _is_crossed(self, attached: str, border: int) -> bool:
        """Whether some token could hold text on both sides of a border, so that some move's segmentation lacks it."""
        before, overlap = attached[:border], attached[border:]
        for text in self._crossing:
            for size in range(1, min(len(text), border + 1)):
                right = text[size:]
                if before.endswith(text[:size]) and (
                    overlap.startswith(right)
                    or (right.startswith(overlap) and right[len(overlap) :][:1] in self._starts)
                ):
                    return True
        return False

    def _check(self, game: list[tuple[str, str]], text: str, source: str) -> None:
        """Cut a game word by word and whole: the same tokens, or this tokenizer can't be used."""
        try:
            plies = [self.ply(ply, core, mark) for ply, (core, mark) in enumerate(game)]
        except UnsupportedPosition as error:
            if len(game) > _SHORT_LEN:
                return  # a small vocabulary needn't have every move
            raise FormatError(f"{source}: {error}, so it can't write {text!r}") from error
        if [token for ply in plies for part in ply for token in part] != self.tokens.whole(text):
            raise FormatError(f"{source}: its tokenizer has tokens that cross the borders of words in {text!r}")
