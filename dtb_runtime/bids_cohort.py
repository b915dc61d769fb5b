"""Whom a BIDS derivatives data set holds, and which file of each is meant.

Where that is not exactly one file of a person and session, it is that person's problem and nobody
else's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .bids_choice import all_excluded, chosen_file, no_file, sessions_of
from .bids_hints import entities_of
from .bids_participants import COLUMNS, SourceParticipants
from .bids_query import SUFFIXES, BidsFilters, FoundFile, FoundFiles, Wanted, find_files
from .cohort_entry import CohortEntry, checked_entry
from .cohort_listing import CohortListing
from .errors import CohortError, UsageError
from .meant_files import is_of_grayordinates
from .participants import checked_participant_id
from .participants_table import KNOWS_NOBODY
from .readers import READERS, stem_of
from .tables import file_label, one_line

_SHOWN = 6  # folders or sessions in a message


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
    atlas: str | None = None
    """The file that scans are averaged over."""
    columns: tuple[str, ...] = ()
    """Of the table of participants, beside age and sex: what sites' effects are taken off by."""

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
    """Of its folder; everybody's age, sex and further columns are cells of their entries."""
    participants: SourceParticipants | None
    """Its table of participants; None where there is none."""
    notes: tuple[str, ...] = ()
    """What people should know, one sentence each; they name nobody: what was chosen for how many,
    and whether the table of participants is of others."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of its table of participants that are taken."""
        return (
            ()
            if self.participants is None
            else (*self.participants.columns, *self.participants.more)
        )


def list_bids(
    root: str | Path, selection: BidsSelection, *, needs_files: bool = True
) -> BidsCohort:
    """List whom a data set holds.

    Parameters
    ----------
    root : str or pathlib.Path
        Folder of the derivatives, with folders or files ``sub-<label>``.
    selection : BidsSelection
    needs_files : bool
        Whether to refuse a data set in which nothing is meant; else nobody is listed.

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
    found = find_files(root, selection.wanted, selection.filters, asked)
    of_person = _by_owner(found, people)
    if not any(own.files for own in of_person.values()):
        excluded = [file for own in of_person.values() for file in own.excluded]
        if not needs_files:
            listing = CohortListing(root, source, (), ())
            return BidsCohort(listing, SourceParticipants.read(root, selection.columns))
        raise CohortError(_nothing(root, source, selection, excluded))
    entries, n_by_atlas = _entries(of_person, source, selection)
    participants = SourceParticipants.read(root, selection.columns)
    if participants is not None:
        entries = [_with_row(each, participants) for each in entries]
    columns = () if participants is None else participants.columns
    ordered = tuple(sorted(entries, key=lambda entry: entry.key))
    listing = CohortListing(root, source, ordered, tuple(n for n in COLUMNS if n in columns))
    notes = (_atlas_note(selection.atlas, n_by_atlas),) if selection.atlas and n_by_atlas else ()
    if participants is not None and not participants.has_any(e.participant_id for e in ordered):
        notes = (*notes, KNOWS_NOBODY)
    return BidsCohort(listing, participants, notes)


def _by_owner(found: FoundFiles, people: Collection[str]) -> dict[str, FoundFiles]:
    """Everybody's files."""
    files: dict[str, list[FoundFile]] = {who: [] for who in sorted(people)}
    excluded: dict[str, list[FoundFile]] = {who: [] for who in files}
    for each, of_person in ((found.files, files), (found.excluded, excluded)):
        for file in each:
            if (owner := _owner(file)) in of_person:
                of_person[owner].append(file)
    return {who: FoundFiles(tuple(own), tuple(excluded[who])) for who, own in files.items()}


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
    of_person: Mapping[str, FoundFiles], source: str, selection: BidsSelection
) -> tuple[list[CohortEntry], int]:
    """Everybody, and for how many the atlas decided which of their scans is meant."""
    entries, n_by_atlas, sessions = [], 0, selection.sessions
    for person, own in of_person.items():
        of_session: dict[str | None, list[FoundFile]] = {}
        for file in own.files:
            session = _session(file)
            if sessions is None or session in sessions:
                of_session.setdefault(session, []).append(file)
        for session, several in of_session.items():
            entry, is_by_atlas = _entry(person, session, several, selection)
            entries.append(entry)
            n_by_atlas += is_by_atlas
        # Whoever has no file of these sessions is not meant, unless asked for by name.
        if not of_session and (sessions is None or selection.participants is not None):
            problem = no_file(own, selection.wanted, selection.filters)
            entries.append(_with_problem(person, None, problem))
    if not entries:
        files = [file for own in of_person.values() for file in own.files]
        raise CohortError(
            f"Nobody in {source} has a {selection.wanted} file of the session that "
            f"--session-label asks for. {sessions_of(files)} Check the label."
        )
    return entries, n_by_atlas


def _owner(file: FoundFile) -> str:
    """Whose a file is by the folder it lies in, else by its name."""
    first = file.inside.parts[0]
    return first if len(file.inside.parts) > 1 else _named(first)


def _session(file: FoundFile) -> str | None:
    session = file.entities.get("session")
    return None if session is None else f"ses-{session}"


def _entry(
    person: str, session: str | None, several: Sequence[FoundFile], selection: BidsSelection
) -> tuple[CohortEntry, bool]:
    """One person and session, and whether the atlas decided which of the scans is meant."""
    stranger = next((file for file in several if not _is_of(file, person, session)), None)
    if stranger is not None:
        problem = (
            f"{one_line(str(stranger.inside))} lies in a folder of another person or session than "
            "its name says. Rename one of them."
        )
        return _with_problem(person, session, problem, several), False
    choice = chosen_file(
        several,
        wanted=selection.wanted,
        asked=selection.filters.of(selection.wanted),
        parcellation=selection.parcellation,
        atlas=selection.atlas,
    )
    if choice.file is None:
        return _with_problem(person, session, choice.problem, several), False
    entry = checked_entry(person, session)
    if entry.problem:
        return entry, False
    return replace(entry, path=choice.file.path), choice.is_by_atlas


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


def _atlas_note(atlas: str, n_people: int) -> str:
    kinds = "voxels (.nii, .nii.gz)", "grayordinates (.dtseries.nii)"
    taken = kinds[is_of_grayordinates(atlas)]
    whom = "1 person or session has" if n_people == 1 else f"{n_people} people or sessions have"
    return (
        f"{whom} scans of both voxels and grayordinates: those of {taken} were taken, as the atlas "
        f"{file_label(Path(atlas))} needs."
    )


def _nothing(
    root: Path, source: str, selection: BidsSelection, excluded: Sequence[FoundFile]
) -> str:
    """What is said of a data set without any file."""
    if excluded:
        return f"{source}: {all_excluded(excluded, selection.wanted, selection.filters)}"
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
    return (
        f"{source} holds nobody's {selection.wanted} file: expected sub-<label>_..._<suffix> with "
        f"the suffix {' or '.join(SUFFIXES[selection.wanted])}, ending in {', '.join(READERS)}."
        f"{hint}"
    )
