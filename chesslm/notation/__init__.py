"""Notations: one module each, all behind the `Notation` protocol, loaded through the registry."""

from chesslm.notation.base import EncodedGame, Notation

__all__ = ["EncodedGame", "Notation"]
