"""What stands around the plies in every notation: begin, plies, result, end.

Knows: how the plies and the result are taken out of a whole game's tokens.
Doesn't know: how a ply is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from chesslm.errors import FormatError
from chesslm.vocabulary import Vocabulary


def plies_and_result(name: str, vocabulary: Vocabulary, ids: Sequence[int]) -> tuple[list[int], str]:
    """What stands between begin and result, and the result.

    Args:
        name: of the notation, for errors.
        vocabulary: its tokens.
        ids: of a game.

    Raises:
        FormatError: the frame isn't whole, or a token among the plies can't stand in one.
    """
    results = {token_id: result for result, token_id in vocabulary.result_ids.items()}
    if len(ids) < 3 or ids[0] != vocabulary.begin_id or ids[-1] != vocabulary.end_id:
        raise FormatError(f"not a whole {name} game: it needs a begin, a result and an end token")
    if ids[-2] not in results:
        raise FormatError(f"not a whole {name} game: no result stands before the end token")
    plies = list(ids[1:-2])
    for place, token_id in enumerate(plies, start=1):
        if not 0 <= token_id < len(vocabulary) or token_id in vocabulary.not_a_move_ids:
            raise FormatError(f"not a {name} game: token {token_id} can't stand at place {place}")
    return plies, results[ids[-2]]
