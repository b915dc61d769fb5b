"""What a report is made of: sections of text, facts, pictures and tables, as plain data.

Texts are as they came from files; `report_page` escapes every one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

MOST_ROWS = 500
"""Of a table on a page; of more, the first are shown."""
_LONGEST_CELL, _LONGEST_SENTENCE = 120, 600
"""Characters of a cell; names and reasons in files may be longer."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that must not be passed over."""

    kind: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what they stand for, one below the other."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, drawn for a light and for a dark page."""

    kind: ClassVar[str] = "picture"
    light: bytes
    dark: bytes
    media_type: str
    """``image/svg+xml`` or ``image/png``."""
    width: int
    """On the page, in CSS pixels."""
    height: int
    alt: str
    """What it shows, for whoever does not see it."""
    caption: str


@dataclass(frozen=True, slots=True)
class DataTable:
    """Numbers beside a picture. The first cell of a row names it."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_folded: bool = False
    """Whether only its caption shows at first; on paper it is left out."""
    is_text: bool = False
    """Whether cells hold sentences, not numbers."""
    note: str = ""

    @classmethod
    def of(
        cls,
        caption: str,
        columns: Iterable[str],
        rows: Iterable[Iterable[str]],
        *,
        is_folded: bool = False,
        is_text: bool = False,
        most: int = MOST_ROWS,
        where: str = "the file",
    ) -> DataTable:
        """Make a table of no more rows than a page takes; its note says how many more there are."""
        longest = _LONGEST_SENTENCE if is_text else _LONGEST_CELL
        every = [tuple(_cut(cell, longest) for cell in row) for row in rows]
        note = ""
        if len(every) > most:
            note = f"{most} of {len(every)} rows; all of them are in {where}."
        return cls(caption, tuple(columns), tuple(every[:most]), is_folded, is_text, note)


def _cut(cell: str, longest: int) -> str:
    return cell if len(cell) <= longest else f"{cell[:longest]}..."


Block = Paragraph | Notice | Facts | Picture | DataTable


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a section under a heading of its own."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the table of contents."""

    key: str
    """What links lead to: lower-case letters and hyphens, ours and from no file."""
    title: str
    blocks: tuple[Block, ...] = ()
    parts: tuple[Part, ...] = ()
    left_out: tuple[str, ...] = ()
    """What could not be shown, and why: whole sentences."""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole page."""

    title: str
    subtitle: str
    warnings: tuple[str, ...]
    """Sentences that belong to every use of these numbers."""
    sections: tuple[Section, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is missing anywhere, each once."""
        every = (sentence for section in self.sections for sentence in section.left_out)
        return tuple(dict.fromkeys(every))

    @property
    def n_pictures(self) -> int:
        """How many pictures there are."""
        blocks = [block for section in self.sections for block in section.blocks]
        blocks += [
            block for section in self.sections for part in section.parts for block in part.blocks
        ]
        return sum(isinstance(block, Picture) for block in blocks)
