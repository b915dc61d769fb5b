"""The Transdiagnostic Connectome Project as a cohort: BIDS events, and series where present."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import CohortError, EventsError, UsageError
from dtb_runtime.events import read_events
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.tasks import TASKS

from .cohorts import Bold, CohortKind, Participant, Run, connectome_from_rest
from .tcp_layout import (
    MOTION_FOLDER,
    N_REGIONS,
    REST_RUNS,
    TASK_RUNS,
    existing_folder,
    find_series_folder,
    motion_name,
    parse_events_name,
    read_dataset,
    read_phenotypes,
    series_folder_name,
    series_name,
)
from .tcp_series import fault_of, read_motion, read_series

MIN_REST_FRAMES = 200
"""People with less rest than this in all runs together (160 s) are left out."""


class TcpCohort:
    """Real people: their trials, and their connectomes and BOLD if the derivatives are there.

    Every series is read once to check it; then connectomes and BOLD are read again when asked for,
    since all of them do not fit into memory.

    Parameters
    ----------
    bids_dir : str or Path
        Folder with ``sub-<id>/func/sub-<id>_task-<run>_events.tsv`` and ``participants.tsv``.
    derivatives : str or Path, optional
        Folder that holds the parcellated series and, where present, ``motion_FD``. Without it,
        participants have neither connectome nor BOLD.
    parcellation : Parcellation, optional
        Regions of the series; without it 434 regions are expected and stay unnamed.
    min_rest_frames : int
        Frames of rest, over all runs, below which a person is left out.

    Attributes
    ----------
    skipped : mapping of str to str
        People that were left out and why.
    notes : tuple of str
        Runs and files of the others that were left out and why.

    Raises
    ------
    CohortError
        If a folder is missing or not of this layout, or nobody can be used.
    MissingDependencyError
        If there are series and h5py is not installed.
    """

    def __init__(
        self,
        bids_dir: str | Path,
        derivatives: str | Path | None = None,
        *,
        parcellation: Parcellation | None = None,
        min_rest_frames: int = MIN_REST_FRAMES,
    ) -> None:
        self._bids = existing_folder(bids_dir, "BIDS folder")
        self._series = None if derivatives is None else find_series_folder(derivatives)
        self._dataset = read_dataset(self._bids)
        self._parcellation = parcellation
        self._n_regions = parcellation.n_regions if parcellation else N_REGIONS
        self._rest: dict[str, tuple[str, ...]] = {}
        self._connectome: Callable[[str], Connectome] = lru_cache(4)(self._read_connectome)
        self._bold: Callable[[str, str], Bold] = lru_cache(6)(self._read_bold)
        skipped: dict[str, str] = {}
        notes: list[str] = []
        phenotypes = read_phenotypes(self._bids)
        motion = self._read_motion(notes)
        people = []
        for participant_id in self._ids(phenotypes):
            runs, faults = self._runs(participant_id)
            reason = None
            if not runs:
                found = f" ({faults[0]})" if faults else ""
                reason = f"no events of {' or '.join(TASKS)} that can be used{found}"
            elif self._series is not None:
                reason = self._check_rest(participant_id, min_rest_frames, faults)
            if reason is not None:
                skipped[participant_id] = reason
                continue
            notes.extend(faults)
            people.append(
                Participant(
                    participant_id=participant_id,
                    runs=runs,
                    connectome_source=(
                        None if self._series is None else partial(self._connectome, participant_id)
                    ),
                    phenotype=phenotypes.get(participant_id, MappingProxyType({})),
                    motion_fd=MappingProxyType(
                        {
                            run: of[participant_id]
                            for run, of in motion.items()
                            if participant_id in of
                        }
                    ),
                )
            )
        self._participants = tuple(people)
        self.skipped: Mapping[str, str] = MappingProxyType(skipped)
        self.notes: tuple[str, ...] = tuple(notes)
        if not people:
            first = next(iter(skipped.items()), None)
            because = f"; the first, {first[0]}: {first[1]}" if first else ""
            raise CohortError(
                f"None of the {len(skipped)} participants of {self._bids} can be used{because}."
            )

    @property
    def participants(self) -> Sequence[Participant]:
        """Everybody who can be used, sorted by id."""
        return self._participants

    @property
    def parcellation(self) -> Parcellation | None:
        """Regions of connectomes and BOLD, as given."""
        return self._parcellation

    @property
    def kind(self) -> CohortKind:
        """``"real"``, unless the folder's description says that we wrote simulated people."""
        return self._dataset.kind

    @property
    def description(self) -> str:
        """One sentence for model cards."""
        has = "connectomes, " if self._series is not None else ""
        if any(run.has_bold for person in self.participants for run in person.runs):
            has += "task BOLD, "
        who = "people" if self.kind == "real" else f"people of a {self.kind} cohort"
        return (
            f"{len(self.participants)} {who} with {has}trials of {' and '.join(TASKS)} "
            f"(layout of the Transdiagnostic Connectome Project); {len(self.skipped)} left out."
        )

    @property
    def warning(self) -> str | None:
        """None for real people; what a simulated cohort was written with otherwise."""
        return self._dataset.warning

    def rest_runs(self, participant_id: str) -> Mapping[str, Bold]:
        """Return a participant's resting scans by run name, each (n_frames, n_regions).

        Raises
        ------
        UsageError
            If there is no such participant, or no derivatives were given.
        """
        if participant_id not in self._rest:
            raise UsageError(
                f"There are no resting scans of {participant_id!r} here. Name a participant of "
                "this cohort, and give its derivatives folder."
            )
        return {
            run: read_series(self._path(participant_id, run), self._n_regions)
            for run in self._rest[participant_id]
        }

    def _ids(self, phenotypes: Mapping[str, Mapping[str, str]]) -> list[str]:
        folders = {path.name for path in self._bids.glob("sub-*") if path.is_dir()}
        if not folders:
            raise CohortError(
                f"Expected participants' folders sub-<id> in {self._bids}, found none. "
                "Give the folder that holds participants.tsv."
            )
        return sorted(folders | set(phenotypes))

    def _runs(self, participant_id: str) -> tuple[tuple[Run, ...], list[str]]:
        runs, faults = [], []
        for path in sorted((self._bids / participant_id / "func").glob("*_events.tsv")):
            parsed = parse_events_name(path.name)
            if parsed is None or parsed[0] != participant_id or parsed[1] not in TASKS:
                continue
            _, task, run = parsed
            try:
                events = read_events(path, task)
                responses = Responses.from_events(events)
            except EventsError as fault:
                faults.append(str(fault))
                continue
            has_bold = self._check_bold(participant_id, run, faults)
            source = partial(self._bold, participant_id, run) if has_bold else None
            runs.append(Run(task, run, events, responses, source))
        runs.sort(key=lambda run: (*(run.run != known for known in TASK_RUNS), run.run))
        return tuple(runs), faults

    def _check_bold(self, participant_id: str, run: str, faults: list[str]) -> bool:
        if self._series is None:
            return False
        if not self._path(participant_id, run).is_file():
            faults.append(f"{participant_id}: no BOLD of {run}.")
            return False
        return self._checked_length(participant_id, run, faults) > 0

    def _check_rest(
        self, participant_id: str, min_rest_frames: int, faults: list[str]
    ) -> str | None:
        """Find a person's usable resting runs; return why there are not enough of them."""
        here = len(faults)
        n_frames, usable = 0, []
        for run in REST_RUNS:
            if self._path(participant_id, run).is_file():
                length = self._checked_length(participant_id, run, faults)
                if length:
                    usable.append(run)
                    n_frames += length
        if n_frames >= max(min_rest_frames, 1):
            self._rest[participant_id] = tuple(usable)
            return None
        if not usable and len(faults) == here:
            return "no resting series"
        because = f" ({' '.join(faults[here:])})" if len(faults) > here else ""
        return f"{n_frames} usable frames of rest, at least {min_rest_frames} are needed{because}"

    def _checked_length(self, participant_id: str, run: str, faults: list[str]) -> int:
        try:
            series = read_series(self._path(participant_id, run), self._n_regions)
        except CohortError as fault:
            faults.append(f"{participant_id}: {fault}")
            return 0
        fault_found = fault_of(series)
        if fault_found is not None:
            faults.append(f"{participant_id}, {series_name(run)}: {fault_found}.")
            return 0
        return len(series)

    def _read_connectome(self, participant_id: str) -> Connectome:
        labels = self._parcellation.labels if self._parcellation else None
        return connectome_from_rest(
            self.rest_runs(participant_id), labels=labels, source=participant_id
        )

    def _read_bold(self, participant_id: str, run: str) -> Bold:
        bold = read_series(self._path(participant_id, run), self._n_regions)
        bold.setflags(write=False)
        return bold

    def _path(self, participant_id: str, run: str) -> Path:
        if self._series is None:
            raise CohortError(
                f"{self._bids} was read without its derivatives, so there are no series of "
                f"{participant_id}. Give the derivatives folder."
            )
        return self._series / series_folder_name(participant_id) / series_name(run)

    def _read_motion(self, notes: list[str]) -> dict[str, Mapping[str, NDArray[np.float64]]]:
        motion: dict[str, Mapping[str, NDArray[np.float64]]] = {}
        if self._series is None:
            return motion
        for run in (*REST_RUNS, *TASK_RUNS):
            path = self._series.parent / MOTION_FOLDER / motion_name(run)
            if path.is_file():
                try:
                    motion[run] = read_motion(path)
                except CohortError as fault:
                    notes.append(str(fault))
        return motion
