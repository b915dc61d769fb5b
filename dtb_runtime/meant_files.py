"""Which of several files are meant, by what their BIDS names say.

`dtb-run score` and `dtb-run bids` find files in two ways and choose among them by the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from .bids_hints import hints_of
from .errors import ConnectomeError

MATRIX_SUFFIXES = ("connectome", "relmat", "conmat", "boldmap")
"""Last part of a BIDS file name, before the ending, that says it is a connectome."""
SERIES_SUFFIXES = ("timeseries",)
"""The same for time series."""
MAP_SUFFIX = "boldmap"
"""Of XCP-D's matrices as CIFTI-2, and of its maps, which are no matrices."""
_MATRIX_OF_PARCELS = ".pconn.nii"
_OTHER_NAMES: Mapping[str, frozenset[str]] = MappingProxyType(
    {"glasser360": frozenset({"glasser"})}  # XCP-D's name for it
)
"""How else a parcellation is called in names of files, in lower case."""
_REST = "rest"  # BIDS: labels of resting-state tasks begin with it
_NO_REGIONS = frozenset({"confounds", "motion", "outliers"})
"""``desc-`` of tables that have the suffix ``timeseries`` and no regions: those of fMRIPrep."""
# CIFTI-2 says what it holds in the part before .nii: of these only .dtseries is a scan.
_SCAN = re.compile(r"(?i:(?<!scalar)(?<!label)(?<!conn)(?<!ptseries)\.nii(\.gz)?)\Z")
_CIFTI_OF_PARCELS = re.compile(r"(?i:(_boldmap\.pconn|\.ptseries)\.nii)\Z")
_GRAYORDINATES = re.compile(r"(?i:\.(dtseries|dlabel)\.nii)\Z")


def is_scan(name: str) -> bool:
    """Whether a file's name ends as scans of voxels or grayordinates do."""
    return _SCAN.search(name) is not None


def is_of_grayordinates(name: str) -> bool:
    """Whether a scan or a parcellation is CIFTI-2, by its name; others are of voxels."""
    return _GRAYORDINATES.search(name) is not None


def may_be_matrix(suffix: str, name: str) -> bool:
    """Whether a file with one of `MATRIX_SUFFIXES` may hold a matrix.

    XCP-D writes ``stat-pearsoncorrelation_boldmap.pconn.nii``, and maps such as
    ``stat-alff_boldmap.nii.gz`` and ``stat-coverage_boldmap.pscalar.nii``.
    """
    return suffix != MAP_SUFFIX or name.lower().endswith(_MATRIX_OF_PARCELS)


def is_beside_a_table(name: str) -> bool:
    """Whether a file is CIFTI-2 of parcels, which XCP-D writes beside tables with the same numbers.

    Of matrices ``..._boldmap.pconn.nii``, of series ``..._timeseries.ptseries.nii``.
    """
    return _CIFTI_OF_PARCELS.search(name) is not None


def is_of_another_measure(stem: str) -> bool:
    """Whether a file's name without its ending says that it holds no correlations.

    giga_connectome may write ``meas-PartialCorrelation`` beside ``meas-PearsonCorrelation``.
    """
    try:
        hints_of(stem, stem)
    except ConnectomeError:
        return True
    return False


def is_of_rest(task: str | None) -> bool:
    """Whether a file is of rest, by its ``task-``; one without a task is taken as of rest."""
    return task is None or task.lower().startswith(_REST)


def names_of(parcellation: str | None) -> frozenset[str]:
    """What ``atlas-`` or ``seg-`` of a file of this parcellation may be, in lower case."""
    if parcellation is None:
        return frozenset()
    name = parcellation.lower()
    return frozenset({name}) | _OTHER_NAMES.get(name, frozenset())


def has_regions(description: str | None) -> bool:
    """Whether a table ``_timeseries`` may be of regions, by its ``desc-``."""
    return description is None or description.lower() not in _NO_REGIONS
