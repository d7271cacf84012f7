"""Completion, teacher-forced: games in which every first choice on one side's plies is legal (METRICS section 2.5).

Knows: which side of a game is asked for, and that a game is over at its first illegal choice.
Doesn't know: how a move is written token by token (`written_moves`), or games that a model writes (`free_running`).

The true game stands before every choice. Games are followed ply by ply, many at once; what was read before a ply is
not read again, and a game that is broken is asked no more, so weak models are quick to measure.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import chess
import numpy as np

from chesslm.errors import MoveTextError
from chesslm.game import Game
from chesslm.model import Decoder
from chesslm.move_scores import check_fits
from chesslm.notation import EncodedGame
from chesslm.prefix_reuse import RememberingModel
from chesslm.token_model import TokenModel
from eval.aggregation import Aggregator, mean_of
from eval.comparison import Column, Compared, compared, whole
from eval.contenders import Contender
from eval.positions import Progress, silent
from eval.records import WHOLE_GAMES
from eval.written_moves import Floats, write_moves

GAMES_AT_ONCE = 32


def side_of(game: Game, seed: int) -> chess.Color:
    """The side that is asked for: a fair coin that knows the game; White where Black has no ply."""
    coin = random.Random(f"completion|{seed}|{' '.join(game.san)}").random() < 0.5
    return chess.WHITE if coin or len(game.san) < 2 else chess.BLACK


def completed(contender: Contender, games: Sequence[Game], *, seed: int, progress: Progress = silent) -> list[bool]:
    """For each game whether every first choice on its side is legal.

    Raises:
        GameTooLong: a game doesn't fit into the model's context.
    """
    found: dict[int, bool] = {}
    # Games of one batch are about equally long, so that it doesn't thin out.
    order = sorted(range(len(games)), key=lambda index: len(games[index].san))
    for start in range(0, len(order), GAMES_AT_ONCE):
        progress(f"{contender.label}, completion", start, len(games))
        batch = order[start : start + GAMES_AT_ONCE]
        found.update(zip(batch, _followed(contender, [games[index] for index in batch], seed), strict=True))
    progress(f"{contender.label}, completion", len(games), len(games))
    return [found[index] for index in range(len(games))]


def measure_completion(
    aggregator: Aggregator,
    contenders: Sequence[Contender],
    games: Sequence[Game],
    *,
    seed: int,
    progress: Progress = silent,
) -> Compared:
    """Follow every model through the games."""
    subsets = (whole(WHOLE_GAMES, len(games)),)
    columns = {
        contender.label: [
            Column(
                mean_of(
                    "completion_legal",
                    np.array(completed(contender, games, seed=seed, progress=progress), dtype=np.float64),
                ),
                subsets,
            )
        ]
        for contender in contenders
    }
    return compared(aggregator, contenders, columns)


class _Followed:
    """A game on its way: the board before the ply that is asked about next."""

    def __init__(self, game: Game, written: EncodedGame, side: chess.Color) -> None:
        self.board = chess.Board()
        self.is_whole = True
        self._game = game
        self._written = written
        if side == chess.BLACK:
            self.board.push_san(game.san[0])

    @property
    def ply(self) -> int:
        return len(self.board.move_stack)

    @property
    def is_over(self) -> bool:
        return not self.is_whole or self.ply >= len(self._game.san)

    @property
    def prompt(self) -> list[int]:
        return self._written.ids[: self._written.spans[self.ply][0]]

    def go_on(self) -> None:
        """Two plies, to the same side's next."""
        for san in self._game.san[self.ply : self.ply + 2]:
            self.board.push_san(san)


def _followed(contender: Contender, games: Sequence[Game], seed: int) -> list[bool]:
    notation, vocabulary = contender.notation, contender.notation.vocabulary
    model: TokenModel = RememberingModel(contender.model) if isinstance(contender.model, Decoder) else contender.model
    followed = [_Followed(game, notation.encode_game(game), side_of(game, seed)) for game in games]
    not_first, never = sorted(vocabulary.not_a_first_token_ids), sorted(vocabulary.not_a_move_ids)

    def greedy(_place: int, is_first: bool, logits: Floats) -> int:
        logits[not_first if is_first else never] = -np.inf
        return int(logits.argmax())

    while going_on := [game for game in followed if not game.is_over]:
        prompts = [game.prompt for game in going_on]
        for prompt in prompts:
            check_fits(model, prompt)
        reading = model.read(prompts)
        first = reading.logits(range(len(prompts)), [len(prompt) - 1 for prompt in prompts])
        texts = write_moves(reading, first, notation, [game.board for game in going_on], greedy)
        for game, text in zip(going_on, texts, strict=True):
            try:
                notation.read(game.board, text)
            except MoveTextError:
                game.is_whole = False
            else:
                game.go_on()
    return [game.is_whole for game in followed]
