"""Names from outside (files, people, regions, words of the command line) are never printed raw."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray

from dtb_cli import app, terminal
from dtb_cli.terminal import LONGEST_MESSAGE, Table
from dtb_runtime.manifest import seal

Run = Callable[..., Any]
ODD = "x\x1b[31mred\n\x9b2J\r\u202egnp[red][link=http://x]"
"""Escape codes in two forms, line breaks, a change of direction, and what rich takes for markup."""
SHOWN = r"x\x1b[31mred\n\x9b2J\r\u202egnp[red][link=http://x]"


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def assert_printable(text: str) -> None:
    """See that a terminal is told nothing but letters and ends of lines."""
    odd = {char for char in text if not char.isprintable() and char != "\n"}
    assert not odd, (odd, text)
    assert "red\n" not in text, text


def without_drawing(text: str) -> str:
    """What rich draws with, taken out: colors and where the cursor is."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


COMMANDS = {
    name: [option for each in command.params for option in each.opts if option.startswith("--")]
    for name, command in typer.main.get_command(app.app).commands.items()  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_odd_words_as_escapes(
    command: str, dtb_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As paths, names, values of each option, and options that there are not."""
    monkeypatch.chdir(tmp_path)
    words = [(ODD,), (ODD,) * 5, (f"--{ODD}",), (f"-{ODD}",), (f"--{ODD}={ODD}",)]
    for option in COMMANDS[command]:
        words.append((ODD, option, ODD))
    for arguments in words:
        done = dtb_run(command, *arguments)
        assert done.code in (0, 1, 2), (arguments, done.err)
        assert_printable(done.out + done.err)
        assert "Traceback" not in done.err
    assert not [path for path in tmp_path.rglob("*") if "red" in path.name]


def test_a_command_that_there_is_not_is_shown_as_escapes(dtb_run: Run) -> None:
    for word in (ODD, f"--{ODD}", f"-{ODD}"):
        done = dtb_run(word)
        assert done.code == 2
        assert_printable(done.err)
        assert "Error: " in done.err
    assert r"x\x1b[31mred" in dtb_run(f"--{ODD}").err


def test_typers_own_line_breaks_stay(dtb_run: Run) -> None:
    done = dtb_run("predict", "--device", "toaster")
    assert done.code == 2
    assert done.err.startswith("Usage: dtb-run predict ")
    assert len(done.err.splitlines()) >= 3


def test_an_odd_name_of_a_connectome(
    dtb_run: Run, tiny: Path, tmp_path: Path, correlations: NDArray[np.float64]
) -> None:
    path = tmp_path / f"{ODD.replace('/', '')}.npy"
    np.save(path, np.eye(7))
    done = dtb_run("predict", path, "--bundle", tiny)
    assert done.code == 1
    assert_printable(done.err)
    assert len(done.err.splitlines()) == 1
    np.save(path, correlations)
    for options in ((), ("--json",)):
        done = dtb_run("predict", path, "--bundle", tiny, "--task", "stroop", *options)
        assert done.code == 0, done.err
        assert_printable(done.out + done.err)


def test_an_odd_name_of_an_output(
    dtb_run: Run, tiny: Path, tmp_path: Path, connectome: Path
) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file" / ODD.replace("/", ""), tmp_path / ODD.replace("/", "")):
        done = dtb_run("predict", connectome, "--bundle", tiny, "--task", "stroop", "--out", out)
        assert_printable(done.out + done.err)
    assert done.code == 0, done.err
    done = dtb_run("predict", connectome, "--bundle", tiny, "--task", "stroop", "--out", out)
    assert done.code == 1
    assert "already" in done.err
    assert_printable(done.err)


def test_odd_people_and_files_of_a_cohort(
    dtb_run: Run, tiny: Path, tmp_path: Path, correlations: NDArray[np.float64]
) -> None:
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    np.save(cohort / "sub-01_connectome.npy", correlations)
    np.save(cohort / f"{ODD.replace('/', '')}.npy", correlations)
    done = dtb_run("score", cohort, "--bundle", tiny, "--out", tmp_path / "out")
    assert_printable(done.out + done.err)
    for path in (tmp_path / "out").glob("*.tsv"):
        text = path.read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert {line.count("\t") for line in text.splitlines()} == {text.split("\n")[0].count("\t")}
    odd = ODD.replace("\n", "").replace("\r", "")
    rows = [f"participant_id\tpath\t{'group'}", f"sub-{odd}\tc.npy\t{odd}", f"sub-02\t{odd}\t{odd}"]
    (tmp_path / "people.tsv").write_text("\n".join(rows), encoding="utf-8")
    done = dtb_run("score", tmp_path / "people.tsv", "--bundle", tiny, "--out", tmp_path / "other")
    assert_printable(done.out + done.err)
    assert_printable(
        (tmp_path / "other" / "cohort.tsv").read_text(encoding="utf-8").replace("\t", "")
    )


def test_an_odd_name_of_a_bundle(dtb_run: Run, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / ODD.replace("/", "")))
    for arguments in (("--json",), (), ("--card",), ("--regions",)):
        done = dtb_run("inspect", folder, *arguments)
        assert done.code == 0, done.err
        assert_printable(done.out + done.err)
    (folder / "MODEL_CARD.md").write_text(ODD, encoding="utf-8")
    done = dtb_run("inspect", folder, "--card")
    assert done.code == 1
    assert_printable(done.err)


def test_an_odd_model_card_is_shown_as_escapes(dtb_run: Run, tiny: Path, tmp_path: Path) -> None:
    import hashlib

    folder = Path(shutil.copytree(tiny, tmp_path / "bundle"))
    card = f"# Card\n{ODD}\n".encode()
    (folder / "MODEL_CARD.md").write_bytes(card)
    document = json.loads((folder / "manifest.json").read_bytes())
    del document["checksum"]
    entry = {"sha256": hashlib.sha256(card).hexdigest(), "size": len(card)}
    document["files"]["MODEL_CARD.md"] = entry
    (folder / "manifest.json").write_bytes(seal(document))
    done = dtb_run("inspect", folder, "--card")
    assert done.code == 0
    odd = {char for char in done.out if not char.isprintable() and char != "\n"}
    assert not odd


@pytest.mark.parametrize("is_drawn", [False, True])
def test_tables_show_odd_cells_as_escapes(monkeypatch: pytest.MonkeyPatch, is_drawn: bool) -> None:
    stream = FakeTerminal() if is_drawn else io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    terminal.print_table(Table((ODD, "second"), [("1", ODD), ("2", "b")], title=ODD))
    text = without_drawing(stream.getvalue())
    assert_printable(text)
    assert text.count(SHOWN) == 3
    assert "\x1b]8" not in stream.getvalue()  # no link was made


def test_progress_shows_odd_names_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "300")
    with terminal.progress(f"People{ODD}"[:10], 2) as progress:
        progress.advance(2, ODD)
    text = stream.getvalue()
    assert SHOWN in text
    assert "\u202e" not in text
    assert "\x9b" not in text
    assert "\x1b[31mred" not in text


def test_json_escapes_what_is_not_printable_and_stays_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"name": ODD, "more": ["\x7f", "\u2028", "\U000e0001", "Größe", "\xa0"], ODD: 1.5}
    terminal.print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert_printable(out)
    assert "Größe" in out


def test_a_long_message_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.error("x" * 1_000_000)
    err = capsys.readouterr().err
    assert len(err) < LONGEST_MESSAGE + 20
    assert err.endswith("...\n")


def test_a_lack_of_memory_is_one_sentence(
    dtb_run: Run, connectome: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 298. GiB")

    monkeypatch.setattr("dtb_runtime.connectome_file.read_array", fail)
    done = dtb_run("predict", connectome, "--bundle", tiny)
    assert done.code == 1
    assert done.err == (
        "Error: there is too little memory for this (Unable to allocate 298. GiB). Free some, give "
        "smaller files, or use fewer processes.\n"
    )
