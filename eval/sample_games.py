"""Games that a model writes by itself, for the report: the text up to the first illegal move, and that move.

Knows: the policy (unmasked, temperature 0.7, one seed a game, from the start).
Doesn't know: how they are laid out (`report`).
"""

from __future__ import annotations

from dataclasses import dataclass

import chess

from chesslm.checkpoints import LoadedModel
from chesslm.inference import sample_text
from chesslm.written_game import WrittenGame, read_written_game

TEMPERATURE = 0.7
NUM_GAMES = 3
# Far past the first illegal move of any model of this size; keeps the report short.
MAX_PLIES_SHOWN = 60
_TOKENS_A_PLY = 14


@dataclass(frozen=True, slots=True)
class SampleGame:
    """One game as a model wrote it.

    Args:
        seed: of the sampling.
        legal_text: the text of the legal part, in the model's notation.
        illegal_text: the text of the first illegal move; None if there was none.
        error_kind: why it is illegal.
        num_legal_plies: plies before it.
        ending: how the writing ended (`WrittenGame.ending`).
        rest: the text that followed, cut short.
        board_fen: board part of the FEN after the legal part, for drawing.
        last_move: UCI of the last legal move, or None.
    """

    seed: int
    legal_text: str
    illegal_text: str | None
    error_kind: str | None
    num_legal_plies: int
    ending: str
    rest: str
    board_fen: str
    last_move: str | None


def write_sample_games(loaded: LoadedModel, *, num_games: int = NUM_GAMES) -> list[SampleGame]:
    """Let a model write games from the start position, one seed a game, from 0 on."""
    begin = [loaded.notation.vocabulary.begin_id]
    texts = sample_text(
        loaded.model,
        loaded.notation,
        prefixes=[begin] * num_games,
        temperature=TEMPERATURE,
        seeds=list(range(num_games)),
        max_new_tokens=MAX_PLIES_SHOWN * _TOKENS_A_PLY,
    )
    return [_shown(read_written_game(loaded.notation, ids), seed) for seed, ids in enumerate(texts)]


def _shown(game: WrittenGame, seed: int) -> SampleGame:
    board = chess.Board()
    legal = []
    illegal = kind = None
    for ply in game.plies:
        if ply.move is None:
            legal.append(ply.between)
            illegal, kind = ply.text, ply.error_kind
            break
        legal.append(f"{ply.between} {ply.text}")
        board.push(ply.move)
    rest = game.rest if len(game.rest) <= 80 else game.rest[:80] + "…"
    return SampleGame(
        seed=seed,
        legal_text=_tidy(" ".join(legal)),
        illegal_text=None if illegal is None else _tidy(illegal),
        error_kind=kind,
        num_legal_plies=game.num_legal_plies,
        ending=game.ending,
        rest=_tidy(rest),
        board_fen=board.board_fen(),
        last_move=board.peek().uci() if board.move_stack else None,
    )


def _tidy(text: str) -> str:
    """One space between words, none before a full stop or a mark."""
    joined = " ".join(text.split())
    for mark in (".", "+", "#"):
        joined = joined.replace(f" {mark}", mark)
    return joined
