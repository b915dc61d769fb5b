"""Where fMRIPrep's tables of confounds lie: beside the scan, under a name that fits."""

from __future__ import annotations

import re
from pathlib import Path

from .bids_hints import entities_of
from .meant_files import is_scan

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
    as a matrix, depends on nothing beside it.
    """
    return tuple(path for _, path in _fitting(scan)) if is_scan(scan.name) else ()


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
