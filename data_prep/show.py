"""`chesslm data show`: one game, ply by ply, as text and as tokens.

Knows: where a shown game may come from, and which tokens belong to which ply.
Doesn't know: any notation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import chess
from rich.table import Table
from rich.text import Text

from chesslm.errors import InputError
from chesslm.game import Game, replay
from chesslm.game_files import games_folder, read_games
from chesslm.notation import Notation
from chesslm.notation.registry import default_notation, load_notation
from data_prep.decompress import TextInput
from data_prep.filters import settle_result
from data_prep.games import read_raw_games
from data_prep.replay import Rejected, replay_movetext
from data_prep.tables import printable

_FILE_SUFFIXES = (".pgn", ".zst", ".gz", ".bz2")


@dataclass(frozen=True, slots=True)
class ShownGame:
    """A game to show.

    Args:
        game: moves and result.
        title: players and event; hostile text.
    """

    game: Game
    title: str


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A stretch of a game's tokens.

    Args:
        label: `begin`, the move in SAN with its number, the result, or `end`.
        text: what a person reads.
        tokens: token strings with their ids.
        spelling: which of the tokens settle the move, half-open; empty outside plies.
    """

    label: str
    text: str
    tokens: tuple[tuple[str, int], ...]
    spelling: range


def find_game(source: str, index: int) -> ShownGame:
    """The game that a user named: a prepared folder's or a PGN file's game number `index`, or movetext itself.

    Raises:
        InputError: no such game, or it can't be replayed; names the move.
    """
    path = Path(source)
    if _is_folder(path):
        row = next(islice(read_games(games_folder(path)), index, None), None)
        if row is None:
            raise InputError(f"{source}: no game number {index}")
        return ShownGame(row.game, f"game {row.game.id}")
    if path.suffix in _FILE_SUFFIXES or _is_file(path):
        raw = next(islice(read_raw_games(TextInput(source).blocks()), index, None), None)
        if raw is None:
            raise InputError(f"{source}: no game number {index}")
        names = [raw.headers.get(tag, "?") for tag in ("White", "Black", "Event", "Date")]
        return _replayed(raw.movetext, raw.headers.get("Result"), source, "{} - {}, {}, {}".format(*names))
    return _replayed(source.encode(errors="replace"), None, "the moves given", "")


def notation_for(name: str, source: str, vocabulary: Path | None) -> Notation:
    """A notation with the vocabulary asked for, else the prepared folder's own, else the default one.

    Raises:
        ConfigError: unknown name.
        FormatError: the folder has no vocabulary of this notation.
    """
    if vocabulary is not None:
        return load_notation(name, vocabulary)
    path = Path(source)
    if _is_folder(path):
        tokens = games_folder(path).parent / "tokens" / name
        if tokens.is_dir():
            return load_notation(name, tokens)
    return default_notation(name)


def parts_of(notation: Notation, game: Game) -> list[ShownPart]:
    """A game's tokens in order, ply by ply; joined they are all of `encode_game`'s."""
    encoded = notation.encode_game(game)
    board = chess.Board()
    parts = [_part(notation, "begin", encoded.ids[:1], range(0))]
    first = 1
    for san, move, (start, end) in zip(game.san, replay(game), encoded.spans, strict=True):
        last = end + len(notation.follow(board, move))
        number = f"{board.fullmove_number}{'.' if board.turn else '...'}"
        parts.append(_part(notation, f"{number} {san}", encoded.ids[first:last], range(start - first, end - first)))
        board.push(move)
        first = last
    parts.append(_part(notation, game.result, encoded.ids[first:-1], range(0)))
    parts.append(_part(notation, "end", encoded.ids[-1:], range(0)))
    return parts


def game_table(notation: Notation, shown: ShownGame) -> Table:
    """Text and tokens side by side; the tokens that settle a move are bold."""
    parts = parts_of(notation, shown.game)
    num_tokens = sum(len(part.tokens) for part in parts)
    num_plies = len(shown.game.san)
    rate = f", {num_tokens / num_plies:.2f} a ply" if num_plies else ""
    title = Text.assemble(
        printable(shown.title), "\n" if shown.title else "", f"{notation.name}: {num_tokens} tokens{rate}"
    )
    table = Table("move", "text", "tokens", "ids", title=title, title_justify="left", title_style="")
    for part in parts:
        tokens = Text()
        for place, (string, _) in enumerate(part.tokens):
            tokens.append("|" if place else "", style="dim")
            tokens.append(string.replace(" ", "·"), style="bold" if place in part.spelling else "")
        ids = " ".join(str(token_id) for _, token_id in part.tokens)
        table.add_row(Text(part.label), Text(part.text), tokens, Text(ids))
    return table


def _part(notation: Notation, label: str, ids: Sequence[int], spelling: range) -> ShownPart:
    tokens = tuple((notation.vocabulary.string_of(token_id), token_id) for token_id in ids)
    return ShownPart(label, notation.text(ids), tokens, spelling)


def _replayed(movetext: bytes, result: str | None, source: str, title: str) -> ShownGame:
    outcome = replay_movetext(movetext)
    if isinstance(outcome, Rejected):
        raise InputError(f"{source}: {outcome.reason}: {outcome.detail}")
    settled = settle_result(result, outcome.result)
    if settled is None:
        raise InputError(f"{source}: its headers say {result}, its movetext ends with {outcome.result}")
    return ShownGame(Game("", outcome.san, settled), title)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # movetext is too long for a file name, or has a NUL
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
