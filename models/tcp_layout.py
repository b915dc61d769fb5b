"""Names of files and folders in the Transdiagnostic Connectome Project as OpenNeuro holds it.

Events are BIDS; the derivatives are the authors' own: one HDF5 file per person and run in a folder
per person, and a table of head motion per run. Events call a person ``sub-NDARINV<id>``, the
derivatives call the same person ``NDAR_INV<id>``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from dtb_runtime.errors import CohortError
from dtb_runtime.tables import read_table, read_text

from .cohorts import CohortKind

SERIES_FOLDER = "fMRI_timeseries_clean_denoised_GSR_parcellated"
SERIES_SUFFIX = "_bold_Atlas_hp2000_clean_GSR_parcellated.h5"
MOTION_FOLDER = "motion_FD"
PARTICIPANTS_NAME = "participants.tsv"
DATASET_NAME = "dataset_description.json"
N_REGIONS = 434
"""Regions of the released series."""

REST_RUNS = ("restAP_run-01", "restAP_run-02", "restPA_run-01", "restPA_run-02")
TASK_RUNS = ("hammerAP_run-01", "stroopAP_run-01", "stroopPA_run-01")

KIND_KEY = "CohortKind"
WARNING_KEY = "Warning"
"""Keys of ``dataset_description.json`` that a cohort written by us has and other data has not."""

_EVENTS_NAME = re.compile(r"(sub-[A-Za-z0-9]+)_task-(([a-z]+)[A-Za-z]*_run-\d+)_events\.tsv")
_PERSON = re.compile(r"(?:sub-)?NDAR_?INV([A-Za-z0-9]+)")


def events_name(participant_id: str, run: str) -> str:
    """Return the file name of a run's events, e.g. for run ``"stroopAP_run-01"``."""
    return f"{participant_id}_task-{run}_events.tsv"


def parse_events_name(name: str) -> tuple[str, str, str] | None:
    """Return participant id, task and run of an events file's name; None for another file.

    Examples
    --------
    >>> parse_events_name("sub-NDARINVAG023WG3_task-stroopPA_run-01_events.tsv")
    ('sub-NDARINVAG023WG3', 'stroop', 'stroopPA_run-01')
    """
    match = _EVENTS_NAME.fullmatch(name)
    return (match[1], match[3], match[2]) if match else None


def series_folder_name(participant_id: str) -> str:
    """Return a person's folder name in the derivatives.

    Examples
    --------
    >>> series_folder_name("sub-NDARINVAG023WG3")
    'NDAR_INVAG023WG3'
    """
    match = _PERSON.fullmatch(participant_id)
    return f"NDAR_INV{match[1]}" if match else participant_id.removeprefix("sub-")


def participant_id_of(name: str) -> str | None:
    """Return the BIDS id of a person named as the derivatives do; None if it is no such name."""
    match = _PERSON.fullmatch(name.strip())
    return f"sub-NDARINV{match[1]}" if match else None


def series_name(run: str) -> str:
    """Return the file name of a run's parcellated series."""
    return f"task-{run}{SERIES_SUFFIX}"


def motion_name(run: str) -> str:
    """Return the file name of a run's table of framewise displacement."""
    return f"TCP_FD_{run}.csv"


def existing_folder(path: str | Path, what: str) -> Path:
    """Return a folder's path; raise CohortError if there is none."""
    folder = Path(path)
    if not folder.is_dir():
        found = "a file" if folder.is_file() else "nothing"
        raise CohortError(f"Expected a {what} at {folder}, found {found}. Check the path.")
    return folder


def find_series_folder(derivatives: str | Path) -> Path:
    """Return the folder of the parcellated series, given it or the folder that holds it.

    Raises
    ------
    CohortError
        If it is not there.
    """
    folder = existing_folder(derivatives, "derivatives folder")
    if folder.name == SERIES_FOLDER:
        return folder
    if not (folder / SERIES_FOLDER).is_dir():
        raise CohortError(
            f"Expected the folder {SERIES_FOLDER} in {folder}, found "
            f"{', '.join(sorted(path.name for path in folder.iterdir())[:5]) or 'nothing'}. "
            "Give the folder that holds it, or leave derivatives out."
        )
    return folder / SERIES_FOLDER


def read_phenotypes(bids: Path) -> dict[str, Mapping[str, str]]:
    """Return the other columns of ``participants.tsv`` for each participant id; {} without it.

    Raises
    ------
    CohortError
        If the table cannot be read, has no column ``participant_id``, or has rows of one person
        that differ.
    """
    path = bids / PARTICIPANTS_NAME
    if not path.is_file():
        return {}
    table = read_table(path, "\t", CohortError)
    if "participant_id" not in table.columns:
        raise CohortError(
            f"{path} has no column 'participant_id'; found {', '.join(table.columns)}. Add it."
        )
    others = [name for name in table.columns if name != "participant_id"]
    found: dict[str, Mapping[str, str]] = {}
    for row, participant_id in enumerate(table.columns["participant_id"]):
        own = {name: table.columns[name][row] for name in others}
        if found.get(participant_id, own) != own:
            raise CohortError(
                f"{path} has more than one row of {participant_id}, and they differ. Keep the one "
                "that is right."
            )
        found[participant_id] = MappingProxyType(own)
    return found


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a folder says about the origin of its people."""

    kind: CohortKind = "real"
    warning: str | None = None


def read_dataset(bids: Path) -> Dataset:
    """Return what ``dataset_description.json`` says; real people if it says nothing.

    Simulated people that were written to disk must not come back as real ones.

    Raises
    ------
    CohortError
        If the file is no JSON object or names an unknown kind of cohort.
    """
    path = bids / DATASET_NAME
    if not path.is_file():
        return Dataset()
    try:
        content = json.loads(read_text(path, CohortError))
    except json.JSONDecodeError as cause:
        raise CohortError(f"{path} is not JSON ({cause}). Correct or remove it.") from cause
    if not isinstance(content, dict):
        raise CohortError(f"{path} must hold a JSON object, found {type(content).__name__}.")
    kind, warning = content.get(KIND_KEY, "real"), content.get(WARNING_KEY)
    if kind not in get_args(CohortKind) or not (warning is None or isinstance(warning, str)):
        raise CohortError(
            f"{path}: {KIND_KEY} must be one of {', '.join(get_args(CohortKind))} and "
            f"{WARNING_KEY} a sentence, found {kind!r} and {warning!r}. Correct or remove them."
        )
    return Dataset(kind, warning)
