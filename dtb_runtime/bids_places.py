"""Where the files of a person lie in the results of the BIDS App.

::

    sub-01[/ses-1]/beh/   trials: BIDS' place for what people do
    sub-01[/ses-1]/func/  BOLD, contrasts, summary
    logs/                 sub-01[_ses-1].log, sub-01[_ses-1]_crash.txt
    .dtb-run/sub-01[_ses-1]/   the record of what was done, and work in progress

BIDS knows ``desc-`` for trials in ``beh`` and not in ``func``.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .cohort_entry import CohortEntry
from .errors import BusyFolderError, NoLocksError, OutputError
from .folder_lock import locked_folder

STATE_FOLDER, RECORD_FILE = ".dtb-run", "record.json"
"""Of the whole data set, with a folder for each person: BIDS passes over names with a dot."""
LOG_FOLDER = "logs"
BEHAVIOR, FUNCTIONAL = "beh", "func"
"""BIDS' names of kinds of data, which name folders."""
_LONGEST_LABEL = 100  # characters: file systems take 255 bytes, and names of files go beyond it
_NEW = "new-"


@dataclass(frozen=True, slots=True)
class PersonPlaces:
    """Everything of one person and session."""

    out: Path
    label: str
    """``sub-01`` or ``sub-01_ses-1``, with which names of files begin."""
    parts: tuple[str, ...]
    """Folders from `out` to the results; none of somebody whose ids are none."""

    @classmethod
    def of(cls, out: Path, entry: CohortEntry) -> PersonPlaces:
        """The places of an entry, whatever its ids are."""
        label = entry.label
        safe = re.sub(r"[^A-Za-z0-9_-]", "-", label)[:_LONGEST_LABEL]
        if safe != label:  # two of these must not share a place
            return cls(out, f"{safe}-{hashlib.sha256(label.encode()).hexdigest()[:8]}", ())
        return cls(out, label, tuple(filter(None, entry.key)))

    @property
    def folder(self) -> Path:
        """Where the folders of kinds of data lie."""
        return self.out.joinpath(*self.parts)

    @property
    def log(self) -> Path:
        """What was done, line by line."""
        return self.out / LOG_FOLDER / f"{self.label}.log"

    @property
    def crash(self) -> Path:
        """Why it failed; there only where it did."""
        return self.out / LOG_FOLDER / f"{self.label}_crash.txt"

    @property
    def state(self) -> Path:
        """Folder of the record and of what is not whole yet."""
        return self.out / STATE_FOLDER / self.label

    @property
    def record(self) -> Path:
        """What was done, for whoever starts again."""
        return self.state / RECORD_FILE

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep other processes from the person; False where one is at work there.

        Some clusters' file systems have no locks. There, nobody is kept out.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked_folder(self.state))
            except BusyFolderError:
                yield False
                return
            except NoLocksError:
                pass
            yield True

    @contextlib.contextmanager
    def staged(self) -> Iterator[Path]:
        """A new folder beside the record to make the files in, for `publish`; gone in the end.

        Raises
        ------
        OutputError
            Something cannot be written there.
        """
        import tempfile

        staged: Path | None = None
        try:
            self.state.mkdir(parents=True, exist_ok=True)
            staged = Path(tempfile.mkdtemp(prefix=_NEW, dir=self.state))
            yield staged
        except OSError as cause:
            raise OutputError(cause.strerror or str(cause)) from cause
        finally:
            if staged is not None:
                shutil.rmtree(staged, ignore_errors=True)

    def clear(self) -> None:
        """Remove record, results, crash file, and what a killed process left half-done."""
        for file in (self.record, self.crash):
            file.unlink(missing_ok=True)
        for path in self.state.glob(f"{_NEW}*"):
            shutil.rmtree(path, ignore_errors=True)
        if not self.parts:
            return
        for kind in (BEHAVIOR, FUNCTIONAL):
            _remove(self.folder / kind)
        for depth in range(len(self.parts), 0, -1):
            with contextlib.suppress(OSError):  # other sessions are in it, or there is none
                self.out.joinpath(*self.parts[:depth]).rmdir()

    def publish(self, staged: Path) -> None:
        """Move the folders of kinds of data from where they were made to their place.

        Each appears whole. Another process may remove the person's empty folder meanwhile, when it
        begins with another session.
        """
        for source in sorted(path for path in staged.iterdir() if path.is_dir()):
            target = self.folder / source.name
            for attempt in range(3):
                target.parent.mkdir(parents=True, exist_ok=True)
                _remove(target)
                try:
                    source.rename(target)
                    break
                except FileNotFoundError:
                    if attempt == 2:
                        raise


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.is_dir():
        shutil.rmtree(folder)
