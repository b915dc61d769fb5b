"""How a connectome's file is to be read, where the file does not say it itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from .errors import UsageError

DENOISING = ("simple", "scrubbing", "compcor", "ica_aroma")
"""Strategies of `nilearn.interfaces.fmriprep.load_confounds_strategy`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the caller says about files; the defaults leave everything to the file.

    Raises
    ------
    UsageError
        Two of the fields exclude each other, or one has no such value.
    """

    fisher_z: bool = False
    """The matrix holds Fisher z instead of correlations."""
    timeseries: bool = False
    """The file holds time series (time by regions)."""
    variable: str | None = None
    """Which array of a file with several: its name in ``.npz`` and ``.mat`` (``sub.fc`` for a
    field of a struct), the data set's path in ``.h5``."""
    atlas: str | None = None
    """File of the parcellation that a scan of voxels or grayordinates is averaged over: a label
    image (``.nii``, ``.nii.gz``) or a ``.dlabel.nii``."""
    atlas_labels: str | None = None
    """Table of the names of a label image's regions."""
    denoise: str | None = None
    """Strategy by which the confounds of fMRIPrep are regressed out of a scan, of `DENOISING`."""
    resample: bool = False
    """Bring the label image to the grid of the scan, where they differ."""
    impute: bool = False
    """Take regions without data from the bundle's cohort, up to 5 % of them."""

    def __post_init__(self) -> None:
        if self.fisher_z and self.timeseries:
            raise UsageError(
                "Fisher z and time series exclude each other: a time series has no correlations "
                "yet. Pass --timeseries alone."
            )
        if self.denoise is not None and self.denoise not in DENOISING:
            raise UsageError(
                f"There is no denoising strategy {self.denoise!r}. Expected one of "
                f"{', '.join(DENOISING)} (those of nilearn's load_confounds_strategy)."
            )

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the fields that say something."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name))

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)
