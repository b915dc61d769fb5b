"""The table of a scored cohort: one row a person, as tab-separated text and as Parquet."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from .cohort_entry import CohortEntry
from .errors import OutputError
from .forecast import NOT_AVAILABLE
from .scored_person import ScoredPerson

TABLE_FILE, PARQUET_FILE, SIDECAR_FILE = "cohort.tsv", "cohort.parquet", "cohort.json"
TABLES = (TABLE_FILE, PARQUET_FILE, SIDECAR_FILE)
PARTIAL_PREFIX = ".partial-"
"""Begins the names of files that are not whole yet."""
_ROWS_AT_ONCE = 4096  # of Parquet, which is written in groups


@dataclass(frozen=True, slots=True)
class CohortTable:
    """What the columns are."""

    has_sessions: bool
    own_columns: tuple[str, ...]
    """Those of the cohort's own table."""
    numbers: tuple[str, ...]
    """`CohortScorer.columns`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them, in order."""
        session = ("session",) if self.has_sessions else ()
        return (
            *("participant_id", *session, "path", "status", "error"),
            *self.own_columns,
            *self.numbers,
            "notes",
        )

    @property
    def clash(self) -> str | None:
        """A column of the cohort's own table that scoring writes itself; None if there is none."""
        own = set(self.own_columns)
        return next(
            (name for name in self.columns if name in own and self.columns.count(name) > 1), None
        )

    def row(
        self, entry: CohortEntry, person: ScoredPerson, place: str | None
    ) -> dict[str, str | float | None]:
        """One row's cells, with where the file lies; None where there is nothing."""
        row: dict[str, str | float | None] = {"participant_id": person.participant_id}
        if self.has_sessions:
            row["session"] = person.session
        row |= {"path": place, "status": person.status, "error": person.error or None}
        row |= {name: entry.own.get(name) or None for name in self.own_columns}
        row |= {name: person.values.get(name) for name in self.numbers}
        return row | {"notes": " ".join(person.notes) or None}

    def write_tsv(
        self,
        folder: Path,
        rows: Iterable[Mapping[str, str | float | None]],
        name: str = TABLE_FILE,
    ) -> Path:
        """Write ``cohort.tsv``, or a table of another name, whole or not at all."""
        with replaced_file(folder / name) as file:
            file.write(("\t".join(map(_cell, self.columns)) + "\n").encode())
            for row in rows:
                file.write(("\t".join(_cell(row[name]) for name in self.columns) + "\n").encode())
        return folder / name

    def write_parquet(
        self, folder: Path, rows: Iterable[Mapping[str, str | float | None]], pyarrow: ModuleType
    ) -> Path:
        """Write ``cohort.parquet``, whole or not at all; text and float64 columns."""
        from pyarrow import parquet

        numbers = set(self.numbers)
        schema = pyarrow.schema(
            [
                (name, pyarrow.float64() if name in numbers else pyarrow.string())
                for name in self.columns
            ]
        )
        with (
            replaced_file(folder / PARQUET_FILE) as file,
            parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            for group in _groups(rows):
                writer.write_table(pyarrow.Table.from_pylist(group, schema))
        return folder / PARQUET_FILE

    def write_sidecar(self, folder: Path, descriptions: Mapping[str, Any]) -> Path:
        """Write ``cohort.json``: what each column is, as BIDS describes columns."""
        with replaced_file(folder / SIDECAR_FILE) as file:
            file.write((json.dumps(descriptions, indent=2) + "\n").encode())
        return folder / SIDECAR_FILE


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its place when it is whole and on the disk.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    partial = path.with_name(f"{PARTIAL_PREFIX}{path.name}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as cause:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {cause.strerror or cause}. What is scored is kept: make "
            "room there and start again to go on."
        ) from cause
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _groups(
    rows: Iterable[Mapping[str, str | float | None]],
) -> Iterator[list[Mapping[str, str | float | None]]]:
    group: list[Mapping[str, str | float | None]] = []
    for row in rows:
        group.append(row)
        if len(group) == _ROWS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _cell(value: str | float | None) -> str:
    if value is None:
        return NOT_AVAILABLE
    if isinstance(value, str):
        return value.replace("\t", " ").replace("\n", " ").replace("\r", " ")
    return f"{value:.6g}"
