"""What is known about a connectome that a twin was made from: what every output says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .connectome import Connectome

FACTS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "mean_r": ("Mean correlation over all pairs of regions", None),
        "sd_r": ("SD of the correlations over all pairs of regions", None),
        "n_timepoints": ("Time points of the series that it was computed from", None),
        "mean_fd_mm": ("Mean framewise displacement of the scan", "mm"),
        "n_imputed": ("Regions without data that were taken from the bundle's cohort", None),
    }
)
"""Those that are numbers: what each is, and its unit."""

BY_NAME = "by name"
BY_POSITION = (
    "by position, since it has no names: taken to be in the order of the bundle, which nobody can "
    "check"
)


@dataclass(frozen=True, slots=True)
class ConnectomeFacts:
    """How good a connectome is, as far as it shows."""

    taken_for: str
    """What the numbers of the file were taken for, and why."""
    regions: str
    """How its regions were told: by their names, or by position where the file has none."""
    mean_r: float
    """Mean correlation over edges."""
    sd_r: float
    """SD of the correlations over edges."""
    n_timepoints: int | None = None
    """Length of the time series, where it came from one."""
    mean_fd_mm: float | None = None
    """Mean framewise displacement of the scan in mm, where the file came with it."""
    imputed: tuple[str, ...] = ()
    """Regions without data that were taken from the bundle's cohort."""

    @classmethod
    def of(cls, connectome: Connectome) -> ConnectomeFacts:
        """The facts of a connectome without gaps; of one with imputed regions over all edges.

        Parameters
        ----------
        connectome : Connectome
            In the order of the bundle (`Connectome.aligned`).
        """
        upper = connectome.correlations[np.triu_indices(connectome.n_regions, k=1)]
        return cls(
            taken_for=connectome.taken_for,
            regions=BY_POSITION if connectome.is_by_position else BY_NAME,
            mean_r=float(upper.mean(dtype=np.float64)),
            sd_r=float(upper.std(dtype=np.float64)),
            n_timepoints=connectome.n_timepoints,
            mean_fd_mm=connectome.mean_fd_mm,
            imputed=connectome.imputed,
        )

    @property
    def numbers(self) -> dict[str, float]:
        """Those of `FACTS` that are known."""
        known = {
            "mean_r": self.mean_r,
            "sd_r": self.sd_r,
            "n_timepoints": self.n_timepoints,
            "mean_fd_mm": self.mean_fd_mm,
            "n_imputed": len(self.imputed),
        }
        return {name: value for name, value in known.items() if value is not None}

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, numbers in six digits."""
        return {
            "taken_for": self.taken_for,
            "regions": self.regions,
            "mean_r": float(f"{self.mean_r:.6g}"),
            "sd_r": float(f"{self.sd_r:.6g}"),
            "n_timepoints": self.n_timepoints,
            "mean_fd_mm": None if self.mean_fd_mm is None else float(f"{self.mean_fd_mm:.6g}"),
            "imputed": list(self.imputed),
        }
