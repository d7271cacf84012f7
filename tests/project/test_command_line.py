"""The `chesslm` command: every failure is one line that names it, and the exit code says whose it is."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from chesslm import cli
from chesslm.errors import InputError

app = typer.Typer(help="A command that fails in every way.")


@app.command()
def fail(how: str, number: int = 0) -> None:
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "user":
        raise InputError("no \x1b[31m such\nfile")
    if how == "bug":
        raise ZeroDivisionError(number)
    if how == "long name":
        Path("x" * 300).touch()
    if how == "bare":
        raise OSError("something about a device")
    if how == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if how == "pipe":
        reading, writing = os.pipe()
        os.close(reading)
        try:
            os.write(writing, b"x")
        finally:
            os.close(writing)
    if how == "exit":
        sys.exit(number)
    if how == "typer exit":
        raise typer.Exit(number)
    if how == "say and exit":
        sys.exit("said on the way out")


@pytest.fixture(autouse=True)
def one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    points = (EntryPoint("fail", f"{__name__}:app", cli.GROUP),)
    monkeypatch.setattr(EntryPoint, "load", lambda self: app)
    monkeypatch.setattr(cli, "entry_points", lambda group: points)


def test_done_is_zero() -> None:
    assert cli.main(["fail", "not"]) == 0


def test_a_user_mistake_is_one_printable_line_and_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fail", "user"]) == 2
    assert capsys.readouterr().err == "chesslm: no ?[31m such file\n"


@pytest.mark.parametrize("arguments", [[], ["x", "--number", "two"], ["x", "--colour", "red"], ["x", "y"]])
def test_wrong_usage_is_one_line_and_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fail", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "chesslm fail --help" in said


def test_an_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fail", "interrupt"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_of_ours_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.main(["fail", "bug"])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("long name", f"chesslm: {'x' * 300}: File name too long\n"),
        ("bare", "chesslm: something about a device\n"),
        ("disk", "chesslm: No space left on device\n"),
        ("say and exit", "chesslm: said on the way out\n"),
    ],
)
def test_an_operating_system_error_is_one_line_and_two(how: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fail", how]) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("how", ["exit", "typer exit"])
@pytest.mark.parametrize("code", [0, 2, 3])
def test_an_exit_keeps_its_code(how: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fail", how, "--number", str(code)]) == code
    assert capsys.readouterr().err == ""


def test_another_broken_pipe_is_a_bug_of_ours_with_or_without_an_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stderr", sys.stderr)  # typer replaces both
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(BrokenPipeError):
        cli.main(["fail", "pipe"])
    with (tmp_path / "out").open("w", encoding="utf-8") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(BrokenPipeError):
            cli.main(["fail", "pipe"])


def test_a_file_name_that_is_too_long_is_one_line() -> None:
    for arguments in (["verify", "x" * 300], ["stats", "x" * 300], ["prepare", "x" * 300, "--out", "y" * 300]):
        done = subprocess.run(
            [sys.executable, "-m", "chesslm.cli", "data", *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert "File name too long" in done.stderr
        assert done.stderr.count("\n") == 1


def test_an_unknown_command_names_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["chess"]) == 2
    assert "known: fail" in capsys.readouterr().err


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "fail     A command that fails in every way." in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("chesslm ")


def test_a_reader_that_goes_away_is_no_failure() -> None:
    command = f"{sys.executable} -m chesslm.cli data --help | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
