"""From a PGN dump to token files: download, decompress, filter, replay, tokenise. No torch here."""
