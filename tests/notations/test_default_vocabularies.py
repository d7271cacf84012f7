"""The vocabularies that ship with the package, and their maker."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer

from chesslm.errors import InputError
from chesslm.files import write_json
from chesslm.game_files import GAMES_FORMAT, SCHEMA
from chesslm.notation.registry import NOTATION_MODULES, RESOURCE_FILES, default_notation, load_notation
from data_prep.defaults import DEFAULTS, main, make_defaults


def games_of(folder: Path, split: str) -> Path:
    """A games folder with two games of one split."""
    rows = [
        {
            "id": str(number),
            "san": san,
            "result": "*",
            "split": split,
            "moves_hash": number,
            "source": "",
            "source_index": 0,
        }
        for number, san in enumerate([["e4", "e5"], ["d4", "d5", "c4"]])
    ]
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "part-00000.parquet")
    parts = [{"file": "part-00000.parquet", "games": 2, "sha256": ""}]
    write_json(folder / "manifest.json", {"format": GAMES_FORMAT, "parts": parts, "games": 2, "games_digest": ""})
    return folder


@pytest.mark.parametrize("name", NOTATION_MODULES)
def test_a_default_vocabulary_loads_and_is_all_that_lies_there(name: str) -> None:
    notation = default_notation(name)
    assert notation.name == name
    for file, content in notation.resources().items():
        assert (DEFAULTS / name / file).read_bytes() == content
    assert {path.name for path in (DEFAULTS / name).iterdir()} == set(notation.resources()) <= set(RESOURCE_FILES)


def test_the_maker_writes_a_loadable_folder_for_every_notation(tmp_path: Path) -> None:
    sizes = make_defaults(games_of(tmp_path / "games", "train"), tmp_path / "out")
    assert list(sizes) == list(NOTATION_MODULES)
    for name, size in sizes.items():
        assert len(load_notation(name, tmp_path / "out" / name).vocabulary) == size


def test_the_maker_needs_train_games(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no train games"):
        make_defaults(games_of(tmp_path / "games", "val"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_maker_says_in_one_line_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        main(tmp_path)
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path}: no games folder")
