"""A trained model as a player.

Knows: the lenient policy (the most probable legal move, or a seeded draw among legal moves) and what a decision tells.
Doesn't know: how probabilities come about (`inference`), matches, or the strict policy, which a match plays by looking
at `Decision.first_choice_move`.
"""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

import chess
import numpy as np

from chesslm.checkpoints import LoadedModel, load_model
from chesslm.first_choice import FirstChoice
from chesslm.hugging_face import HuggingFaceModel, is_hugging_face, load_hugging_face
from chesslm.inference import MoveProbabilities, moves_and_first_choices
from chesslm.model import Decoder
from chesslm.notation import Notation
from chesslm.player import ClosingPlayer, Decision
from chesslm.prefix_reuse import RememberingModel
from chesslm.sampling import check_sampling, drawn, reshaped
from chesslm.token_model import TokenModel


class ModelPlayer(ClosingPlayer):
    """Plays p(move | game) over the legal moves.

    A draw depends on the seed and the game so far, not on what was asked before or together with it, so a match that
    is stopped and resumed, or batched otherwise, plays the same games.

    Args:
        model: what predicts tokens.
        notation: how it writes games.
        name: shown to people.
        temperature: 0 plays the most probable legal move; 1 draws from p renormalised over legal moves.
        top_k: draw among this many most probable legal moves only.
        top_p: of these, draw among the fewest that together reach this share.
        seed: of the draws.
        loaded: the checkpoint it comes from, if any.

    Raises:
        ValueError: a sampling parameter is out of range.
    """

    def __init__(
        self,
        model: TokenModel | Decoder,
        notation: Notation,
        *,
        name: str,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        loaded: LoadedModel | None = None,
    ) -> None:
        check_sampling(temperature, top_k, top_p)
        self.name = name
        self.notation = notation
        self.loaded = loaded
        self._model = RememberingModel(model) if isinstance(model, Decoder) else model
        # What is remembered of games serves one question at a time.
        self._lock = threading.Lock()
        self._temperature = temperature
        self._top_k = top_k
        self._top_p = top_p
        self._seed = seed

    def close(self) -> None:
        """Give back the memory of the games it was asked about."""
        if isinstance(self._model, RememberingModel):
            with self._lock:
                self._model.forget()

    def choose_many(self, boards: Sequence[chess.Board]) -> list[Decision]:
        """A decision for each board, in order, from one reading of each game.

        Raises:
            GameTooLong: a game leaves no room in the model's context, or has no token for its move number.
            UnsupportedPosition: a game didn't begin at the start position.
            ValueError: a game is over: there is no legal move.
        """
        return [
            self._decide(board, probabilities, choice, probabilities.moves)
            for board, (probabilities, choice) in zip(boards, self._answers(boards), strict=True)
        ]

    def choose_among(self, board: chess.Board, moves: Collection[chess.Move]) -> Decision:
        """A decision whose move is one of these (by the same policy, as if no other were legal); the rest is unchanged.

        Raises:
            GameTooLong, UnsupportedPosition: as `choose_many`.
            ValueError: none of these moves is legal.
        """
        if not any(move in moves for move in board.legal_moves):
            raise ValueError(f"none of the moves to choose among is legal in {board.fen()}")
        ((probabilities, choice),) = self._answers([board])
        return self._decide(board, probabilities, choice, moves)

    def with_policy(
        self, *, temperature: float = 0.0, top_k: int | None = None, top_p: float | None = None, seed: int = 0
    ) -> ModelPlayer:
        """The same model under another policy; the two share what they remember of games.

        Raises:
            ValueError: a sampling parameter is out of range.
        """
        check_sampling(temperature, top_k, top_p)
        other = copy.copy(self)
        other._temperature, other._top_k, other._top_p, other._seed = temperature, top_k, top_p, seed
        return other

    def _answers(self, boards: Sequence[chess.Board]) -> list[tuple[MoveProbabilities, FirstChoice]]:
        for board in boards:
            if not any(board.legal_moves):
                raise ValueError(f"no legal move in {board.fen()}")
        with self._lock:
            return moves_and_first_choices(self._model, self.notation, boards)

    def _decide(
        self,
        board: chess.Board,
        probabilities: MoveProbabilities,
        choice: FirstChoice,
        allowed: Collection[chess.Move],
    ) -> Decision:
        ranked = sorted(
            zip(probabilities.moves, probabilities.logprobs, strict=True), key=lambda pair: (-pair[1], pair[0].uci())
        )
        logprobs = np.array([logprob for _, logprob in ranked])
        among = np.array([index for index, (move, _) in enumerate(ranked) if move in allowed])
        return Decision(
            move=ranked[among[self._pick(board, logprobs[among])]][0],
            first_choice=choice.text,
            first_choice_move=choice.move,
            legal_mass=probabilities.legal_mass,
            candidates=tuple((move, float(p)) for (move, _), p in zip(ranked, np.exp(logprobs), strict=True)),
            error_kind=choice.error_kind,
        )

    def _pick(self, board: chess.Board, logprobs: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
        if self._temperature == 0.0 or not np.isfinite(logprobs[0]):
            return 0
        weights = reshaped(logprobs, temperature=self._temperature, top_k=self._top_k, top_p=self._top_p)
        moves = " ".join(move.uci() for move in board.move_stack)
        return drawn(weights, random.Random(f"{self._seed}|{moves}").random())


def load_player(
    name_or_path: str | Path,
    *,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    device: str = "auto",
) -> ModelPlayer:
    """A player from a checkpoint folder, a run folder, a shipped name, or a Hugging Face model (`hf:…`).

    Raises:
        InputError, FormatError: there is no such model, or its files are corrupt.
        MissingToolError: a Hugging Face model, and `transformers` isn't installed.
        ValueError: a sampling parameter is out of range.
    """
    loaded: LoadedModel | HuggingFaceModel
    if is_hugging_face(name_or_path):
        loaded = load_hugging_face(str(name_or_path), device=device)
    else:
        loaded = load_model(name_or_path, device=device)
    return ModelPlayer(
        loaded.model,
        loaded.notation,
        name=loaded.name,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        loaded=loaded if isinstance(loaded, LoadedModel) else None,
    )
