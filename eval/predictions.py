"""What models said, position by position, as a Parquet file from which anybody can compute every number again.

Knows: the format `chesslm-predictions/1`: its columns, and the provenance in its metadata.
Doesn't know: how a position is measured (`chesslm.measures`).

A row is one model's answer to one position:

    model                 label of the model
    part                  all (the held-out sample), or a suite's class
    game_id, ply          the position stands before ply 0 ... of this game
    fen, moves_before     the position, and the SAN of the plies before it
    true_move             SAN of the game's move
    legal_moves           SAN of every legal move
    legal_logprobs        ln p(move | game) of each (METRICS section 1)
    first_choice          what was written greedily and unmasked, as text
    first_choice_move     SAN of the legal move that it reads as; null if it is none
    error_kind            why not (METRICS section 2.8); null for a legal move
    first_choice_tolerant what python-chess's own reader says; null where the notation isn't SAN-like
    end_mass, mark_right  METRICS section 1; null where the vocabulary has no results, or no marks
    groups                class, moved piece and phase (`position_classes.GROUPS`)

So first_choice_legal is the share of rows with a first_choice_move, legal_mass the mean of the sum of
exp(legal_logprobs), and move_nats the mean of minus the logprob at true_move's place in legal_moves. The key `chesslm`
of the schema's metadata holds JSON: format, version, commit, seed, the games' digest, the suite, and the models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chesslm.errors import FormatError, InputError
from chesslm.files import write_whole
from chesslm.inference import AnsweredPosition, Position
from eval.contenders import Contender
from eval.position_classes import groups_of
from eval.records import Results

PREDICTIONS_FORMAT = "chesslm-predictions/1"

SCHEMA = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("game_id", pa.string(), nullable=False),
        pa.field("ply", pa.int32(), nullable=False),
        pa.field("fen", pa.string(), nullable=False),
        pa.field("moves_before", pa.list_(pa.string()), nullable=False),
        pa.field("true_move", pa.string(), nullable=False),
        pa.field("legal_moves", pa.list_(pa.string()), nullable=False),
        pa.field("legal_logprobs", pa.list_(pa.float64()), nullable=False),
        pa.field("first_choice", pa.string(), nullable=False),
        pa.field("first_choice_move", pa.string()),
        pa.field("error_kind", pa.string()),
        pa.field("first_choice_tolerant", pa.bool_()),
        pa.field("end_mass", pa.float64()),
        pa.field("mark_right", pa.bool_()),
        pa.field("groups", pa.list_(pa.string()), nullable=False),
    ]
)


class Predictions:
    """Collects what models say, packed as it comes, and writes it whole at the end."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []

    def take(
        self, contender: Contender, part: str, positions: Sequence[Position], answers: Sequence[AnsweredPosition]
    ) -> None:
        """Add a row a position (what `legality.measured` tells)."""
        rows = [
            _row(contender.label, part, position, answer) for position, answer in zip(positions, answers, strict=True)
        ]
        self._batches.append(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))

    def write(self, path: Path, results: Results) -> None:
        """Write the file.

        Args:
            path: replaced if it exists.
            results: of the same measurement: what the rows were measured on, and with.

        Raises:
            OutputError: no room, no permission; names the file.
        """
        provenance = {
            "format": PREDICTIONS_FORMAT,
            "chesslm_version": results.chesslm_version,
            "commit": results.commit,
            "seed": results.seed,
            "games": results.games.model_dump(mode="json"),
            "suite": results.suite.model_dump(mode="json") if results.suite else None,
            "models": [model.model_dump(mode="json") for model in results.models],
        }
        schema = SCHEMA.with_metadata({"chesslm": json.dumps(provenance)})
        table = pa.Table.from_batches(self._batches, schema=SCHEMA).cast(schema)
        write_whole(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_predictions(path: Path) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """The provenance and the rows of a file that `Predictions` wrote.

    Raises:
        InputError: missing or not Parquet.
        FormatError: Parquet of another kind; names the file.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet file: {error}") from error
    metadata = table.schema.metadata or {}
    provenance = json.loads(metadata.get(b"chesslm", b"{}"))
    if provenance.get("format") != PREDICTIONS_FORMAT:
        raise FormatError(f"{path}: expected {PREDICTIONS_FORMAT}, found {provenance.get('format')!r}")
    return provenance, iter(table.to_pylist())


def _row(label: str, part: str, position: Position, answer: AnsweredPosition) -> dict[str, Any]:
    board, choice, measure = answer.board, answer.first_choice, answer.measure
    return {
        "model": label,
        "part": part,
        "game_id": measure.game_id,
        "ply": position.ply,
        "fen": board.fen(),
        "moves_before": list(position.game.san[: position.ply]),
        "true_move": position.game.san[position.ply],
        "legal_moves": [board.san(move) for move in answer.probabilities.moves],
        "legal_logprobs": list(answer.probabilities.logprobs),
        "first_choice": choice.text,
        "first_choice_move": None if choice.move is None else board.san(choice.move),
        "error_kind": choice.error_kind,
        "first_choice_tolerant": choice.tolerant_legal,
        "end_mass": measure.end_mass,
        "mark_right": measure.mark_right,
        "groups": list(groups_of(board, answer.true_move, position.ply)),
    }
