"""A match: many games at once, so that a model reads them in one batch.

Knows: blocks of games that are played side by side, whose turn it is, and that a failure costs a game and no more.
Doesn't know: who the players are (`match_seats`), where games are kept (`match_log`), ratings.

A block is played from its first move to its last, together, and nothing from another block is mixed in: what a batch
holds decides the last digits of a model's probabilities. A match that was stopped plays unfinished blocks again as a
whole, so it makes the same decisions; games that are kept already are left as they are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from eval.adjudication import Adjudicator
from eval.match_game import Fixture, OpenGame, PlayedGame
from eval.match_seats import Contestant, Seats, Trouble

BLOCK_LEN = 64
"""Games that are played side by side."""

MAX_PLIES = 200

OnGame = Callable[[PlayedGame, str], None]


def play_fixtures(
    fixtures: Iterable[Fixture],
    contestants: Mapping[str, Contestant],
    *,
    seats: Seats,
    adjudicator: Adjudicator,
    max_plies: int,
    kept: Collection[int],
    on_game: OnGame,
) -> None:
    """Play all games that aren't kept yet.

    Args:
        fixtures: in order.
        contestants: by label.
        seats: their players; those of the last block are left open.
        adjudicator: for games that can't go on; left open.
        max_plies: length at which a game is adjudicated, the opening included.
        kept: numbers of games that were played before.
        on_game: gets each game and its PGN as it ends.
    """
    for block in blocks(fixtures):
        if all(fixture.number in kept for fixture in block):
            continue
        # What a model remembers of the games before would decide last digits, too.
        seats.close()
        for game in _play_block(block, contestants, seats, adjudicator, max_plies):
            assert game.ended is not None
            if game.fixture.number not in kept:
                on_game(game.ended, game.pgn())


def blocks(fixtures: Iterable[Fixture]) -> Iterable[Sequence[Fixture]]:
    """The games that are played side by side."""
    fixtures = iter(fixtures)
    while block := tuple(itertools.islice(fixtures, BLOCK_LEN)):
        yield block


def _play_block(
    block: Sequence[Fixture],
    contestants: Mapping[str, Contestant],
    seats: Seats,
    adjudicator: Adjudicator,
    max_plies: int,
) -> Iterable[OpenGame]:
    """Games as they end."""
    playing = [OpenGame(fixture, max_plies) for fixture in block]
    while playing:
        # Those that answer one board after the other first: then as many games as possible wait for the models' batch.
        waiting = _waiting([game for game in playing if not contestants[game.mover].is_batched], contestants)
        for games in waiting or _waiting(playing, contestants):
            _move(games, contestants, seats)
        for game in playing:
            if game.needs_verdict is not None:
                game.adjudicate(adjudicator.judge(game.board))
            if game.ended is not None:
                yield game
        playing = [game for game in playing if game.ended is None]


def _waiting(games: Sequence[OpenGame], contestants: Mapping[str, Contestant]) -> list[list[OpenGame]]:
    """Games that wait for the same player, together."""
    groups: dict[tuple[str, int], list[OpenGame]] = {}
    for game in games:
        groups.setdefault((contestants[game.mover].player, game.fixture.cycle), []).append(game)
    return list(groups.values())


def _move(games: Sequence[OpenGame], contestants: Mapping[str, Contestant], seats: Seats) -> None:
    """One ply in each of these games, which wait for one player."""
    answers = seats.ask(contestants[games[0].mover], games[0].fixture.cycle, [game.board for game in games])
    for game, answer in zip(games, answers, strict=True):
        if not isinstance(answer, Trouble):
            game.play(answer, strict=contestants[game.mover].is_strict)
        elif answer.kind == "game too long":
            game.give_up()
        else:
            game.fail(answer.text)
