"""``run.json`` of a scored cohort: what was scored, how it went, and with which versions."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .cohort_listing import CohortListing
from .cohort_table import replaced_file
from .errors import CohortError, OutputError
from .inference import import_onnxruntime
from .json_object import JsonObject
from .score_journal import differences
from .summary import package_version

if TYPE_CHECKING:
    from .bundle import Bundle
    from .score_workers import WorkSettings

RUN_FILE = "run.json"
FORMAT_VERSION = 1
"""Of run.json and of the journal."""


@dataclass(frozen=True, slots=True)
class CohortRun:
    """How a run ended."""

    n_people: int
    n_failed: int
    n_before: int
    """People whom an earlier run had scored already."""
    seconds: float
    """Of this run."""
    files: tuple[Path, ...]
    """What is in the folder."""
    first_error: str
    """Why the first person who failed did, without a name; empty where nobody did."""
    left_out: tuple[str, ...] = ()
    """Files that were not written, and why."""
    was_ended: bool = False
    """Whether an earlier run had ended already, so that this one did nothing."""


@dataclass(frozen=True, slots=True)
class EndedRun:
    """An earlier run of the same."""

    run: CohortRun
    digests: Mapping[str, str]
    """SHA-256 of each table, by file name."""
    people_digest: str
    """Of the people that there were then."""
    made_with: Mapping[str, Any]
    """What changed the files and no row."""

    def is_whole(
        self, people_digest: str, made_with: Mapping[str, Any], *, can_write_all: bool
    ) -> bool:
        """Whether nothing need be written again.

        Parameters
        ----------
        people_digest : str
            Of the people that there are now.
        made_with : mapping
            What changes the files and no row, now.
        can_write_all : bool
            Whether what was left out then could be written now.

        Raises
        ------
        OutputError
            A table has changed since it was written.
        """
        folder = self.run.files[-1].parent
        missing = [name for name in self.digests if not (folder / name).exists()]
        for name in self.digests.keys() - set(missing):
            if _digest(folder / name) != self.digests[name]:
                raise OutputError(
                    f"{folder / name} has changed since it was written. Move it away, and the same "
                    "command writes it anew without scoring anybody again."
                )
        may_add = can_write_all and bool(self.run.left_out)
        is_same = people_digest == self.people_digest and dict(made_with) == self.made_with
        return not missing and not may_add and is_same


def about_scoring(bundle: Bundle, listing: CohortListing, settings: WorkSettings) -> dict[str, Any]:
    """What is scored and how: rows of the same may stand in one table."""
    return {
        "version": FORMAT_VERSION,
        **listing.about(),
        "bundle": bundle.name,
        "bundle_digest": bundle.digest,
        "provider": bundle.provider,
        "settings": settings.to_json(),
        "versions": {
            "dtb_runtime": package_version(),
            "onnxruntime": str(import_onnxruntime().__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def ended_run(out: Path, about: Mapping[str, Any]) -> EndedRun | None:
    """How the run that has ended here went; None where none has.

    Raises
    ------
    OutputError
        It was of something else, or `run.json` is of another program.
    """
    path = out / RUN_FILE
    if not path.exists():
        return None
    try:
        document = JsonObject.parse(path.read_bytes(), str(path), CohortError)
        scored, result = document.take("scored"), document.child("result")
        digests = result.child("files")
        files = {name: digests.text(name) for name in digests.remaining_keys()}
        n_people = result.integer("n_people", minimum=0)
        run = CohortRun(
            n_people=n_people,
            n_failed=result.integer("n_failed", minimum=0),
            n_before=n_people,
            seconds=0.0,
            files=(*(out / name for name in files), path),
            first_error=result.optional_text("first_error") or "",
            left_out=result.texts("left_out"),
            was_ended=True,
        )
        people_digest = result.text("people_digest")
        made_with = result.take("made_with") if "made_with" in result.remaining_keys() else {}
    except (CohortError, OSError) as cause:
        raise OutputError(
            f"{path} was not written by dtb-run score or trial, or was changed ({cause}). Choose "
            "another folder, or pass --force (force=True) to replace it."
        ) from cause
    if scored != about:
        raise OutputError(
            f"{out} holds the results of another run ({differences(scored, about)}); nothing was "
            "written. Choose another folder, or pass --force (force=True) to replace them."
        )
    return EndedRun(run, files, people_digest, made_with)


def write_run(
    out: Path,
    about: Mapping[str, Any],
    run: CohortRun,
    people_digest: str,
    made_with: Mapping[str, Any],
    *,
    jobs: int | None,
) -> None:
    """Write ``run.json``, whole or not at all; without `jobs`, a cluster has scored."""
    document = {
        "scored": about,
        "result": {
            "n_people": run.n_people,
            "n_failed": run.n_failed,
            "first_error": run.first_error or None,
            "people_digest": people_digest,
            **({"made_with": dict(made_with)} if made_with else {}),
            "files": {path.name: _digest(path) for path in run.files if path.name != RUN_FILE},
            "left_out": list(run.left_out),
        },
        "last_process": {
            "jobs": jobs,
            "on_cluster": jobs is None,
            "n_people": run.n_people - run.n_before,
            "seconds": round(run.seconds, 3),
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
    }
    with replaced_file(out / RUN_FILE) as file:
        file.write((json.dumps(document, indent=2) + "\n").encode())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
