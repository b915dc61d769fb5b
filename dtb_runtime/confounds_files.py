"""Where fMRIPrep's tables of confounds lie: beside the scan, under a name that fits.

And what each way of denoising needs there, to say what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from .bids_hints import entities_of
from .errors import ConnectomeError
from .meant_files import is_scan
from .motion_sidecar import sidecar_of
from .tables import file_label, listed_names, one_line, read_table
from .xcp_d_motion import motion_table_of

_MOTION = tuple(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
_TISSUE = ("csf", "white_matter")


def _with_derived(columns: Iterable[str]) -> tuple[str, ...]:
    """Columns with their derivatives and squares, as fMRIPrep names them."""
    ends = ("", "_derivative1", "_power2", "_derivative1_power2")
    return tuple(f"{column}{end}" for column in columns for end in ends)


# What nilearn's strategies take of the table beside cosines, outliers and components.
_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "simple": (*_with_derived(_MOTION), *_TISSUE),
        "scrubbing": (*_with_derived((*_MOTION, *_TISSUE)), "framewise_displacement", "std_dvars"),
        "compcor": _with_derived(_MOTION),
        "ica_aroma": _TISSUE,
    }
)
_COMPONENT = "a_comp_cor_"
_SCANS = re.compile(r".*(_desc-preproc_bold\.nii\.gz|_bold\.dtseries\.nii)")
_OF_IMAGES = ("space", "res", "den", "desc")  # entities that a table does not have
_AROMA = re.compile(r".*_desc-smoothAROMAnonaggr_bold.*")
_TABLE = re.compile(r"(.*_desc-confounds)_(timeseries|regressors)\.(tsv|json)")


def confounds_of(scan: Path) -> Path | None:
    """The table whose entities are all those of the scan, and the most of them.

    None where there is none, or more than one.
    """
    fitting = [(n, path) for n, path in _fitting(scan) if path.suffix == ".tsv"]
    most = max((n for n, _ in fitting), default=0)
    best = [path for n, path in fitting if n == most]
    return best[0] if len(best) == 1 else None


def files_beside(scan: Path) -> tuple[Path, ...]:
    """Every table of confounds that may be this scan's, and its sidecars, in order.

    What a scan gives depends on them also where only one of several is read. Any other file, such
    as a matrix, depends on nothing but XCP-D's table of motion, or giga_connectome's sidecar.
    """
    of_fmriprep = [path for _, path in _fitting(scan)] if is_scan(scan.name) else []
    motion = (motion_table_of(scan), sidecar_of(scan))
    return (*of_fmriprep, *(path for path in motion if path is not None))


def what_is_missing(scan: Path, strategy: str) -> str | None:
    """One sentence on what a scan lacks to be denoised; None if that is not seen.

    Parameters
    ----------
    scan : pathlib.Path
    strategy : str
        Of `reading.DENOISING`.
    """
    source = file_label(scan)
    is_named = (_AROMA if strategy == "ica_aroma" else _SCANS).fullmatch(scan.name) is not None
    if not is_named or "sub" not in entities_of(scan.name)[0]:
        expected = "sub-..._desc-preproc_bold.nii.gz or sub-..._bold.dtseries.nii"
        if strategy == "ica_aroma":
            expected = "sub-..._desc-smoothAROMAnonaggr_bold.nii.gz"
        return (
            f"{source} is not named as fMRIPrep names a scan for --denoise {strategy}, expected "
            f"{expected}. Give the scan that fMRIPrep wrote under such a name, choose another "
            "strategy, or drop --denoise."
        )
    tables = [path for _, path in _fitting(scan) if path.suffix == ".tsv"]
    if not tables:
        return (
            f"There is no table of confounds beside {source}, expected "
            f"{_expected_table(scan)} and its .json in the same folder. Copy both there from "
            "fMRIPrep's output, or drop --denoise."
        )
    if len(tables) > 1:
        return (
            f"Beside {source} lie several tables of confounds that may be its own: "
            f"{listed_names(path.name for path in tables)}. Keep one in this folder, or drop "
            "--denoise."
        )
    return _missing_in(tables[0], strategy)


def _missing_in(table: Path, strategy: str) -> str | None:
    try:
        columns = read_table(table, "\t", ConnectomeError).columns
    except ConnectomeError:  # what nilearn says of a damaged table is as good
        return None
    needs = f"which the strategy {strategy!r} needs"
    advice = "Give the table as fMRIPrep wrote it, choose another strategy, or drop --denoise."
    missing = [column for column in _COLUMNS[strategy] if column not in columns]
    if strategy == "compcor" and not any(column.startswith(_COMPONENT) for column in columns):
        missing.append(f"{_COMPONENT}00")
    if missing:
        return f"{file_label(table)} lacks {listed_names(missing)}, {needs}. {advice}"
    sidecar = table.with_suffix(".json")
    if strategy == "compcor" and not sidecar.is_file():
        return (
            f"There is no {file_label(sidecar)} beside {file_label(table)}, {needs}: it says of "
            "which tissue a component is. Copy it there from fMRIPrep's output (1.4 or newer), "
            "choose another strategy, or drop --denoise."
        )
    return None


def _expected_table(scan: Path) -> str:
    """The name that fMRIPrep gives to the table of a scan."""
    entities, _ = entities_of(scan.name.split(".")[0])
    kept = [f"{key}-{value}" for key, value in entities.items() if key not in _OF_IMAGES]
    return one_line("_".join([*kept, "desc-confounds_timeseries.tsv"]))


def _fitting(scan: Path) -> list[tuple[int, Path]]:
    """Files of confounds with the entities of a scan or fewer, and how many they have."""
    entities, _ = entities_of(scan.name.split(".")[0])
    if "sub" not in entities:
        return []
    fitting: list[tuple[int, Path]] = []
    for other in sorted(scan.parent.iterdir()):
        found = _TABLE.fullmatch(other.name)
        if found is None:
            continue
        its, _ = entities_of(found[1])
        its.pop("desc")
        if its.items() <= entities.items():
            fitting.append((len(its), other))
    return fitting
