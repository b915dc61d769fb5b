"""Whom a BIDS derivatives data set holds, and which file of each is meant.

Of several files of one person and session, those of rest are meant, and of these the one of the
bundle's parcellation. Where that is not exactly one file, it is that person's problem and nobody
else's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .bids_hints import entities_of
from .bids_participants import COLUMNS, SourceParticipants
from .bids_query import SUFFIXES, BidsFilters, FoundFile, Wanted, find_files
from .cohort_entry import CohortEntry, checked_entry
from .cohort_listing import CohortListing
from .errors import CohortError, UsageError
from .meant_files import is_of_rest, names_of
from .participants import checked_participant_id
from .readers import READERS, stem_of
from .tables import one_line

_ATLAS_ENTITIES = ("atlas", "segmentation")
_NOT_TOLD = ("subject", "session", "suffix", "datatype")
_SHOWN = 6  # files in a message


@dataclass(frozen=True, slots=True)
class BidsSelection:
    """What of a data set is meant.

    Raises
    ------
    UsageError
        A label is not made of letters and digits.
    """

    wanted: Wanted = "connectome"
    filters: BidsFilters = field(default_factory=BidsFilters)
    participant_labels: tuple[str, ...] = ()
    """With or without ``sub-``; none are all."""
    session_labels: tuple[str, ...] = ()
    """With or without ``ses-``; none are all."""
    parcellation: str | None = None
    """That of the bundle."""

    @property
    def participants(self) -> frozenset[str] | None:
        """``sub-<label>`` of those meant; None for all."""
        ids = frozenset(checked_participant_id(label) or "" for label in self.participant_labels)
        return ids or None

    @property
    def sessions(self) -> frozenset[str] | None:
        """``ses-<label>`` of those meant; None for all."""
        found = frozenset(f"ses-{label.removeprefix('ses-')}" for label in self.session_labels)
        wrong = [name for name in found if not name.removeprefix("ses-").isalnum()]
        if wrong:
            raise UsageError(
                f"A session label must be letters and digits, as in ses-1, found "
                f"{one_line(wrong[0].removeprefix('ses-'))!r}."
            )
        return found or None


@dataclass(frozen=True, slots=True)
class BidsCohort:
    """Whom a data set holds."""

    listing: CohortListing
    """Of its folder; everybody's age and sex are cells of their entries."""
    participants: SourceParticipants | None
    """Its table of participants; None where there is none."""


def list_bids(root: str | Path, selection: BidsSelection) -> BidsCohort:
    """List whom a data set holds.

    Parameters
    ----------
    root : str or pathlib.Path
        Folder of the derivatives, with folders or files ``sub-<label>``.
    selection : BidsSelection

    Raises
    ------
    CohortError
        There is no such folder, it holds nobody, or nothing that is meant.
    UsageError
        A label fits nobody, or the filter does not fit.
    MissingDependencyError
        pybids is not installed.
    """
    root = Path(root).absolute()
    source = one_line(str(root))
    if not root.is_dir():
        raise CohortError(f"{source} is no folder. Give the folder of a BIDS derivatives data set.")
    people = _people(root)
    asked = selection.participants
    if asked is not None:
        missing = asked - people
        if missing:
            raise UsageError(
                f"{len(missing)} of the {len(asked)} participant labels given fit nobody in "
                f"{source}, which has {len(people)} people. Check --participant-label."
            )
        people = asked
    files = find_files(root, selection.wanted, selection.filters, asked)
    if not any(_owner(file)[0] in people for file in files):
        raise CohortError(_nothing(root, source, selection))
    entries = _entries(files, people, root, selection)
    participants = SourceParticipants.read(root)
    if participants is not None:
        entries = [_with_row(each, participants) for each in entries]
    columns = () if participants is None else participants.columns
    ordered = tuple(sorted(entries, key=lambda entry: entry.key))
    listing = CohortListing(root, source, ordered, tuple(n for n in COLUMNS if n in columns))
    return BidsCohort(listing, participants)


def _with_row(entry: CohortEntry, participants: SourceParticipants) -> CohortEntry:
    """An entry with age and sex, or with what is wrong with them in the table."""
    who = entry.participant_id
    problem = entry.problem or participants.problems.get(who)
    return replace(entry, own=participants.own(who), problem=problem)


def _people(root: Path) -> frozenset[str]:
    """Names of folders ``sub-...``, and those that names of files beside them begin with."""
    return frozenset(
        path.name if path.is_dir() else _named(path.name) for path in root.glob("sub-*")
    )


def _named(file_name: str) -> str:
    """What a file's name begins with: ``sub-01`` of ``sub-01_connectome.npy``."""
    return file_name.split("_")[0].split(".")[0]


def _entries(
    files: Iterable[FoundFile], people: Collection[str], root: Path, selection: BidsSelection
) -> list[CohortEntry]:
    of_key: dict[tuple[str, str | None], list[FoundFile]] = {}
    for file in files:
        person, session = _owner(file)
        if person in people:
            of_key.setdefault((person, session), []).append(file)
    sessions = selection.sessions
    if sessions is not None:
        of_key = {key: several for key, several in of_key.items() if key[1] in sessions}
    entries = [_entry(*key, several, selection) for key, several in of_key.items()]
    # Whoever has no file of these sessions is not meant, unless asked for by name.
    if sessions is None or selection.participants is not None:
        without = sorted(set(people) - {person for person, _ in of_key})
        entries += [_with_problem(who, None, _none(selection)) for who in without]
    if not entries:
        raise CohortError(
            f"Nobody in {one_line(str(root))} has the session that --session-label asks for. "
            "Check the label."
        )
    return entries


def _owner(file: FoundFile) -> tuple[str, str | None]:
    """Whose a file is by the folder it lies in, else by its name."""
    first = file.inside.parts[0]
    session = file.entities.get("session")
    owner = first if len(file.inside.parts) > 1 else _named(first)
    return owner, None if session is None else f"ses-{session}"


def _entry(
    person: str, session: str | None, several: Sequence[FoundFile], selection: BidsSelection
) -> CohortEntry:
    stranger = next((file for file in several if not _is_of(file, person, session)), None)
    if stranger is not None:
        return _with_problem(
            person,
            session,
            f"{one_line(str(stranger.inside))} lies in a folder of another person or session than "
            "its name says. Rename one of them.",
            several,
        )
    chosen, problem = _the_one(several, selection)
    if chosen is None:
        return _with_problem(person, session, problem, several)
    entry = checked_entry(person, session)
    return entry if entry.problem else replace(entry, path=chosen.path)


def _with_problem(
    person: str, session: str | None, problem: str, files: Sequence[FoundFile] = ()
) -> CohortEntry:
    entry = checked_entry(person, session)
    if entry.problem:
        return entry
    return replace(entry, problem=problem, named=tuple(str(file.inside) for file in files))


def _is_of(file: FoundFile, person: str, session: str | None) -> bool:
    named, _ = entities_of(stem_of(file.path))
    said = named.get("ses")
    return named.get("sub", person.removeprefix("sub-")) == person.removeprefix("sub-") and (
        said is None or f"ses-{said}" == session
    )


def _the_one(
    several: Sequence[FoundFile], selection: BidsSelection
) -> tuple[FoundFile | None, str]:
    """The file that is meant, or None and why there is none."""
    fitting = list(several)
    if "task" not in selection.filters.of(selection.wanted):
        fitting = [file for file in several if is_of_rest(file.entities.get("task"))]
        if not fitting:
            tasks = sorted({file.entities["task"] for file in several})
            return None, (
                f"There are files of the task {', '.join(map(one_line, tasks))} only, and a twin "
                "is made from rest. If one of them is meant, name its task in a "
                "--bids-filter-file."
            )
    if len(fitting) > 1 and selection.parcellation is not None:
        of_atlas = [file for file in fitting if _is_of_atlas(file, selection.parcellation)]
        fitting = of_atlas or fitting
    if len(fitting) == 1:
        return fitting[0], ""
    names = ", ".join(one_line(str(file.inside)) for file in fitting[:_SHOWN])
    more = f" and {len(fitting) - _SHOWN} more" if len(fitting) > _SHOWN else ""
    return None, (
        f"There are {len(fitting)} files that may be meant: {names}{more}.{_differences(fitting)} "
        "Say which in a --bids-filter-file."
    )


def _is_of_atlas(file: FoundFile, parcellation: str) -> bool:
    said = {file.entities[key].lower() for key in _ATLAS_ENTITIES if key in file.entities}
    return bool(said & names_of(parcellation))


def _differences(files: Sequence[FoundFile]) -> str:
    """The entities in which files differ, in words."""
    told = []
    for name in sorted({name for file in files for name in file.entities} - set(_NOT_TOLD)):
        values = sorted({file.entities.get(name, "none") for file in files})
        if len(values) > 1:
            told.append(f"{name} ({', '.join(map(one_line, values[:_SHOWN]))})")
    return f" They differ in {', '.join(told)}." if told else ""


def _none(selection: BidsSelection) -> str:
    """What is said of somebody without a file."""
    filtered = " and what the filter file asks for" if selection.filters.queries else ""
    return (
        f"There is no file of this person. Expected one ending in {', '.join(READERS)}, with the "
        f"suffix {' or '.join(SUFFIXES[selection.wanted])}{filtered}."
    )


def _nothing(root: Path, source: str, selection: BidsSelection) -> str:
    """What is said of a data set without any file."""
    inside = sorted(
        f"derivatives/{path.name}"
        for path in (root / "derivatives").glob("*")
        if path.is_dir() and not path.name.startswith(".")
    )
    if inside:
        names = ", ".join(map(one_line, inside[:_SHOWN]))
        return (
            f"{source} holds no {selection.wanted} files itself, and has {names}. Give the folder "
            "of the derivatives that hold them."
        )
    hint = (
        ""
        if selection.wanted != "connectome"
        else " For time series pass --timeseries, for scans --atlas."
    )
    filtered = " The filter file may ask for too much." if selection.filters.queries else ""
    return (
        f"{source} holds nobody's {selection.wanted} file: expected sub-<label>_..._<suffix> with "
        f"the suffix {' or '.join(SUFFIXES[selection.wanted])}, ending in {', '.join(READERS)}."
        f"{hint}{filtered}"
    )
