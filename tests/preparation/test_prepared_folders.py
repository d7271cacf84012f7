from __future__ import annotations

import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chesslm.files import sha256_file, write_json
from chesslm.game import replay
from chesslm.game_files import SCHEMA, games_digest, read_games
from chesslm.notation.registry import load_notation
from chesslm.token_files import read_token_file, token_files, write_token_file
from data_prep import progress as progress_module
from data_prep.blocks import cut_blocks
from data_prep.config import FiltersSection, PrepareConfig
from data_prep.games import split_games
from data_prep.games_writer import GamesWriter
from data_prep.journal import Journal
from data_prep.manifest import provenance
from data_prep.progress import ProgressLine
from data_prep.rows import SourceBlock, make_rows

Run = Callable[..., Any]
GOLDEN = Path(__file__).parent / "golden.pgn"


@pytest.fixture
def copy(tmp_path: Path, prepared: Path) -> Path:
    """A prepared folder that a test may damage."""
    shutil.copytree(prepared, tmp_path / "copy")
    return tmp_path / "copy"


def rewrite_part(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change rows and make every digest fit again."""
    path = folder / "games/part-00000.parquet"
    rows = pq.read_table(path).to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    manifest = json.loads((folder / "games/manifest.json").read_bytes())
    manifest["parts"][0]["sha256"] = sha256_file(path)
    manifest["games_digest"] = games_digest(manifest["parts"])
    write_json(folder / "games/manifest.json", manifest)
    shutil.rmtree(folder / "tokens")


def change_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads(path.read_bytes())
    change(manifest)
    write_json(path, manifest)


def refused(run: Run, folder: Path, *options: object) -> str:
    done = run("verify", folder, "--full", "--workers", 1, *options)
    assert done.code == 2
    assert done.err.count("\n") == 1
    return str(done.err)


def test_a_whole_folder_is_in_order(run: Run, prepared: Path) -> None:
    done = run("verify", prepared, "--full", "--workers", 1)
    assert (done.code, done.err) == (0, "")
    assert "60 games by digest and count, 60 replayed and decoded from english, pgn" in done.out
    done = run("verify", prepared / "games", "--sample", 7, "--workers", 2)
    assert "60 games by digest and count, 7 replayed" in done.out


def test_a_cut_missing_or_changed_part_is_named(run: Run, copy: Path) -> None:
    part = copy / "games/part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    assert f"{part}: its sha256 is" in refused(run, copy)
    part.unlink()
    assert f"can't read {part}" in refused(run, copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[3].update(san=["e4", "e5", "Ke3"]), "ply 2: illegal san: 'Ke3'"),
        (lambda rows: rows[3].update(san=["e4", "e5", "Ng1f3"]), "ply 2: 'Ng1f3' is not canonical SAN"),
        (lambda rows: rows[3].update(san=["e4", "--"]), "ply 1: '--' is not canonical SAN"),
        (lambda rows: rows[3].update(moves_hash=5), "its moves hash is another one"),
        (lambda rows: rows[3].update(result="2-0"), "'2-0' is no result"),
        (lambda rows: rows.pop(), "59 games, but the manifest says 60"),
        (lambda rows: rows[0].update(split="nowhere"), "its splits don't have the games that it says"),
    ],
)
def test_a_wrong_row_is_named(
    run: Run, copy: Path, change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    rewrite_part(copy, change)
    assert message in refused(run, copy)


def test_a_game_in_the_wrong_split_is_named(run: Run, copy: Path) -> None:
    def swap(rows: list[dict[str, Any]]) -> None:
        train, test = (next(row for row in rows if row["split"] == split) for split in ("train", "test"))
        train["split"], test["split"] = "test", "train"

    rewrite_part(copy, swap)
    assert "it doesn't belong to split" in refused(run, copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest.update(read=61), "its counts don't add up"),
        (lambda manifest: manifest.update(games_digest="0"), "its games digest is not that of its parts"),
        (lambda manifest: manifest.pop("dropped"), "incomplete: KeyError('dropped')"),
        (lambda manifest: manifest.pop("parts"), "incomplete: no parts, or not of type list"),
        (lambda manifest: manifest.pop("games_digest"), "incomplete: no games_digest, or not of type str"),
        (lambda manifest: manifest["parts"][0].pop("file"), "incomplete: no parts[0].file, or not of type str"),
        (lambda manifest: manifest["parts"][0].update(games="x"), "incomplete: no parts[0].games, or not of type int"),
        (lambda manifest: manifest["parts"].append(3), "incomplete: no parts[1].file, or not of type str"),
        (lambda manifest: manifest.pop("config"), "incomplete: needs the numbers config.split.test_per_10000 and"),
        (lambda manifest: manifest["config"].update(split={"test_per_10000": "x"}), "incomplete: needs the numbers"),
        (
            lambda manifest: manifest.update(format="chesslm-games/9"),
            "expected chesslm-games/1, found 'chesslm-games/9'",
        ),
    ],
)
def test_a_wrong_manifest_is_named(
    run: Run, copy: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    change_manifest(copy / "games/manifest.json", change)
    assert f"{copy / 'games/manifest.json'}: {message}" in refused(run, copy)


def test_token_files_that_do_not_fit_are_named(run: Run, copy: Path) -> None:
    folder = copy / "tokens/pgn"
    path = folder / "train-00000.safetensors"
    whole = path.read_bytes()

    def record(manifest: dict[str, Any]) -> None:
        entry = next(entry for entry in manifest["files"] if entry["file"] == path.name)
        entry["sha256"] = sha256_file(path)

    path.write_bytes(whole[:-10])
    assert f"{path}: its sha256 is" in refused(run, copy)
    change_manifest(folder / "manifest.json", record)
    assert f"{path}: not a readable token file" in refused(run, copy)
    path.write_bytes((folder / "val-00000.safetensors").read_bytes())
    change_manifest(folder / "manifest.json", record)
    assert f"{path}: doesn't hold the games of part-00000.parquet" in refused(run, copy)

    content = load_tokens(folder, whole, path)
    vocabulary = load_notation("pgn", folder).vocabulary
    tokens = content.tokens.copy()
    tokens[np.flatnonzero(tokens == vocabulary.id_of("1-0"))] = vocabulary.id_of("0-1")
    changed = type(content)(**{**fields_of(content), "tokens": tokens})
    write_token_file(path, changed, notation="pgn", fingerprint=vocabulary.fingerprint, games_digest=digest(copy))
    change_manifest(folder / "manifest.json", record)
    assert f"{path}: the tokens of game" in refused(run, copy)


def load_tokens(folder: Path, whole: bytes, path: Path) -> Any:
    path.write_bytes(whole)
    return read_token_file(path)


def fields_of(content: Any) -> dict[str, Any]:
    return {name: getattr(content, name) for name in content.__dataclass_fields__}


def digest(folder: Path) -> str:
    return str(json.loads((folder / "games/manifest.json").read_bytes())["games_digest"])


def test_missing_foreign_and_left_over_token_files_are_named(run: Run, copy: Path) -> None:
    folder = copy / "tokens/pgn"
    extra = folder / "train-00007.safetensors"
    shutil.copy(folder / "train-00000.safetensors", extra)
    assert f"{extra}: not in the manifest" in refused(run, copy)
    extra.unlink()
    (folder / "val-00000.safetensors").rename(tmp := copy / "elsewhere")
    assert f"{folder / 'val-00000.safetensors'}: missing" in refused(run, copy)
    tmp.rename(folder / "val-00000.safetensors")
    change_manifest(folder / "manifest.json", lambda manifest: manifest.update(vocabulary_fingerprint="0"))
    assert f"{folder}: its vocabulary is not the one that its manifest names" in refused(run, copy)
    change_manifest(folder / "manifest.json", lambda manifest: manifest.update(games_digest="0"))
    assert f"{folder}: made from games 0, but the games are" in refused(run, copy)
    change_manifest(folder / "manifest.json", lambda manifest: manifest.update(format="tokens"))
    assert "expected chesslm-tokens/1, found 'tokens'" in refused(run, copy)


def test_stats_and_verify_of_something_else_are_one_line(run: Run, tmp_path: Path, copy: Path) -> None:
    for command in ("stats", "verify"):
        done = run(command, tmp_path)
        assert done.code == 2
        assert (
            done.err
            == f"chesslm: {tmp_path}: no games folder (no manifest.json); make one with `chesslm data prepare`\n"
        )
    (copy / "games/part-00000.parquet").write_bytes(b"not Parquet")
    done = run("stats", copy)
    assert done.code == 2
    assert "part-00000.parquet: not a readable Parquet part" in done.err


def test_stats_are_a_table_and_a_picture(run: Run, prepared: Path, tmp_path: Path) -> None:
    done = run("stats", prepared, "--plot", tmp_path / "stats.png")
    assert done.code == 0
    for text in (
        "what became of the games",
        "splits",
        "game length",
        "ratings",
        "first plies",
        "blitz",
        "correspondence",
    ):
        assert text in done.out
    rows = [row.game for row in read_games(prepared / "games")]
    wins = sum(game.result == "1-0" for game in rows)
    assert f"│ 1-0     │ {wins:>5} │ {100 * wins / 60:5.2f} % │" in done.out
    assert (tmp_path / "stats.png").read_bytes()[:4] == b"\x89PNG"
    first = (tmp_path / "stats.png").read_bytes()
    assert run("stats", prepared / "games", "--plot", tmp_path / "stats.png").code == 0
    assert (tmp_path / "stats.png").read_bytes() == first
    done = run("stats", prepared, "--plot", tmp_path / "stats.xyz")
    assert (done.code, done.err) == (
        2,
        f"chesslm: --plot {tmp_path / 'stats.xyz'}: no picture format '.xyz'; try .png or .svg\n",
    )


def test_token_files_hold_exactly_the_games_of_their_split(prepared: Path) -> None:
    for name in ("pgn", "english"):
        notation = load_notation(name, prepared / "tokens" / name)
        for split in ("train", "val", "test"):
            (path,) = token_files(prepared / "tokens" / name, split)
            content = read_token_file(path, fingerprint=notation.vocabulary.fingerprint)
            rows = list(read_games(prepared / "games", split))
            assert content.moves_hashes.tolist() == [row.moves_hash for row in rows]
            for index, row in enumerate(rows):
                encoded = notation.encode_game(row.game)
                assert content.game_tokens(index).tolist() == encoded.ids
                assert [tuple(span) for span in content.game_spans(index).tolist()] == encoded.spans


MUTATIONS = (b"", b"{", b"}", b"(", b")", b"\n\n", b"[", b'"', b"1-0", b"*", b"\0", b"\xff", b"Nf3", b"%", b";", b"x")


@settings(deadline=None, max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(1, 900))
def test_kept_and_dropped_are_all_that_was_read_whatever_the_damage(generator: random.Random, block_len: int) -> None:
    text = bytearray(GOLDEN.read_bytes())
    for _ in range(generator.randrange(40)):
        place = generator.randrange(len(text))
        text[place : place + generator.randrange(3)] = generator.choice(MUTATIONS)
    num_games = sum(1 for _ in split_games([bytes(text)]))
    config = PrepareConfig(filters=FiltersSection(keep_unfinished=True, min_plies=1))
    blocks = [make_rows(SourceBlock(block, "x"), config) for block in cut_blocks([bytes(text)], block_len=block_len)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "games"
        folder.mkdir()
        with GamesWriter(folder, Journal(Path(name), {}), keep_duplicates=False, games_a_part=8) as writer:
            for block in blocks:
                writer.add(block, {})
            manifest = writer.finish()
        assert manifest["read"] == num_games == manifest["kept"] + sum(manifest["dropped"].values())
        write_json(folder / "manifest.json", manifest)
        seen, expected = set(), []
        for block in blocks:
            for row in block.rows.to_pylist():
                if row["moves_hash"] not in seen:
                    seen.add(row["moves_hash"])
                    expected.append((tuple(row["san"]), row["result"], row["moves_hash"]))
        found = [(row.game.san, row.game.result, row.moves_hash) for row in read_games(folder)]
        assert found == expected
        for row in read_games(folder):
            replay(row.game)


def test_progress_tells_rate_and_time_left_in_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(progress_module, "LINE_EVERY_S", 10.0)
    with ProgressLine("games", 1000) as progress:
        progress.show(10, 5)
        now[0] += 20
        progress.show(500, 400)
        now[0] += 1
        progress.show(600, 500)
    assert capsys.readouterr() == ("", "games: 400 games, 20/s, 20 s left\n")


def test_people_without_a_terminal_see_how_far_prepare_and_verify_are(
    run: Run, tmp_path: Path, pgn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "LINE_EVERY_S", 0.0)
    rate = r"[\d,]+ games, [\d,]+/s, [\d,]+ s left"
    done = run("prepare", pgn, "--out", tmp_path / "out", "--set", "data.workers=1")
    assert done.code == 0
    lines = done.err.splitlines()
    for title in ("games", "tokens pgn", "tokens english"):
        assert any(re.fullmatch(f"{title}: {rate}", line) for line in lines), title
    assert not any("games, " in line for line in done.out.splitlines())
    done = run("verify", tmp_path / "out", "--workers", 1)
    assert done.code == 0
    lines = done.err.splitlines()
    for title in ("digests", "replay", "tokens pgn", "tokens english"):
        assert any(re.fullmatch(f"{title}: 60 games, [\\d,]+/s, 0 s left", line) for line in lines), title


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with ProgressLine("games", None) as progress:
        progress.show(10, 5)
    assert "games" in capsys.readouterr().err


def test_provenance_names_versions_and_the_commit_of_a_checkout() -> None:
    fields = provenance()
    assert fields["versions"]["chess"]
    assert fields["commit"] is None or len(fields["commit"].removesuffix("-dirty")) == 40
