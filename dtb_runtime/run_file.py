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
from .score_workers import WorkerPlan
from .summary import package_version

if TYPE_CHECKING:
    from .bundle import Bundle

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
    """Of the first person who failed; empty where nobody did."""
    left_out: tuple[str, ...] = ()
    """Files that were not written, and why."""
    was_ended: bool = False
    """Whether an earlier run had ended already, so that this one did nothing."""


def about_scoring(bundle: Bundle, listing: CohortListing, plan: WorkerPlan) -> dict[str, Any]:
    """What is scored and how: two runs of the same give the same tables."""
    people = hashlib.sha256()
    for entry in listing.entries:
        cells = [*entry.key, str(entry.path), entry.problem, sorted(entry.own.items())]
        people.update(json.dumps(cells).encode() + b"\n")
    return {
        "version": FORMAT_VERSION,
        "bundle": bundle.name,
        "bundle_digest": bundle.digest,
        "provider": bundle.provider,
        "settings": plan.settings.to_json(),
        "n_people": len(listing.entries),
        "people_digest": people.hexdigest(),
    }


def ended_run(out: Path, about: Mapping[str, Any]) -> CohortRun | None:
    """How the run that has ended here went; None where none has."""
    if not (out / RUN_FILE).exists():
        return None
    document = _document(out)
    if document.take("scored") != about:
        raise OutputError(
            f"{out} holds the scores of another cohort, bundle or other options; nothing was "
            "written. Choose another folder, or pass --force (force=True) to replace them."
        )
    result = document.child("result")
    names = result.child("files").remaining_keys()
    return CohortRun(
        n_people=result.integer("n_people", minimum=0),
        n_failed=result.integer("n_failed", minimum=0),
        n_before=result.integer("n_people_all", minimum=0),
        seconds=0.0,
        files=(*(out / name for name in names), out / RUN_FILE),
        first_error=result.optional_text("first_error") or "",
        left_out=result.texts("left_out"),
        was_ended=True,
    )


def check_files(out: Path) -> None:
    """Check that the tables are those that the run has written.

    Raises
    ------
    OutputError
        One is not there, or has changed.
    """
    digests = _document(out).child("result").child("files")
    for name in digests.remaining_keys():
        _check_unchanged(out / name, digests.text(name))


def _document(out: Path) -> JsonObject:
    path = out / RUN_FILE
    try:
        data = path.read_bytes()
    except OSError as cause:
        raise OutputError(
            f"{path} cannot be read: {cause.strerror or cause}. Remove it, or choose another "
            "folder."
        ) from cause
    return JsonObject.parse(data, str(path), CohortError)


def _check_unchanged(path: Path, digest: str) -> None:
    try:
        is_same = _digest(path) == digest
    except OSError:
        is_same = False
    if not is_same:
        raise OutputError(
            f"{path} is not there, or has changed since the scores were written. Put it back, or "
            "pass --force (force=True) to score everybody again."
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_run(out: Path, about: Mapping[str, Any], run: CohortRun, jobs: int) -> None:
    """Write ``run.json``, whole or not at all."""
    document = {
        "scored": about,
        "result": {
            "n_people": run.n_people,
            "n_failed": run.n_failed,
            "n_people_all": run.n_people,
            "first_error": run.first_error or None,
            "files": {path.name: _digest(path) for path in run.files if path.name != RUN_FILE},
            "left_out": list(run.left_out),
        },
        "last_process": {
            "jobs": jobs,
            "n_people": run.n_people - run.n_before,
            "seconds": round(run.seconds, 3),
            "ended": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
        "versions": {
            "dtb_runtime": package_version(),
            "onnxruntime": str(import_onnxruntime().__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    with replaced_file(out / RUN_FILE) as file:
        file.write((json.dumps(document, indent=2) + "\n").encode())
