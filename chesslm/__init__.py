"""chesslm: a laboratory for chess language models. Importing it imports nothing heavy."""

__version__ = "0.1.0"
