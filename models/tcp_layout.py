"""Names of files and folders in the Transdiagnostic Connectome Project as OpenNeuro holds it.

Events are BIDS; the derivatives are the authors' own: one HDF5 file per person and run in a folder
per person, and a table of head motion per run. Events call a person ``sub-NDARINV<id>``, the
derivatives call the same person ``NDAR_INV<id>``.
"""

from __future__ import annotations

import re

SERIES_FOLDER = "fMRI_timeseries_clean_denoised_GSR_parcellated"
SERIES_SUFFIX = "_bold_Atlas_hp2000_clean_GSR_parcellated.h5"
MOTION_FOLDER = "motion_FD"
N_REGIONS = 434
"""Regions of the released series."""

REST_RUNS = ("restAP_run-01", "restAP_run-02", "restPA_run-01", "restPA_run-02")
TASK_RUNS = ("hammerAP_run-01", "stroopAP_run-01", "stroopPA_run-01")

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
