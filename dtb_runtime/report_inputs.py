"""Which files a report is made from: told by the names that our own commands give them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from . import arm_tables, cohort_table, intervention_outputs, run_file
from .bids_places import BEHAVIOR, FUNCTIONAL
from .errors import DataError, OutputError, UsageError
from .participants import checked_participant_id
from .tables import file_label, listed_names, one_line
from .tasks import TASKS

TableKind = Literal["events", "timeseries", "contrasts"]
_SUMMARY = re.compile(r"(sub-[A-Za-z0-9]+(?:_ses-[A-Za-z0-9]+)?)_desc-twin_summary\.json")
_TABLE = re.compile(
    r"(sub-[A-Za-z0-9]+(?:_ses-[A-Za-z0-9]+)?)_task-([A-Za-z0-9]+)_desc-twin_"
    rf"({'|'.join(get_args(TableKind))})\.tsv"
)
_INTERVENTION = (
    intervention_outputs.SUMMARY_FILE,
    intervention_outputs.EDGES_FILE,
    intervention_outputs.TRADE_OFF_FILE,
)
_COHORT = (cohort_table.TABLE_FILE, cohort_table.SIDECAR_FILE, run_file.RUN_FILE)
_TRIAL = (arm_tables.SUMMARY_FILE, arm_tables.TABLE_FILE)
_EXPECTED = (
    "sub-<label>_desc-twin_summary.json and the tables beside it (predict, calibrate), what "
    f"--json of these printed (.json), {_INTERVENTION[0]} (intervene), {_COHORT[0]} (score) or "
    f"{_TRIAL[0]} (trial)"
)


@dataclass(frozen=True, slots=True)
class PersonFiles:
    """The forecast of one person in one folder."""

    label: str
    """``sub-01`` or ``sub-01_ses-1``, with which the names of files begin."""
    summary: Path | None
    tables: tuple[tuple[str, TableKind, Path], ...]
    """Task, kind and place of each table, in that order."""

    def of(self, kind: TableKind) -> list[tuple[str, Path]]:
        """Task and place of each table of a kind."""
        return [(task, path) for task, each, path in self.tables if each == kind]


@dataclass(frozen=True, slots=True)
class Together:
    """Files that one command writes into one folder: the one they begin with, and others."""

    first: Path
    others: tuple[Path, ...] = ()

    def other(self, name: str) -> Path | None:
        """Where one of the others lies; None where it does not."""
        return next((path for path in self.others if path.name == name), None)


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Everything that was given, in its order."""

    people: tuple[PersonFiles, ...] = ()
    """Of one person; several where they were forecast before and after."""
    answers: tuple[Path, ...] = ()
    """JSON that `predict --json` or `calibrate --json` printed, or that the service answered."""
    intervention: Together | None = None
    cohort: Together | None = None
    trial: Together | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        every: list[Path] = []
        for person in self.people:
            every += [path for path in (person.summary,) if path is not None]
            every += [path for _, _, path in person.tables]
        every += self.answers
        for group in (self.intervention, self.cohort, self.trial):
            if group is not None:
                every += [group.first, *group.others]
        return tuple(every)


def find_inputs(given: Sequence[Path], participant: str | None = None) -> ReportInputs:
    """Sort files and folders by what they hold.

    Parameters
    ----------
    given : sequence of pathlib.Path
        Files, or folders that one of our commands wrote, or a folder of such folders; of a BIDS
        data set the folder of one person (and session).
    participant : str, optional
        Label of the person, with or without ``sub-``, where there are several.

    Raises
    ------
    UsageError
        Nothing was given, or files of several people, interventions, cohorts or trials.
    DataError
        A file is missing or none that a report shows, or a folder holds none.
    """
    if not given:
        raise UsageError(f"There is nothing to show. Give files or an output folder: {_EXPECTED}.")
    who = checked_participant_id(participant)
    people: dict[tuple[Path, str], PersonFiles] = {}
    answers: dict[Path, None] = {}
    groups: dict[tuple[str, ...], dict[Path, Together]] = {
        _INTERVENTION: {},
        _COHORT: {},
        _TRIAL: {},
    }
    for place in given:
        is_folder = _is_folder(place)
        found = False
        for path in _listed(place) if is_folder else (place,):
            found = _sort_in(path, people, groups) or found
        if not found and is_folder:  # of several outputs, such as the one that demo writes
            for path in _listed_below(place):
                found = _sort_in(path, people, groups) or found
        if not found and not is_folder and place.suffix.lower() == ".json" and place.exists():
            answers[place] = None
            found = True
        if not found:
            raise DataError(_nothing_in(place, is_folder=is_folder))
    kept = [files for files in people.values() if who is None or _is_of(files.label, who)]
    labels = dict.fromkeys(files.label for files in kept)
    if who is not None and people and not kept:
        raise UsageError(f"There is no forecast of {who} among these files.")
    if len(labels) > 1:
        raise UsageError(
            f"A report is about one person, found forecasts of {listed_names(labels)}. Choose one "
            "with --participant-label, or give the files of one session."
        )
    return ReportInputs(
        people=tuple(kept),
        answers=tuple(answers),
        intervention=_only(groups[_INTERVENTION], "intervention"),
        cohort=_only(groups[_COHORT], "scored cohort"),
        trial=_only(groups[_TRIAL], "trial"),
    )


def _sort_in(
    path: Path,
    people: dict[tuple[Path, str], PersonFiles],
    groups: dict[tuple[str, ...], dict[Path, Together]],
) -> bool:
    """Put one file where it belongs; False where it is none of ours."""
    summary, table = _SUMMARY.fullmatch(path.name), _TABLE.fullmatch(path.name)
    if table and table[2] not in TASKS:
        raise DataError(
            f"{file_label(path)} is of the task {table[2]!r}, which this version does not know; "
            f"the tasks are {', '.join(TASKS)}."
        )
    if summary or table:
        label = (summary or table)[1]  # type: ignore[index]
        key = (_root(path.parent).absolute(), label)
        known = people.get(key, PersonFiles(label, None, ()))
        if summary:
            people[key] = PersonFiles(label, path, known.tables)
        elif table and not any(path == other for _, _, other in known.tables):
            kind: TableKind = table[3]  # type: ignore[assignment]
            tables = tuple(sorted((*known.tables, (table[2], kind, path))))
            people[key] = PersonFiles(label, known.summary, tables)
        return True
    is_ours = False
    for names, of in groups.items():
        first, *others = (path.with_name(name) for name in names)
        if path.name in names and first.exists():  # run.json lies beside trials, too
            others = [other for other in others if other.exists()]
            of[path.parent.absolute()] = Together(first, tuple(others))
            is_ours = True
    return is_ours


def _root(folder: Path) -> Path:
    """Where a person's files lie together: BIDS has a folder for each kind of data."""
    return folder.parent if folder.name in (BEHAVIOR, FUNCTIONAL) else folder


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError as cause:  # a name too long, a folder without permission
        raise _unreadable(place, cause) from cause


def _listed(folder: Path) -> list[Path]:
    """Files of a folder by name, and those of a person's kinds of data in BIDS."""
    places = (folder, folder / BEHAVIOR, folder / FUNCTIONAL)
    try:
        return [path for place in places if place.is_dir() for path in sorted(place.iterdir())]
    except OSError as cause:
        raise _unreadable(folder, cause) from cause


def _listed_below(folder: Path) -> list[Path]:
    """What `_listed` gives of each folder in a folder."""
    try:
        folders = [place for place in sorted(folder.iterdir()) if place.is_dir()]
    except OSError as cause:
        raise _unreadable(folder, cause) from cause
    return [path for place in folders for path in _listed(place)]


def _unreadable(place: Path, cause: OSError) -> DataError:
    return DataError(f"{one_line(str(place))} cannot be read: {cause.strerror or cause}.")


def _nothing_in(place: Path, *, is_folder: bool) -> str:
    if is_folder:
        return (
            f"{one_line(str(place))} holds nothing that a report shows: expected {_EXPECTED}. "
            "Give the folder that a command wrote."
        )
    if not place.exists():
        return f"There is no file at {one_line(str(place))}. Check the path."
    for names in (_INTERVENTION, _COHORT, _TRIAL):
        if place.name in names:
            return (
                f"{one_line(str(place))} belongs to {names[0]}, which is not beside it. Give the "
                "folder that the command wrote."
            )
    return f"{file_label(place)} is no file that a report shows: expected {_EXPECTED}."


def _is_of(label: str, who: str) -> bool:
    return label.partition("_")[0] == who


def _only(found: dict[Path, Together], what: str) -> Together | None:
    if len(found) > 1:
        raise UsageError(
            f"A report shows one {what}, found {len(found)}: in "
            f"{listed_names(str(folder) for folder in found)}. Give one of them."
        )
    return next(iter(found.values()), None)


def check_not_an_input(out: Path, files: Iterable[Path]) -> None:
    """Refuse to write a report over a file that it is made from.

    Raises
    ------
    OutputError
        `out` is one of `files`.
    """
    if out.exists() and any(path.exists() and out.samefile(path) for path in files):
        raise OutputError(f"{one_line(str(out))} is one of the files that go in. Choose another.")
