"""What a person sees: tables on stdout, messages and progress on stderr, plain when piped.

Names of files and regions come from anywhere. What is not printable in them, such as the escape
codes of terminals and line breaks, is always shown as escapes.

rich is imported only where a table or a progress bar is really drawn on a terminal.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TextIO

PLAIN_PROGRESS_S = 10.0
"""Least time between two plain progress lines: a log of a long run stays readable."""
NARROWEST_TEXT = 30
"""Least width of a column of text that a drawn table breaks into lines."""
LONGEST_MESSAGE = 4000
"""Characters of one message: what is wrong with a file may quote it, and it may be all one line."""
PROGRESS_BAR = 16
"""Width of a progress bar: at 80 columns it leaves about half of the line to what is said."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of results; columns whose cells are all numbers are aligned to the right."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    title: str = ""


def _is_number(cell: str) -> bool:
    try:
        float(cell.split(" ", 1)[0].rstrip("%"))
    except ValueError:
        return cell in ("", "n/a")
    return True


def _right_aligned(table: Table) -> list[bool]:
    return [
        all(_is_number(row[column]) for row in table.rows) for column in range(len(table.columns))
    ]


def _widths(table: Table) -> list[int]:
    lines = (table.columns, *table.rows)
    return [max(len(line[column]) for line in lines) for column in range(len(table.columns))]


def plain_table(table: Table) -> str:
    """Return the table as lines of text with aligned columns."""
    widths, right = _widths(table), _right_aligned(table)
    text = [table.title] if table.title else []
    for line in (table.columns, *table.rows):
        cells = [
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(line, widths, right, strict=True)
        ]
        text.append("  ".join(cells).rstrip())
    return "\n".join(text)


def print_table(table: Table) -> None:
    """Print a table on stdout: drawn by rich on a terminal it fits into, else plain text.

    Text in the last column may take several lines of a drawn table; nothing is cut short.
    """
    table = _printable(table)
    plain = plain_table(table)
    if not _is_terminal(sys.stdout):
        print(plain, end="\n\n")
        return
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console()
    right, widths = _right_aligned(table), _widths(table)
    borders = 3 * len(widths) + 1
    least = widths[-1] if right[-1] else min(widths[-1], NARROWEST_TEXT)
    if sum(widths[:-1]) + least + borders > console.width:
        print(plain, end="\n\n")  # rich would cut numbers short
        return
    # Text, not str: a file name or a region label may hold what rich would read as markup.
    title = Text(table.title) if table.title else None
    drawn = RichTable(title=title, title_justify="left", title_style="bold")
    for number, (column, is_right) in enumerate(zip(table.columns, right, strict=True), 1):
        drawn.add_column(
            Text(column),
            justify="right" if is_right else "left",
            no_wrap=is_right or number < len(widths),
            overflow="fold",
        )
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console.print(drawn)


def _printable(table: Table) -> Table:
    from dtb_runtime.tables import one_line

    return Table(
        columns=tuple(map(one_line, table.columns)),
        rows=[tuple(map(one_line, row)) for row in table.rows],
        title=one_line(table.title),
    )


def print_lines(*lines: str) -> None:
    """Print result lines on stdout; on a terminal they break between words."""
    from dtb_runtime.tables import one_line

    width = max(shutil.get_terminal_size().columns, 20) if _is_terminal(sys.stdout) else None
    for line in lines:
        text = one_line(line)
        if width is not None:
            text = textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)
        print(text)


def print_text(text: str) -> None:
    """Print text on stdout with its lines as they are: for pages and for files made from it."""
    from dtb_runtime.tables import one_line

    print("\n".join(one_line(line) for line in text.splitlines()))


def print_json(result: Mapping[str, object]) -> None:
    """Print a result on stdout as JSON."""
    # NaN is not JSON: one that gets here is a mistake of ours and may fail loudly.
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)
    # Outside of texts it has nothing but line breaks to escape.
    text = "\n".join(map(_printable_json, text.split("\n")))
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(result, indent=2, allow_nan=False)
    print(text)


def _printable_json(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def message(text: str) -> None:
    """Print a message for the person on stderr, as one line."""
    from dtb_runtime.tables import one_line

    if len(text) > LONGEST_MESSAGE:
        text = f"{text[:LONGEST_MESSAGE]}..."
    if sys.stderr is not None:  # else print would put it on stdout
        print(one_line(text), file=sys.stderr)


def error(text: str) -> None:
    """Print why the command failed on stderr."""
    message(f"Error: {text}")


def escape_what_cannot_be_encoded() -> None:
    """Let stdout escape characters that its encoding lacks, as stderr does, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at it; a closed stream is None."""
    return stream is not None and stream.isatty()


class Progress(Protocol):
    """A long piece of work that says how far it is."""

    def advance(self, done: int, text: str) -> None:
        """Say that `done` of the total is done, and what the last part gave."""


class _PlainProgress:
    """Lines on stderr, at most one every `PLAIN_PROGRESS_S` seconds and one at the end."""

    def __init__(self, description: str, total: int) -> None:
        self._description = description
        self._total = total
        self._last_s = -PLAIN_PROGRESS_S

    def advance(self, done: int, text: str) -> None:
        now_s = time.monotonic()
        if done < self._total and now_s - self._last_s < PLAIN_PROGRESS_S:
            return
        self._last_s = now_s
        message(f"{self._description} {done}/{self._total} {text}".rstrip())


@contextmanager
def progress(description: str, total: int) -> Iterator[Progress]:
    """Show progress on stderr: a rich bar on a terminal, plain lines elsewhere."""
    if not _is_terminal(sys.stderr):
        yield _PlainProgress(description, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    from dtb_runtime.tables import one_line

    # Where the terminal is narrow, what is said is cut short, never the bar or the time.
    text = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=PROGRESS_BAR),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False, table_column=text),
    )
    with RichProgress(*columns, console=Console(stderr=True), expand=True) as bar:
        task = bar.add_task(description, total=total, text="")

        class RichBar:
            def advance(self, done: int, text: str) -> None:
                bar.update(task, completed=done, text=one_line(text))

        yield RichBar()


class Deadline:
    """A time after which a long piece of work should come to an end."""

    def __init__(self, minutes: float | None) -> None:
        self._end_s = None if minutes is None else time.monotonic() + 60 * minutes

    def has_passed(self) -> bool:
        """Whether the time is over; never without a limit."""
        return self._end_s is not None and time.monotonic() >= self._end_s
