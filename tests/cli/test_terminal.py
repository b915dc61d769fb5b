"""Tables and progress: plain where nobody looks, drawn by rich on a terminal."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest

from dtb_cli import terminal
from dtb_cli.terminal import Deadline, Table


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


TABLE = Table(
    ("region", "t", "note"),
    [("L_V1_ROI", "1.5", "n/a"), ("[bold]x[/bold]", "-12.25", "two words")],
)


def test_a_plain_table_has_aligned_columns_numbers_to_the_right() -> None:
    assert terminal.plain_table(TABLE).splitlines() == [
        "region               t  note",
        "L_V1_ROI           1.5  n/a",
        "[bold]x[/bold]  -12.25  two words",
    ]


def test_a_column_with_missing_numbers_is_still_one_of_numbers() -> None:
    table = Table(("x",), [("n/a",), ("10.5",)])
    assert terminal.plain_table(table).splitlines() == ["   x", " n/a", "10.5"]


def test_an_empty_table_is_its_header() -> None:
    assert terminal.plain_table(Table(("a", "b"), [])) == "a  b"


def test_a_table_with_a_title_starts_with_it() -> None:
    assert terminal.plain_table(Table(("a",), [("1",)], title="Who")).splitlines()[0] == "Who"


def test_piped_tables_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(TABLE)
    assert capsys.readouterr().out == terminal.plain_table(TABLE) + "\n\n"


def test_a_terminal_gets_a_drawn_table_and_cells_are_no_markup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    terminal.print_table(TABLE)
    drawn = stream.getvalue()
    assert "[bold]x[/bold]" in drawn
    assert "-12.25" in drawn
    assert drawn != terminal.plain_table(TABLE) + "\n\n"


def test_json_keeps_letters_and_refuses_what_json_does_not_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.print_json({"name": "Köln", "value": 0.5})
    out = capsys.readouterr().out
    assert "Köln" in out
    assert json.loads(out) == {"name": "Köln", "value": 0.5}
    with pytest.raises(ValueError, match="not JSON compliant"):
        terminal.print_json({"value": float("nan")})


def test_messages_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.message("by the way")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "by the way\n"


def test_plain_progress_is_a_few_lines_and_always_the_last(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with terminal.progress("Epoch", 50) as progress:
        for epoch in range(1, 51):
            progress.advance(epoch, f"loss {1 / epoch:.2f}")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Epoch 1/50 loss 1.00"
    assert lines[-1] == "Epoch 50/50 loss 0.02"
    assert len(lines) < 50


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.progress("Epoch", 2) as progress:
        progress.advance(1, "loss [red]1[/red]")
        progress.advance(2, "loss [red]0[/red]")
    assert "2/2" in stream.getvalue()
    assert "[red]0[/red]" in stream.getvalue()


def test_a_narrow_terminal_keeps_the_bar_whole_and_cuts_what_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    with terminal.progress("Epoch", 2) as progress:
        progress.advance(2, "validation " + "and much more " * 10)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()).split("Epoch")[-1]
    assert re.match(r" \S{16} 2/2 0:00:0\d validation .*…$", last.strip("\n")), last


def test_long_text_in_the_last_column_is_broken_into_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    words, digest = [f"word{number}" for number in range(20)], "0123456789abcdef" * 4
    rows = [("training", " ".join(words)), ("digest", digest)]
    terminal.print_table(Table(("fact", "value"), rows))
    drawn = stream.getvalue()
    assert all(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) <= 60 for line in drawn.splitlines())
    assert all(word in drawn for word in words)
    cells = "".join(line.split("│")[2].strip() for line in drawn.splitlines() if "│" in line)
    assert digest in cells


def test_result_lines_break_between_words_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    sentence = "Warning: this sentence is longer than a terminal of 30 columns."
    terminal.print_lines(sentence, "")
    assert capsys.readouterr().out == f"{sentence}\n\n"
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.print_lines(sentence, "")
    lines = stream.getvalue().splitlines()
    assert all(len(line) <= 30 for line in lines)
    assert " ".join(lines).strip() == sentence


def test_a_deadline_passes_at_once_or_never() -> None:
    assert Deadline(0.0).has_passed()
    assert not Deadline(None).has_passed()
    assert not Deadline(60.0).has_passed()


@pytest.mark.parametrize("columns", [20, 31, 37, 38, 39, 40, 80])
def test_no_cell_is_cut_short_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal.print_table(TABLE)
    for row in (TABLE.columns, *TABLE.rows):
        assert any(all(cell in line for cell in row) for line in stream.getvalue().splitlines())
