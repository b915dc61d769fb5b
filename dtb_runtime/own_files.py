"""A folder with a folder for everybody of a cohort: whose files are ours to remove."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .cohort_entry import CohortEntry
from .errors import ConnectomeError

_LONGEST_ID = 200  # characters: file systems take 255 bytes, and names of files go beyond it


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Where everybody's own files go."""

    root: Path
    """Of no other use: `cohort_work.make_way` sees to it."""
    parts: tuple[str, ...] = ()
    """Folders in each person's; none where files lie in it directly."""

    def of(self, entry: CohortEntry) -> Path:
        """A person's folder.

        Raises
        ------
        ConnectomeError
            Something is known against the entry, so that its names may be anything; or its id is
            too long to name a folder.
        """
        if entry.problem is not None:
            raise ConnectomeError(entry.problem)
        if len(entry.participant_id) > _LONGEST_ID:
            raise ConnectomeError(
                f"The participant id has {len(entry.participant_id)} characters, at most "
                f"{_LONGEST_ID} can name a folder. Shorten it, or leave out --files."
            )
        return self.root.joinpath(entry.participant_id, *filter(None, [entry.session]))

    def are_there(self, entry: CohortEntry) -> bool:
        """Whether an earlier run has written a person's files."""
        folder = self.of(entry)
        return all((folder / part).is_dir() for part in self.parts or ("",))

    def clear(self, entry: CohortEntry) -> None:
        """Remove what an earlier run wrote of a person, and nothing of their other sessions."""
        if entry.problem is not None or len(entry.participant_id) > _LONGEST_ID:
            return
        folder = self.of(entry)
        if self.parts:
            for part in self.parts:
                _remove(folder / part)
        elif folder.is_dir() and not folder.is_symlink():
            for path in folder.iterdir():
                if path.is_symlink() or not path.is_dir():
                    with contextlib.suppress(OSError):  # what cannot be is said when it is written
                        path.unlink()

    def holds_any(self, paths: Iterable[Path]) -> Path | None:
        """The first of some files that lies in the folder; None if none does."""
        root = self.root.resolve()
        return next((path for path in paths if path.resolve().is_relative_to(root)), None)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        with contextlib.suppress(OSError):
            folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
