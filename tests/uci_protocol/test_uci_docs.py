"""What docs/ says of the engine is so."""

from __future__ import annotations

import re
from pathlib import Path

from play.uci_options import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_table_has_all_options_with_their_types_and_defaults() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\S+) \|", (DOCS / "uci.md").read_text(encoding="utf-8"), re.MULTILINE)
    declared = [line.split() for line in Settings().declared()]
    expected = [(words[2], words[4], words[6]) for words in declared]
    assert [(name, kind, "<empty>" if name == "Model" else default) for name, kind, default in rows] == expected


def test_the_bots_configuration_names_only_options_that_there_are() -> None:
    text = (DOCS / "lichess-bot.yml").read_text(encoding="utf-8")
    block = text.split("uci_options:")[1].split("draw_or_resign:")[0]
    settings = Settings()
    for name, value in re.findall(r"^    (\w+): (\S+)$", block, re.MULTILINE):
        settings = settings.with_option(name, value)
    assert settings == Settings(temperature=0.7, top_p=0.95, threads=1)
