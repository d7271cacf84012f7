"""The metrics that this laboratory publishes: names, versions, units, and how each number comes about.

Knows: one definition a name (a number is only comparable with another of the same name, version and policy).
Doesn't know: how a metric is computed (`legality`, `likelihood`) or shown (`tables`, the report).

A changed definition gets a new version here, so that old and new files are never mixed unseen.

>>> METRICS["legal_mass"].title, METRICS["legal_mass"].interval
('legal mass', 'bootstrap')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["rate", "nats", "perplexity", "tokens", "plies", "attempts", "r2"]
Interval = Literal["wilson", "bootstrap", "median"]

GREEDY = (
    "greedy and unmasked, until the move is settled or impossible; "
    "begin, end, padding and result tokens excepted, marks too at the first token"
)
ALL_MOVES = (
    "no decoding: p(move) is summed over the notation's spellings, full softmax; "
    "begin, end, padding, result and mark tokens removed at the first token and the rest renormalised"
)
MOST_PROBABLE_LEGAL = f"argmax over the legal moves of p(move); {ALL_MOVES}"
FULL_SOFTMAX = "no decoding: teacher-forced token probabilities, full softmax, nothing removed"
TEACHER_FORCED_ARGMAX = "argmax at every token that follows from the move, given the true game and move before it"
FREE_RUNNING_TEMPERATURE = 0.7
FREELY = f"both sides sampled token by token, unmasked, temperature {FREE_RUNNING_TEMPERATURE}, seeds 0, 1, …"
RETRY_ATTEMPTS = 5
RETRY = (
    f"up to {RETRY_ATTEMPTS} attempts a turn, each sampled token by token after the move number, nothing removed, at "
    "temperature min(k/5 + 0.001, 0.5), k = 0 ... 4; judged strictly; a written result is a resignation"
)
SQUARE_CLOZE = "no decoding: full softmax after the game and a start square; argmax over the 64 squares"
PIECE_CLOZE = (
    "no decoding: full softmax after the game; for a piece letter or word, argmax over the 64 end squares of "
    "p(quiet move) + p(capture), both without disambiguation"
)

PUZZLE = (
    "the model reads the real game and plays every move of the player's: "
    f"{MOST_PROBABLE_LEGAL}; right are the solution's moves and any checkmate"
)
WHERE_PROBED = "at the last token before the move"
PROBE = (
    f"no decoding: softmax regression on the frozen residual stream {WHERE_PROBED}, trained on other games; "
    "accuracy of its most probable class on test games"
)


# The least and the greatest value that a game can have, for intervals where all games are alike; other scales have no
# ends.
SCALES: dict[Unit, tuple[float, float]] = {"rate": (0.0, 1.0), "attempts": (0.0, float(RETRY_ATTEMPTS))}


@dataclass(frozen=True, slots=True)
class Metric:
    """What a metric's name means.

    Args:
        title: what tables call it.
        unit: rates are in [0, 1]; r2 is a share of explained variance, at most 1; nats and tokens are a ply's, unless
            the name says otherwise.
        interval: how its 95 % interval is made.
        better: which direction is better; None where neither is.
        policy: how the model was asked (the decoding policy).
        version: counts up when the definition changes.
    """

    title: str
    unit: Unit
    interval: Interval
    better: Literal["higher", "lower"] | None
    policy: str
    version: int = 1


# Positions with a mate in one; `mate_in_one_played` is what the players of the games did, for comparison.
TACTICS: dict[str, Metric] = {
    "mate_in_one": Metric("mate in one, lenient move", "rate", "wilson", "higher", MOST_PROBABLE_LEGAL),
    "mate_in_one_first_choice": Metric("mate in one, first choice", "rate", "wilson", "higher", GREEDY),
    "mate_in_one_mass": Metric("mate in one, mass of mating moves", "rate", "bootstrap", "higher", ALL_MOVES),
    "mate_in_one_played": Metric("mate in one, the players", "rate", "wilson", None, "none: the move of the game"),
    "puzzle_solved": Metric("puzzle solved", "rate", "wilson", "higher", PUZZLE),
    "puzzle_first_move": Metric("puzzle, first move right", "rate", "wilson", "higher", PUZZLE),
}

# `detail` is the layer, `best layer` (chosen on validation games), or the baseline `majority class`.
PROBES: dict[str, Metric] = {
    "probe_piece": Metric("probe, piece on a square", "rate", "bootstrap", "higher", PROBE),
    "probe_piece_relative": Metric("probe, piece on a square, mine or yours", "rate", "bootstrap", "higher", PROBE),
    "probe_occupied": Metric("probe, piece on an occupied square", "rate", "bootstrap", "higher", PROBE),
    "probe_turn": Metric("probe, side to move", "rate", "bootstrap", "higher", PROBE),
    "probe_castling": Metric("probe, castling rights", "rate", "bootstrap", "higher", PROBE),
    "probe_check": Metric("probe, in check", "rate", "bootstrap", "higher", PROBE),
    "probe_material": Metric(
        "probe, material balance (R²)",
        "r2",
        "bootstrap",
        "higher",
        "no decoding: ridge regression of pawns' worth (1, 3, 3, 5, 9; White minus Black) on the frozen residual "
        f"stream {WHERE_PROBED}; R² on test games against the mean of the train games",
    ),
    # One row a square in its `detail`, at the layer that is best for `probe_piece`.
    "probe_square": Metric("probe, piece on this square", "rate", "bootstrap", "higher", PROBE),
}

METRICS: dict[str, Metric] = {
    "first_choice_legal": Metric("first choice legal", "rate", "wilson", "higher", GREEDY),
    "first_choice_tolerant": Metric(
        "first choice, tolerant reader",
        "rate",
        "wilson",
        "higher",
        f"{GREEDY}; judged by python-chess parse_san, null moves and moves of the other colour refused",
    ),
    # Of a model in fewer bits: how often its choice is another than the original's, on the same positions.
    "first_choice_changed": Metric(
        "first choice changed by rounding", "rate", "wilson", "lower", f"{GREEDY}; compared as text with the original's"
    ),
    "lenient_move_changed": Metric(
        "lenient move changed by rounding",
        "rate",
        "wilson",
        "lower",
        f"{MOST_PROBABLE_LEGAL}; compared with the original's",
    ),
    "legal_mass": Metric("legal mass", "rate", "bootstrap", "higher", ALL_MOVES),
    "end_mass": Metric(
        "end mass", "rate", "bootstrap", "lower", "no decoding: full softmax where a result could be written"
    ),
    "move_match": Metric("move match", "rate", "wilson", "higher", MOST_PROBABLE_LEGAL),
    "free_move_match": Metric("free move match", "rate", "wilson", "higher", GREEDY),
    "move_nats": Metric("move loss (nats)", "nats", "bootstrap", "lower", ALL_MOVES),
    "mark_accuracy": Metric("mark accuracy", "rate", "wilson", "higher", TEACHER_FORCED_ARGMAX),
    # One row for each kind in its `detail`; rates are of all first choices, so the kinds sum to the illegal rate.
    "error_kind": Metric("illegal first choice", "rate", "wilson", None, GREEDY),
    # `detail` is None for the whole, else one of the parts, which sum to it.
    "text_nats_per_move": Metric("text loss a move (nats)", "nats", "bootstrap", "lower", FULL_SOFTMAX),
    "perplexity_per_token": Metric("perplexity a token", "perplexity", "bootstrap", "lower", FULL_SOFTMAX),
    "perplexity_per_move": Metric("perplexity a move", "perplexity", "bootstrap", "lower", ALL_MOVES),
    "tokens_per_move": Metric("tokens a move", "tokens", "bootstrap", None, "none: counted in the games' text"),
    "free_running_legal": Metric(
        "free-running games without an illegal move", "rate", "wilson", "higher", f"{FREELY}, from the start position"
    ),
    # One row for each number of plies in its `detail`: the survival curve.
    "free_running_survival": Metric(
        "free-running, no illegal move within", "rate", "wilson", "higher", f"{FREELY}, from the start position"
    ),
    "first_illegal_ply": Metric(
        "legal plies before the first illegal one, median",
        "plies",
        "median",
        "higher",
        f"{FREELY}, from the start position; a game without an illegal move counts as 200 plies",
    ),
    "book_castling": Metric(
        "White castles within 10 plies, all legal before",
        "rate",
        "wilson",
        "higher",
        f"{FREELY}, after 1. e4 e5 2. Nf3 Nc6 3. Bc4 Bc5",
    ),
    "retry_no_failure": Metric("retry, turns without a failed attempt", "rate", "wilson", "higher", RETRY),
    "retry_failures": Metric("retry, failed attempts a turn", "attempts", "bootstrap", "lower", RETRY),
    "retry_lost": Metric("retry, turns lost by five failures", "rate", "wilson", "lower", RETRY),
    "retry_resigned": Metric("retry, turns resigned", "rate", "wilson", None, RETRY),
    # `detail` says whose piece is given: the one played, or another.
    "square_cloze_legal_move": Metric("square cloze, LgM", "rate", "wilson", "higher", SQUARE_CLOZE),
    "square_cloze_r_precision": Metric("square cloze, R-precision", "rate", "bootstrap", "higher", SQUARE_CLOZE),
    "square_cloze_exact_move": Metric("square cloze, ExM", "rate", "wilson", "higher", SQUARE_CLOZE),
    "piece_cloze_legal_move": Metric("piece cloze, LgM", "rate", "wilson", "higher", PIECE_CLOZE),
    "piece_cloze_r_precision": Metric("piece cloze, R-precision", "rate", "bootstrap", "higher", PIECE_CLOZE),
    "piece_cloze_exact_move": Metric("piece cloze, ExM", "rate", "wilson", "higher", PIECE_CLOZE),
    "completion_legal": Metric(
        "every first choice on one side legal",
        "rate",
        "wilson",
        "higher",
        f"the true game stands before every move of one side, drawn by a coin; {GREEDY}",
    ),
    **TACTICS,
    **PROBES,
}

TEXT_PARTS: tuple[str, ...] = ("moves", "numbers and separators", "marks", "result")
"""The `detail` of the parts of `text_nats_per_move`."""
