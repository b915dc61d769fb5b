"""Write a cohort to a folder, so that `TcpCohort` reads it back.

Either in the layout of the TCP release, with every series, or small, with a connectome per person
in place of the series.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from dtb_runtime.errors import MissingDependencyError, OutputError

from .cohorts import Bold, Cohort, Participant, Run
from .tcp_layout import (
    DATASET_NAME,
    KIND_KEY,
    MOTION_FOLDER,
    PARTICIPANTS_NAME,
    SERIES_FOLDER,
    WARNING_KEY,
    events_name,
    motion_name,
    series_folder_name,
    series_name,
)

DERIVATIVES = "derivatives"
TRUTH_NAME = "truth.tsv"
_OWN_ENTRIES = (PARTICIPANTS_NAME, DATASET_NAME, DERIVATIVES, TRUTH_NAME)
_DATASET = "timeseries"

Progress = Callable[[int, int], None] | None
"""Called with the number of people written and the number of all."""


def write_tcp(
    cohort: Cohort,
    out_dir: str | Path,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write events, resting series, task series and motion of everybody.

    Everything goes into a folder beside `out_dir` first, which takes its name at the end: a write
    that fails leaves nothing behind.

    Parameters
    ----------
    cohort : Cohort
        People with connectomes also need their resting scans (`Cohort.rest_runs`).
    out_dir : str or pathlib.Path
        BIDS folder to make; derivatives go into its folder ``derivatives``.
    force : bool
        Replace a folder that this function wrote before.
    progress : callable, optional
        Called with the number of people written and the number of all.

    Returns
    -------
    pathlib.Path
        `out_dir`; read it with ``TcpCohort(out_dir, out_dir / "derivatives")``.

    Raises
    ------
    OutputError
        If the folder exists (and `force` is not given, or it holds other things), or cannot be
        written.
    MissingDependencyError
        If h5py is not installed.
    """
    try:
        import h5py  # noqa: F401  (said here, before anything is written)
    except ImportError as cause:
        raise MissingDependencyError(
            "Writing the TCP's HDF5 series needs h5py, which is not installed: "
            'pip install "dtb-runtime[imaging]".'
        ) from cause

    return _write_folder(cohort, Path(out_dir), _write_all_series, force, progress)


def write_connectomes(
    cohort: Cohort,
    out_dir: str | Path,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write events and connectomes of everybody, and what a simulation knows about them.

    A connectome is ``sub-<id>/sub-<id>_atlas-<parcellation>_connectome.npz``, as `read_connectome`
    reads it, with its region labels; ``truth.tsv`` has one row per person. Needs no h5py, and a
    person takes a tenth of the space that the series take. Like `write_tcp` it leaves nothing
    behind when it fails.

    Parameters
    ----------
    cohort, out_dir, force, progress
        As in `write_tcp`.

    Returns
    -------
    pathlib.Path
        `out_dir`; ``TcpCohort(out_dir)`` reads the trials back.

    Raises
    ------
    OutputError
        As `write_tcp`.
    """
    return _write_folder(cohort, Path(out_dir), _write_all_connectomes, force, progress)


def _write_folder(
    cohort: Cohort,
    target: Path,
    write: Callable[[Cohort, Path, Progress], None],
    force: bool,
    progress: Progress,
) -> Path:
    _check_target(target, force)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as cause:
        raise OutputError(
            f"{target} cannot be written: {cause.strerror or cause}. Choose another folder."
        ) from cause
    try:
        write(cohort, partial, progress)
        partial.chmod(0o755)  # mkdtemp gives 0o700, which is not what mkdir would have made
        _put_in_place(partial, target)
    except OSError as cause:
        raise OutputError(
            f"{target} cannot be written: {cause.strerror or cause}. Choose another folder."
        ) from cause
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _put_in_place(fresh: Path, target: Path) -> None:
    """Move a new cohort into place; an old one is removed when the new one is there."""
    if not target.exists():
        fresh.rename(target)
        return
    replaced = Path(mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        target.rename(replaced / "old")
        fresh.rename(target)
    except BaseException:
        if (replaced / "old").exists():
            (replaced / "old").rename(target)
        raise
    finally:
        shutil.rmtree(replaced, ignore_errors=True)


def _check_target(target: Path, force: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{target} is a file, expected a folder to make. Choose another name.")
    others = [
        path.name
        for path in sorted(target.iterdir())
        if path.name not in _OWN_ENTRIES and not path.name.startswith("sub-")
    ]
    if others:
        raise OutputError(
            f"{target} holds other things ({', '.join(others[:3])}), so it is not replaced. "
            "Choose a new folder."
        )
    if any(target.iterdir()) and not force:
        raise OutputError(
            f"{target} exists. Choose a new folder, or replace it with --force (force=True)."
        )


def _write_all_series(cohort: Cohort, folder: Path, progress: Progress) -> None:
    people = cohort.participants
    _write_dataset(cohort, folder)
    series = folder / DERIVATIVES / SERIES_FOLDER
    for number, person in enumerate(people, start=1):
        _write_all_events(person, folder)
        of_person = series / series_folder_name(person.participant_id)
        for run in person.runs:
            bold = run.bold
            if bold is not None:
                _write_series(bold, of_person / series_name(run.run))
        if person.connectome_source is not None:
            for name, rest in cohort.rest_runs(person.participant_id).items():
                _write_series(rest, of_person / series_name(name))
        if progress is not None:
            progress(number, len(people))
    _write_motion(people, folder / DERIVATIVES / MOTION_FOLDER)


def _write_all_connectomes(cohort: Cohort, folder: Path, progress: Progress) -> None:
    people = cohort.participants
    _write_dataset(cohort, folder)
    _write_truth(people, folder / TRUTH_NAME)
    atlas = f"_atlas-{cohort.parcellation.name}" if cohort.parcellation else ""
    for number, person in enumerate(people, start=1):
        _write_all_events(person, folder)
        connectome = person.connectome
        if connectome is not None:
            labels = {} if connectome.labels is None else {"labels": np.array(connectome.labels)}
            name = f"{person.participant_id}{atlas}_connectome.npz"
            np.savez(
                folder / person.participant_id / name,
                allow_pickle=False,
                connectome=connectome.correlations,
                **labels,
            )
        if progress is not None:
            progress(number, len(people))


def _write_dataset(cohort: Cohort, folder: Path) -> None:
    _write_participants(cohort.participants, folder / PARTICIPANTS_NAME)
    description = {
        "Name": f"{cohort.kind} cohort in the layout of the Transdiagnostic Connectome Project",
        "BIDSVersion": "1.9.0",
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "dtb-runtime", "Description": cohort.description}],
        KIND_KEY: cohort.kind,
        WARNING_KEY: cohort.warning,
    }
    (folder / DATASET_NAME).write_text(json.dumps(description, indent=2) + "\n")


def _write_all_events(person: Participant, folder: Path) -> None:
    func = folder / person.participant_id / "func"
    func.mkdir(parents=True)
    for run in person.runs:
        _write_events(run, func / events_name(person.participant_id, run.run))


def _write_truth(people: Sequence[Participant], path: Path) -> None:
    truths = {person.participant_id: person.truth for person in people if person.truth is not None}
    columns = list(dict.fromkeys(name for truth in truths.values() for name in truth))
    rows = [
        [participant_id, *(repr(float(truth[name])) for name in columns)]
        for participant_id, truth in truths.items()
    ]
    if rows:
        _write_table(path, ["participant_id", *columns], rows)


def _write_participants(people: Sequence[Participant], path: Path) -> None:
    columns = list(dict.fromkeys(name for person in people for name in person.phenotype))
    rows = [
        [person.participant_id, *(str(person.phenotype.get(name, "n/a")) for name in columns)]
        for person in people
    ]
    _write_table(path, ["participant_id", *columns], rows)


def _write_events(run: Run, path: Path) -> None:
    events = run.events
    columns: dict[str, Sequence[str]] = {
        # repr gives the shortest text that reads back as the same number
        "onset": [repr(value) for value in events.onset_s.tolist()],
        "duration": [repr(value) for value in events.duration_s.tolist()],
        "trial_type": events.trial_type,
    }
    columns |= events.columns
    columns |= _responses(run)
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    _write_table(path, list(columns), rows)


def _responses(run: Run) -> Mapping[str, Sequence[str]]:
    if "response_time" in run.events.columns:
        return {}  # they are the run's own columns already, in full precision
    times = run.responses.response_time_s.tolist()
    return {
        "response_time": ["n/a" if np.isnan(value) else repr(value) for value in times],
        "accuracy_binarized": [f"{value:.1f}" for value in run.responses.correct.astype(float)],
    }


def _write_series(series: Bold, path: Path) -> None:
    import h5py

    # By way of memory: HDF5 that runs out of disk keeps the file open and fails again at exit.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset(_DATASET, data=np.ascontiguousarray(series.T, np.float64))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def _write_motion(people: Sequence[Participant], folder: Path) -> None:
    runs = dict.fromkeys(run for person in people for run in person.motion_fd)
    for run in runs:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / motion_name(run)).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            for person in people:
                if run in person.motion_fd:
                    values = [repr(value) for value in person.motion_fd[run].tolist()]
                    writer.writerow([series_folder_name(person.participant_id), *values])


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
