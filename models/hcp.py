"""People of the Human Connectome Project: rest, and activations of the emotion task per region.

There are no trials and no task BOLD here, only what a GLM made of them: one estimate per region for
faces and one for shapes. So these people can judge one thing that a twin says, the map of
face > shape, and it is real brains that judge it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import CohortError, DataError, UsageError
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.readers import read_array

from .cohorts import Bold, CohortKind, Participant, connectome_from_rest
from .response_maps import read_betas
from .tcp_layout import existing_folder

REST_RUN = "rest"
N_REGIONS = 360
"""Regions where no parcellation is given: Glasser's."""
REST_PATTERN = "{id}_task-rest_*_timeseries.npy"
BETAS_PATTERN = "{id}_task-emotion_*_betas.tsv"


class HcpCohort:
    """Real people with a resting scan and an activation map, and nothing else.

    Parameters
    ----------
    folder : str or Path
        Holds ``sub-<id>/sub-<id>_task-rest_*_timeseries.npy`` (frames by regions) and
        ``sub-<id>/sub-<id>_task-emotion_*_betas.tsv`` (columns ``faces`` and ``shapes``, one row
        per region).
    parcellation : Parcellation, optional
        Regions of both, in their order; without it 360 regions are expected and stay unnamed.
    remove_global_signal : bool
        Regress the mean over regions out of rest, as was done to the scans that bundles are
        trained on. These scans come with it, which raises every correlation by about 0.14.

    Attributes
    ----------
    skipped : mapping of str to str
        People that were left out and why.

    Raises
    ------
    CohortError
        If the folder is missing or not of this layout, or nobody can be used.
    """

    def __init__(
        self,
        folder: str | Path,
        parcellation: Parcellation | None = None,
        *,
        remove_global_signal: bool = True,
    ) -> None:
        self._folder = existing_folder(folder, "folder of resting scans and activations")
        self._parcellation = parcellation
        self._n_regions = parcellation.n_regions if parcellation else N_REGIONS
        self._remove_global_signal = remove_global_signal
        self._connectome: Callable[[str], Connectome] = lru_cache(16)(self._read_connectome)
        ids = sorted(path.name for path in self._folder.glob("sub-*") if path.is_dir())
        if not ids:
            raise CohortError(
                f"Expected participants' folders sub-<id> in {self._folder}, found none. Give the "
                "folder that holds them."
            )
        skipped: dict[str, str] = {}
        self._betas: dict[str, NDArray[np.float64]] = {}
        for participant_id in ids:
            try:
                self._rest(participant_id)
                betas = read_betas(self._file(participant_id, BETAS_PATTERN), self._n_regions)
            except DataError as fault:
                skipped[participant_id] = str(fault)
                continue
            betas.setflags(write=False)
            self._betas[participant_id] = betas
        self.skipped: Mapping[str, str] = MappingProxyType(skipped)
        if not self._betas:
            first = next(iter(skipped.items()))
            raise CohortError(
                f"None of the {len(ids)} participants of {self._folder} can be used; the first, "
                f"{first[0]}: {first[1]}"
            )
        self._participants = tuple(
            Participant(
                participant_id=participant_id,
                runs=(),
                connectome_source=partial(self._connectome, participant_id),
            )
            for participant_id in self._betas
        )

    @property
    def participants(self) -> Sequence[Participant]:
        """Everybody who can be used, sorted by id; nobody has task runs."""
        return self._participants

    @property
    def parcellation(self) -> Parcellation | None:
        """Regions of connectomes and maps, as given."""
        return self._parcellation

    @property
    def kind(self) -> CohortKind:
        """``"real"``."""
        return "real"

    @property
    def description(self) -> str:
        """Two sentences for model cards and reports."""
        signal = "removed" if self._remove_global_signal else "kept"
        return (
            f"{len(self._participants)} real people of the Human Connectome Project with rest "
            f"(global signal {signal}) and face and shape activations in {self._n_regions} "
            f"regions; {len(self.skipped)} left out. HCP Open Access Data Use Terms."
        )

    @property
    def warning(self) -> None:
        """None: nothing is simulated."""
        return

    def rest_runs(self, participant_id: str) -> Mapping[str, Bold]:
        """Return a participant's resting scan, shape (n_frames, n_regions), at TR 0.72 s.

        Without the global signal unless it was to be kept.

        Raises
        ------
        UsageError
            If there is no such participant.
        """
        self._known(participant_id)
        series = self._rest(participant_id)
        return {REST_RUN: without_global_signal(series) if self._remove_global_signal else series}

    def activations(self, participant_id: str) -> NDArray[np.float64]:
        """Return a participant's estimates for faces and shapes, shape (n_regions, 2).

        Raises
        ------
        UsageError
            If there is no such participant.
        """
        self._known(participant_id)
        return self._betas[participant_id]

    def face_shape_maps(self) -> NDArray[np.float64]:
        """Return everybody's face > shape estimates, shape (n_people, n_regions).

        Rows are in the order of `participants`.
        """
        betas = np.stack(list(self._betas.values()))
        return np.asarray(betas[:, :, 0] - betas[:, :, 1])

    def _known(self, participant_id: str) -> None:
        if participant_id not in self._betas:
            raise UsageError(
                f"This cohort has no participant {participant_id!r}; its ids look like "
                f"{self._participants[0].participant_id!r}."
            )

    def _file(self, participant_id: str, pattern: str) -> Path:
        name = pattern.format(id=participant_id)
        found = sorted((self._folder / participant_id).glob(name))
        if len(found) != 1:
            raise CohortError(
                f"Expected one file {name} in {self._folder / participant_id}, found {len(found)}."
            )
        return found[0]

    def _rest(self, participant_id: str) -> Bold:
        path = self._file(participant_id, REST_PATTERN)
        series = read_array(path).values.astype(np.float32)
        if series.shape[1] != self._n_regions:
            raise CohortError(
                f"{path.name} must hold {self._n_regions} regions in its columns, found "
                f"{series.shape[0]} x {series.shape[1]}. Give the parcellation it belongs to."
            )
        return series

    def _read_connectome(self, participant_id: str) -> Connectome:
        labels = self._parcellation.labels if self._parcellation else None
        return connectome_from_rest(
            self.rest_runs(participant_id), labels=labels, source=participant_id
        )


def without_global_signal(series: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return a scan with each region's mean, and what it shares with the mean region, taken out.

    Parameters
    ----------
    series : numpy.ndarray, shape (n_frames, n_regions)

    Returns
    -------
    numpy.ndarray, shape (n_frames, n_regions), float32
        Every column has mean 0 and is uncorrelated with the mean of the centered columns.
    """
    centered = series - series.mean(axis=0, dtype=np.float64)
    signal = centered.mean(axis=1)
    power = signal @ signal
    if power > 0:
        centered -= np.outer(signal, signal @ centered / power)
    return np.asarray(centered, np.float32)
