"""The group level of the BIDS App: one table of everybody, and what it sums up to.

It is made from the records that the participant level has left. Whoever has no result stands in the
table with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .atomic import write_files
from .bids_cohort import BidsCohort, BidsSelection
from .bids_dataset import check_ids, check_is_ours
from .bids_files import json_bytes
from .bids_participants import write_participants
from .bids_record import Record, all_records, entry_digest
from .bids_scoring import HARMONIZATION, NO_RECORD
from .bids_texts import libraries_used, write_citation
from .cohort_entry import CohortEntry
from .cohort_listing import CohortListing
from .cohort_statistics import mean_with_interval
from .cohort_table import CohortTable
from .errors import CohortError
from .harmonization_file import HarmonizationFile
from .score_columns import column_descriptions
from .scored_person import ScoredPerson
from .scoring import CohortScorer, ScoreSettings
from .summary import package_version, rounded
from .tables import one_line

if TYPE_CHECKING:
    from .bundle import Bundle

TABLE_FILE, SIDECAR_FILE = "group_twins.tsv", "group_twins.json"
SUMMARY_FILE = "group_summary.json"
CHANGED = (
    "What the data set holds of this person (file, confounds, age, sex) has changed since it was "
    "forecast; run the participant level again."
)
GONE = "This person or session is not in the data set any more; the forecast is of before."
_QUANTILES = {"minimum": 0.0, "lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
_QUANTILES |= {"maximum": 1.0}


@dataclass(frozen=True, slots=True)
class GroupRun:
    """How the group level ended."""

    n_people: int
    n_rows: int
    """Of the table: people, or sessions of people."""
    n_ok: int
    """Those with a result."""
    n_changed: int
    """Rows of what is not as it was forecast any more: changed since, or gone."""
    files: tuple[Path, ...]


def run_group(
    bundle: Bundle,
    cohort: BidsCohort,
    out: str | Path,
    selection: BidsSelection,
    *,
    harmonization: HarmonizationFile | None = None,
) -> GroupRun:
    """Write the group's table and summary.

    Parameters
    ----------
    bundle : Bundle
        The one that the participant level had.
    cohort : BidsCohort
        From `list_bids`, for those whom the participant level has not seen.
    out : str or pathlib.Path
        Folder of the results.
    selection : BidsSelection
        What the cohort was listed with.
    harmonization : HarmonizationFile, optional
        Site effects that the participant level has taken off.

    Raises
    ------
    CohortError
        The participant level has left nothing, results of several bundles or settings, or of other
        site effects.
    OutputError
        The folder is somebody else's, or cannot be written.
    """
    out, listing = Path(out).absolute(), cohort.listing
    check_is_ours(out)
    check_ids(out, listing.hashed_with)
    records = {record.person.key: record for record in all_records(out)}
    if not records:
        raise CohortError(
            f"{one_line(str(out))} holds no results of the participant level yet. Run dtb-run bids "
            "with 'participant' first."
        )
    rows = _rows(records, listing, selection, out)
    if not any(row.record for row in rows):
        raise CohortError(
            f"{one_line(str(out))} holds no results of the people asked for. Run dtb-run bids with "
            "'participant' first, or change the labels."
        )
    about = _about([row.record for row in rows if row.record is not None], bundle)
    settings = about["settings"]
    _check_harmonization(settings.get(HARMONIZATION), harmonization)
    numbers = CohortScorer(bundle, ScoreSettings(draws=settings["draws"])).columns()
    own = tuple(name for name in listing.own_columns)
    table = CohortTable(any(row.entry.session for row in rows), own, numbers)
    described = {} if cohort.participants is None else cohort.participants.described()
    document = column_descriptions(table, bundle) | {name: described[name] for name in own}
    files = [
        table.write_tsv(
            out, [table.row(row.entry, row.person, row.place) for row in rows], TABLE_FILE
        )
    ]
    summary = _summary(rows, numbers, about, bundle)
    contents = {SIDECAR_FILE: json_bytes(document), SUMMARY_FILE: json_bytes(summary)}
    files += write_files(out, contents, force=True)
    write_participants(out, cohort.participants)
    places = [row.place or row.entry.path for row in rows]  # hidden people have no place
    write_citation(out, bundle, libraries_used(settings["reading"], places), anew=True)
    n_changed = sum(_is_of_before(row.person) for row in rows)
    return GroupRun(
        n_people=len({row.entry.participant_id for row in rows}),
        n_rows=len(rows),
        n_ok=sum(row.person.is_ok for row in rows),
        n_changed=n_changed,
        files=tuple(files),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """Somebody in the table."""

    entry: CohortEntry
    person: ScoredPerson
    place: str | None
    record: Record | None


def _rows(
    records: Mapping[tuple[str, str], Record],
    listing: CohortListing,
    selection: BidsSelection,
    out: Path,
) -> list[_Row]:
    """Whom the data set holds now, and who is done and no longer in it.

    Rows of what has changed or gone since say so. What was forecast is looked at where it lay,
    whatever the options of now would choose.
    """
    rows = []
    done = {participant_id for participant_id, _ in records}
    for entry in listing.entries:
        record, place = records.get(entry.key), listing.place(entry)
        if record is None:
            if entry.session is None and entry.path is None and entry.participant_id in done:
                continue  # nothing is chosen of them now; what was done follows
            person = ScoredPerson.failed(entry, entry.problem or NO_RECORD)
            rows.append(_Row(entry, person, place, None))
            continue
        person = record.person
        entry = _as_recorded(entry, record, listing)
        if _has_changed(record, entry, listing.place(entry), out):
            person = replace(person, notes=(*person.notes, CHANGED))
        entry = replace(entry, own=dict(record.own))
        rows.append(_Row(entry, person, record.place, record))
    there = {entry.key for entry in listing.entries}
    for key, record in records.items():
        participant_id, session = key[0], key[1] or None
        is_meant = selection.participants is None or participant_id in selection.participants
        is_meant &= selection.sessions is None or session in selection.sessions
        if is_meant and key not in there and record.person.is_ok:
            entry = CohortEntry(participant_id, session, None, own=dict(record.own))
            entry = _as_recorded(entry, record, listing)
            said = () if entry.path is not None else (GONE,)
            if entry.path is not None and _has_changed(record, entry, record.place, out):
                said = (CHANGED,)
            person = replace(record.person, notes=(*record.person.notes, *said))
            rows.append(_Row(entry, person, record.place, record))
    return sorted(rows, key=lambda row: row.entry.key)


def _as_recorded(entry: CohortEntry, record: Record, listing: CohortListing) -> CohortEntry:
    """An entry with the file that was forecast, where that is still there and is not hidden."""
    if record.place is None or listing.place(entry) == record.place:
        return entry
    path = listing.path / record.place
    return replace(entry, path=path, problem=None) if path.is_file() else entry


def _has_changed(record: Record, entry: CohortEntry, place: str | None, out: Path) -> bool:
    """Whether the participant level would do this person again, for what the data set holds."""
    if not record.person.is_ok and record.person.stamp is None:
        # It is tried again each time anyway: only what is asked for can tell.
        return record.entry != entry_digest(entry, place)
    return not record.is_current(out, entry, place, record.about)


def _is_of_before(person: ScoredPerson) -> bool:
    return CHANGED in person.notes or GONE in person.notes


def _about(records: Sequence[Record], bundle: Bundle) -> dict[str, Any]:
    """What all records are about.

    Raises
    ------
    CohortError
        They are about several things, or another bundle.
    """
    different = {json.dumps(dict(record.about), sort_keys=True) for record in records}
    if len(different) > 1:
        raise CohortError(
            f"The results are of {len(different)} different bundles or settings, which cannot "
            "stand in one table. Run the participant level for everybody with one of them."
        )
    about = dict(records[0].about)
    if about["bundle_digest"] != bundle.digest:
        raise CohortError(
            f"The results were made with the bundle {one_line(str(about['bundle']))} "
            f"({str(about['bundle_digest'])[:12]}), and this is {bundle.name} "
            f"({bundle.digest[:12]}). Name the same bundle with --bundle."
        )
    return about


def _check_harmonization(digest: str | None, given: HarmonizationFile | None) -> None:
    """Raise `CohortError` unless the results were harmonized with this file, or with none."""
    if digest == (None if given is None else given.digest):
        return
    if digest is None:
        raise CohortError("The results were not harmonized. Leave out --harmonize.")
    which = "a file of dtb-run harmonize" if given is None else "another file than this one"
    raise CohortError(
        f"The results were harmonized with {which} (SHA-256 {digest[:12]}). Give the same one "
        "with --harmonize."
    )


def _summary(
    rows: Sequence[_Row], numbers: Sequence[str], about: Mapping[str, Any], bundle: Bundle
) -> dict[str, Any]:
    ok = [row.person for row in rows if row.person.is_ok]
    failed = [row for row in rows if not row.person.is_ok]
    distributions = {}
    for name in numbers:
        values = _of_people(ok, name)
        if len(values):
            distributions[name] = _distribution(values)
    made_with: dict[str, list[str]] = {}
    for name in ("provider", "dtb_runtime", "onnxruntime", "numpy"):
        made_with[name] = sorted(
            {row.record.made_with[name] for row in rows if row.record and row.person.is_ok}
        )
    return {
        "n_people": len({row.person.participant_id for row in rows}),
        "n_rows": len(rows),
        "n_ok": len(ok),
        "n_failed": len(failed),
        "n_changed_since": sum(_is_of_before(row.person) for row in rows),
        "failed": [
            {
                "participant_id": row.person.participant_id,
                "session": row.person.session,
                "reason": row.person.error,
            }
            for row in failed
        ],
        "distributions": distributions,
        "distribution_meaning": "n people with a result, their mean with its 90 % bootstrap "
        "interval (of 10 people or more), sd and quartiles, all in the units of the column; a "
        "person's sessions are averaged before. Columns are described in "
        f"{SIDECAR_FILE}",
        "bundle": {"name": bundle.name, "digest": bundle.digest},
        "settings": about["settings"],
        "made_with": made_with | {"group_level": [package_version()]},
        "warnings": list(bundle.warnings),
    }


def _of_people(rows: Sequence[ScoredPerson], name: str) -> NDArray[np.float64]:
    """A column with one value for each person: sessions of one are no people of their own."""
    of_person: dict[str, list[float]] = {}
    for row in rows:
        if name in row.values:
            of_person.setdefault(row.participant_id, []).append(row.values[name])
    return np.array([np.mean(values) for values in of_person.values()], dtype=np.float64)


def _distribution(values: NDArray[np.float64]) -> dict[str, Any]:
    found = mean_with_interval(values)
    spread = rounded(float(values.std(ddof=1))) if len(values) > 1 else None
    quantiles = {name: rounded(float(np.quantile(values, q))) for name, q in _QUANTILES.items()}
    return {"n": len(values), **found, "sd": spread, **quantiles}
