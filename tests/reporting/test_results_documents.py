"""Results files of one document, and files that grow by one document a line."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from chesslm.errors import InputError, OutputError
from eval.command import check_output
from eval.documents import append_document, read_documents, write_document

FIRST, SECOND = {"format": "chesslm-test/1", "n": 1}, {"format": "chesslm-test/1", "n": 2}


def documents(path: Path) -> list[object]:
    return [document for _, document in read_documents(path)]


def test_a_json_file_holds_the_last_document_and_a_jsonl_file_all(tmp_path: Path) -> None:
    for name in ("one.json", "deeper/all.jsonl"):
        for document in (FIRST, SECOND):
            write_document(tmp_path / name, document)
    assert documents(tmp_path / "one.json") == [SECOND]
    assert documents(tmp_path / "deeper" / "all.jsonl") == [FIRST, SECOND]
    assert [where for where, _ in read_documents(tmp_path / "deeper" / "all.jsonl")][1].endswith("all.jsonl, result 2")


def test_a_torn_last_line_is_dropped_by_the_reader_and_by_the_next_writer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "all.jsonl"
    append_document(path, FIRST)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"format": "chess')
    with caplog.at_level(logging.WARNING):
        assert documents(path) == [FIRST]
        append_document(path, SECOND)
    assert caplog.text.count("dropped a torn last line") == 2
    assert path.read_bytes() == whole + json.dumps(SECOND).encode() + b"\n"


def test_a_last_line_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps(FIRST), encoding="utf-8")
    append_document(path, SECOND)
    assert documents(path) == [FIRST, SECOND]


def test_a_torn_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(f'{{"format\n{json.dumps(FIRST)}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"all\.jsonl, line 1"):
        documents(path)


def test_nothing_is_appended_to_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text("my notes", encoding="utf-8")
    with pytest.raises(OutputError, match=r"notes\.jsonl: exists already and holds no results"):
        append_document(path, FIRST)
    with pytest.raises(OutputError, match=r"notes\.jsonl: exists already and holds no results"):
        check_output(path, force=False)
    assert path.read_text(encoding="utf-8") == "my notes"
    with pytest.raises(OutputError, match="can't read"):
        append_document(tmp_path, FIRST)


def test_an_existing_file_of_results_may_grow_but_not_be_replaced(tmp_path: Path) -> None:
    for name in ("all.jsonl", "one.json"):
        write_document(tmp_path / name, FIRST)
    check_output(tmp_path / "all.jsonl", force=False)
    with pytest.raises(OutputError, match="exists already"):
        check_output(tmp_path / "one.json", force=False)


def test_a_disk_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "all.jsonl"
    append_document(path, FIRST)
    before = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match="No space left"):
        append_document(path, SECOND)
    assert path.read_bytes() == before
