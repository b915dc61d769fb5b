"""One person in a report: which of the files given is their forecast, and the sections of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError, UsageError
from .json_object import MAX_JSON_BYTES, JsonObject
from .report_blocks import Section
from .report_bundle import Made, ReportBundle
from .report_calibration import calibration_section
from .report_connectome import connectome_section
from .report_contrasts import contrasts_section, read_contrast
from .report_courses import courses_section, read_series
from .report_indicators import indicators_section
from .report_inputs import PersonFiles
from .report_responses import TrialKind, read_trial_kinds, responses_section
from .report_summary import PersonSummary, Values, read_summary
from .tables import file_label, read_text, shown


@dataclass(frozen=True, slots=True)
class PersonReport:
    """What was given of one person."""

    participant_id: str | None
    summary: PersonSummary | None
    """Of the forecast that rests on most of their trials."""
    files: PersonFiles | None
    """The tables of that forecast."""
    before: Values | None
    """What was forecast before they were learned from."""
    made: tuple[tuple[str, Made], ...]
    """Name of a file, and with which bundle it says that it was made."""
    warnings: tuple[str, ...]


def read_person(people: Sequence[PersonFiles], answers: Sequence[Path]) -> PersonReport | None:
    """Find out which of several forecasts of a person is the last one, and which came before.

    Parameters
    ----------
    people : sequence of PersonFiles
        Of one person.
    answers : sequence of pathlib.Path
        Summaries without tables.

    Returns
    -------
    PersonReport or None
        None where nothing was given of anybody.

    Raises
    ------
    UsageError
        The forecasts are of several people, or it cannot be told which came before.
    DataError
        A file cannot be read, or is not what its name says.
    """
    found: list[tuple[PersonSummary | None, PersonFiles | None]] = []
    for files in people:
        summary = None if files.summary is None else read_summary(files.summary)
        if summary is not None:
            _check_label(summary, files)
        found.append((summary, files))
    found += [(read_summary(path), None) for path in answers]
    if not found:
        return None
    known = [summary for summary, _ in found if summary is not None]
    _check_one_person(known)
    counts = sorted({summary.n_trials for summary in known})
    if len(counts) > 2:
        raise UsageError(
            f"Give a person's forecast before and after learning, found {len(counts)} that rest on "
            f"{', '.join(map(str, counts))} trials."
        )
    last = [pair for pair in found if pair[0] is None or pair[0].n_trials == counts[-1]]
    summary = _one_summary([summary for summary, _ in last if summary is not None])
    tables = [files for _, files in last if files is not None]
    if len(tables) > 1:
        raise UsageError(
            "Two folders hold forecasts of the person that rest on equally many trials. Give one "
            "of them."
        )
    before = None if summary is None else summary.before
    if len(counts) == 2:
        before = _one_summary([each for each in known if each.n_trials == counts[0]]).forecast  # type: ignore[union-attr]
    own = tables[0] if tables else None
    made = [(each.source, Made(each.bundle, each.bundle_digest)) for each in known]
    made += [] if own is None else _made_of_tables(own)
    if not made:
        raise DataError(
            "Nothing says with which bundle these tables were made: their .json is not beside "
            "them. Give the folder that the command wrote."
        )
    participant_id = next((each.participant_id for each in known if each.participant_id), None)
    if summary is None and own is not None:
        participant_id = own.label.partition("_")[0]
    warnings = dict.fromkeys(warning for each in known for warning in each.warnings)
    return PersonReport(participant_id, summary, own, before, tuple(made), tuple(warnings))


def person_sections(
    person: PersonReport, bundle: ReportBundle | None, problem: str, regions: Sequence[str]
) -> list[Section]:
    """Everything that is known of one person, in the order of the page.

    Parameters
    ----------
    person : PersonReport
    bundle : ReportBundle, optional
        Without it norms and pictures of the brain are left out; `problem` says why.
    regions : sequence of str
        See `make_report`.
    """
    sections: list[Section] = []
    summary = person.summary
    if summary is not None:
        sections.append(connectome_section(summary, bundle, problem))
        sections.append(indicators_section(summary, bundle, problem))
        if person.before is not None:
            sections.append(calibration_section(summary, person.before))
    if person.files is None:
        return sections
    kinds: list[TrialKind] = []
    for task, path in person.files.of("events"):
        kinds += read_trial_kinds(path, task)
    if kinds:
        sections.append(responses_section(summary, kinds))
    contrasts = [read_contrast(path, task) for task, path in person.files.of("contrasts")]
    if contrasts:
        sections.append(contrasts_section(contrasts, bundle, problem))
    series = [read_series(path, task) for task, path in person.files.of("timeseries")]
    if series:
        sections.append(courses_section(series, kinds, contrasts, bundle, regions))
    return sections


def _one_summary(summaries: Sequence[PersonSummary]) -> PersonSummary | None:
    """Of summaries of one forecast, the one that says most."""
    for each in summaries[1:]:
        if each.forecast.values != summaries[0].forecast.values:
            raise UsageError(
                f"{summaries[0].source} and {each.source} are different forecasts that rest on "
                f"equally many trials ({each.n_trials}). Give one of them."
            )
    return max(summaries, key=lambda each: each.before is not None, default=None)


def _check_label(summary: PersonSummary, files: PersonFiles) -> None:
    """See that a summary is of the person after whom its file is named."""
    named = files.label.partition("_")[0]
    if summary.participant_id not in (None, named):
        raise DataError(
            f"{summary.source} is named after {named}, but is the summary of "
            f"{shown(str(summary.participant_id))}. Check which of them is right."
        )


def _check_one_person(summaries: Sequence[PersonSummary]) -> None:
    ids = list(dict.fromkeys(each.participant_id for each in summaries if each.participant_id))
    if len(ids) > 1:
        raise UsageError(
            f"A report is about one person, found summaries of {shown(ids[0])} and "
            f"{shown(ids[1])}. Make a report of each."
        )


def _made_of_tables(files: PersonFiles) -> list[tuple[str, Made]]:
    """What the sidecars of tables say; those without one say nothing."""
    found = []
    for _, _, path in files.tables:
        sidecar = path.with_suffix(".json")
        if not sidecar.exists():
            continue
        name = file_label(sidecar)
        document = JsonObject.parse(read_text(sidecar, DataError, MAX_JSON_BYTES), name, DataError)
        for by in document.children("GeneratedBy")[:1]:
            found.append((name, Made(by.text("Bundle"), by.text("BundleDigest"))))
    return found
