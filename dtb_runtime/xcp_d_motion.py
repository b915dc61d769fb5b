"""How much the head moved, from the table that XCP-D writes beside what it makes of a scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from .errors import ConnectomeError
from .raw_array import RawArray
from .tables import file_label, is_missing, read_table, to_number

_FD, _FILTERED_FD = "framewise_displacement", "framewise_displacement_filtered"
_ENDS = ("_motion.tsv", "_desc-filtered_motion.tsv")
"""With and without a filter of the motion; only one of them is written."""
_SPACE = "_space-"  # ends, in each name, what XCP-D has taken over from the scan's


def motion_table_of(path: Path) -> Path | None:
    """The table of the scan that a file was made from, which lies beside it; None without one.

    Parameters
    ----------
    path : pathlib.Path
        Named as XCP-D does: ``sub-01_task-rest_space-fsLR_..._relmat.tsv`` has
        ``sub-01_task-rest_motion.tsv``, or ``sub-01_task-rest_desc-filtered_motion.tsv``.
    """
    of_scan, space, _ = path.name.partition(_SPACE)
    if not space or not of_scan.startswith("sub-"):
        return None
    tables = (path.with_name(f"{of_scan}{end}") for end in _ENDS)
    return next((table for table in tables if table.is_file()), None)


def mean_fd_of(table: Path) -> tuple[float | None, tuple[str, ...]]:
    """Mean framewise displacement in mm, over all frames that have one.

    Parameters
    ----------
    table : pathlib.Path
        With the column ``framewise_displacement``: of fMRIPrep or XCP-D.

    Returns
    -------
    float or None
        None where the table does not tell it.
    notes : tuple of str
        Why it does not; that it is of filtered motion.
    """
    try:
        columns = read_table(table, "\t", ConnectomeError).columns
        values = [to_number(cell) for cell in columns.get(_FD, ()) if not is_missing(cell)]
    except (ConnectomeError, ValueError) as cause:
        return None, (f"How much the head moved is not known: {file_label(table)} ({cause}).",)
    if not values:
        lacks = f"values of {_FD}" if _FD in columns else _FD
        return None, (f"How much the head moved is not known: {file_label(table)} has no {lacks}.",)
    mean = float(np.mean(values))
    if not (min(values) >= 0.0 and mean < np.inf):
        said = f"{file_label(table)} has values of {_FD} that are negative or infinite"
        return None, (f"How much the head moved is not known: {said}.",)
    # Older versions of XCP-D have one column, of what the filter left.
    if table.name.endswith(_ENDS[1]) and _FILTERED_FD not in columns:
        return mean, (
            f"The framewise displacement in {file_label(table)} is of motion that XCP-D has "
            "filtered, which is less than what others measure.",
        )
    return mean, ()


def with_mean_fd(raw: RawArray, path: Path) -> RawArray:
    """What a file holds, with how much the head moved where only XCP-D's table tells it."""
    table = motion_table_of(path) if raw.mean_fd_mm is None else None
    if table is None:
        return raw
    mean_fd_mm, notes = mean_fd_of(table)
    return replace(raw, mean_fd_mm=mean_fd_mm, notes=(*raw.notes, *notes))
