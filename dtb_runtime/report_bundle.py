"""The bundle that files were made with: its norms and where its regions lie.

It is found by the name that files give, among the bundles that ship, and taken only if its digest
is the one in the files. No network of it is loaded, so a report needs no ONNX Runtime.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bundle_files import read_bundle_files
from .bundle_layout import NORMS_FILE
from .bundle_loading import available_bundles, find_bundle
from .errors import UsageError
from .manifest import Manifest
from .norms import Norms
from .norms_file import read_norms
from .tables import one_line, shown

_DIGITS = 12
"""Of a digest, in messages."""


@dataclass(frozen=True, slots=True)
class Made:
    """With which bundle files were made, as they say."""

    bundle: str
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class ReportBundle:
    """A verified bundle, as far as a report needs it."""

    manifest: Manifest
    norms: Norms

    def norm(self, indicator: str, *, of_mean_twin: bool) -> NDArray[np.float64] | None:
        """Percentiles 0 to 100 of an indicator in the training cohort, shape (101,); or None.

        Parameters
        ----------
        indicator : str
        of_mean_twin : bool
            For twins at the mean of what a connectome tells, as `Norms.indicator_percentile` takes
            them: such twins have a little more or less than people do.
        """
        quantiles = self.norms.indicator_quantiles.get(indicator)
        if quantiles is None:
            return None
        shift = self.norms.indicator_offsets.get(indicator, 0.0) if of_mean_twin else 0.0
        moved: NDArray[np.float64] = quantiles + shift
        return moved

    def places(self, labels: tuple[str, ...]) -> NDArray[np.float64]:
        """MNI coordinates of regions in mm, shape (labels, 3); NaN where they are not known."""
        found = np.full((len(labels), 3), np.nan)
        parcellation = self.manifest.parcellation
        if parcellation is not None:
            rows = {label: row for row, label in enumerate(parcellation.labels)}
            for place, label in enumerate(labels):
                if label in rows:
                    found[place] = parcellation.coordinates[rows[label]]
        return found

    def networks(self) -> dict[str, str]:
        """Region label to the network it is in, empty where that is not known."""
        parcellation = self.manifest.parcellation
        if parcellation is None:
            return {}
        return dict(zip(parcellation.labels, parcellation.network, strict=True))

    def structure(self, name: str) -> tuple[str, ...]:
        """Labels of the regions of an anatomical structure; none where there is none."""
        parcellation = self.manifest.parcellation
        return () if parcellation is None else parcellation.structures.get(name, ())


def one_bundle(made: list[tuple[str, Made]]) -> Made:
    """The bundle that all files were made with.

    Parameters
    ----------
    made : list of (str, Made)
        Name of a file, and what it says. At least one.

    Raises
    ------
    UsageError
        Two of them say different bundles.
    """
    (first_file, first), *rest = made
    for file, other in rest:
        if other.digest != first.digest:
            raise UsageError(
                f"{file} was made with the bundle {_told(other)}, {first_file} with "
                f"{_told(first)}. Make a report of each."
            )
    return first


def find_report_bundle(made: Made, given: str | None) -> tuple[ReportBundle | None, str]:
    """Find and verify the bundle that files were made with.

    Parameters
    ----------
    made : Made
    given : str, optional
        Name or folder that the user gave; by default the shipped bundle of the name in the files.

    Returns
    -------
    bundle : ReportBundle or None
    problem : str
        Why there is none; empty where there is one.

    Raises
    ------
    UsageError
        The bundle that was given is another one.
    BundleError
        It is damaged.
    """
    if given is not None:
        folder = find_bundle(given)
    else:
        # By name only inside the package: a name from a file must not become a path.
        shipped = {info.name: info.folder for info in available_bundles()}
        if made.bundle not in shipped:
            return None, (
                f"the bundle {_told(made)} is none of those that ship; give its folder with "
                "--bundle"
            )
        folder = shipped[made.bundle]
    files = read_bundle_files(folder)
    if files.digest != made.digest:
        if given is not None:
            raise UsageError(
                f"The files were made with the bundle {_told(made)}, but --bundle gives "
                f"{_told(Made(files.manifest.name, files.digest))}. Give the one that they were "
                "made with."
            )
        return None, (
            f"the bundle {_told(made)} is another one than that of this name that ships (digest "
            f"{files.digest[:_DIGITS]}); give its folder with --bundle"
        )
    return ReportBundle(files.manifest, read_norms(files.contents[NORMS_FILE], files.manifest)), ""


def _told(made: Made) -> str:
    return f"{shown(made.bundle)} (digest {one_line(made.digest[:_DIGITS])})"
