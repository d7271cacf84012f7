"""`vocabulary.json`, the file that lies beside token files and checkpoints and says what their ids mean.

Knows: how it is written and read back, and that a computed vocabulary must be the stored one.
Doesn't know: any notation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from chesslm.errors import FormatError
from chesslm.vocabulary import Vocabulary


def vocabulary_bytes(vocabulary: Vocabulary) -> bytes:
    """The content of `vocabulary.json`: one token a line, so that people can read it and diffs stay small."""
    return (json.dumps(vocabulary.to_json(), indent=1, ensure_ascii=False) + "\n").encode()


def read_vocabulary(resources: Mapping[str, bytes], source: str) -> Vocabulary:
    """The vocabulary among resource files.

    Raises:
        FormatError: missing, not JSON, or not a vocabulary; names `source`.
    """
    try:
        payload = json.loads(resources["vocabulary.json"])
    except KeyError as error:
        raise FormatError(f"{source}: no vocabulary.json") from error
    except ValueError as error:
        raise FormatError(f"{source}: vocabulary.json is not JSON: {error}") from error
    return Vocabulary.from_json(payload, source=source)


def require_vocabulary(name: str, computed: Vocabulary, resources: Mapping[str, bytes], source: str) -> Vocabulary:
    """The computed vocabulary of a notation, if it is the one among resource files.

    Raises:
        FormatError: it isn't; names both fingerprints.
    """
    stored = read_vocabulary(resources, source)
    if stored.fingerprint != computed.fingerprint:
        raise FormatError(
            f"{source}: its vocabulary has fingerprint {stored.fingerprint[:12]}, "
            f"but the {name} vocabulary has {computed.fingerprint[:12]}"
        )
    return computed
