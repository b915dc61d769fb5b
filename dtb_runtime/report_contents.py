"""From files to a report: what is known of whom, section by section, and the page of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .errors import DataError, MissingDependencyError, UsageError
from .participants import checked_participant_id
from .report_blocks import Block, DataTable, Document, Facts, Notice, Section
from .report_bundle import Made, ReportBundle, find_report_bundle, one_bundle
from .report_cohort import ScoredCohort, cohort_section, read_cohort
from .report_inputs import ReportInputs, find_inputs
from .report_intervention import intervention_section
from .report_intervention_summary import InterventionSummary, read_intervention
from .report_person import PersonReport, person_sections, read_person
from .report_trial import trial_section
from .report_trial_summary import TrialSummary, read_trial

NEEDED = ("jinja2", "matplotlib", "nilearn")
"""Packages that a report needs, beside numpy."""
LARGEST_REPORT = 5_000_000
"""Bytes. What our commands write makes smaller ones, since tables and pictures are bounded."""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished page."""

    html: bytes
    title: str
    sections: tuple[str, ...]
    """Their titles."""
    n_pictures: int
    left_out: tuple[str, ...]
    """What could not be shown, and why: whole sentences."""
    inputs: tuple[Path, ...]
    """Files that were shown."""
    bundle: str
    bundle_digest: str


@dataclass(frozen=True, slots=True)
class _Parts:
    """Everything that was read."""

    person: PersonReport | None
    intervention: InterventionSummary | None
    cohort: ScoredCohort | None
    trial: TrialSummary | None

    @property
    def made(self) -> list[tuple[str, Made]]:
        """With which bundle each of them says that it was made."""
        found: list[tuple[str, Made]] = []
        if self.person is not None:
            found += self.person.made
        if self.intervention is not None:
            found.append((self.intervention.source, self.intervention.made))
        if self.cohort is not None:
            found.append((self.cohort.table.source, self.cohort.made))
        if self.trial is not None:
            found.append((self.trial.source, self.trial.made))
        return found

    @property
    def participant_id(self) -> str | None:
        """Whom it is about; None for a cohort, or somebody without a name."""
        if self.person is not None:
            return self.person.participant_id
        return None if self.intervention is None else self.intervention.participant_id

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that belong to these numbers, each once."""
        every: list[str] = []
        for part in (self.person, self.intervention, self.cohort, self.trial):
            every += () if part is None else part.warnings
        return tuple(dict.fromkeys(every))


def make_report(
    given: Sequence[str | Path],
    *,
    bundle: str | None = None,
    regions: Sequence[str] = (),
    participant: str | None = None,
) -> Report:
    """Make one self-contained page of pictures and tables.

    Parameters
    ----------
    given : sequence of str or pathlib.Path
        Files and folders that `predict`, `calibrate`, `intervene`, `score` or `trial` wrote.
    bundle : str, optional
        Name or folder of the bundle that they were made with; by default the shipped one of the
        name in the files. Where it cannot be found, the page says what is left out for it.
    regions : sequence of str, optional
        Labels of regions whose BOLD is drawn over time; by default a few are chosen.
    participant : str, optional
        Label of the person, where files of several lie in a folder.

    Returns
    -------
    Report
        The same files give the same bytes.

    Raises
    ------
    UsageError
        Nothing is given, or what does not belong on one page: several people, two bundles.
    DataError
        A file is missing, too large, or not what its name says.
    MissingDependencyError
        jinja2, matplotlib or nilearn is not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"a report needs {missing[0]}, which is not installed. Install it with: pip install "
            "'dtb-runtime[report]'"
        )
    inputs = find_inputs([Path(place) for place in given], participant)
    parts = _read(inputs)
    _check_participant(parts, participant)
    made = one_bundle(parts.made)
    found, problem = find_report_bundle(made, bundle)
    sections = [_about(parts, made, found, problem)]
    if parts.person is not None:
        sections += person_sections(parts.person, found, problem, regions)
    if parts.intervention is not None and inputs.intervention is not None:
        sections.append(intervention_section(parts.intervention, inputs.intervention))
    if parts.cohort is not None:
        sections.append(cohort_section(parts.cohort, found, problem))
    if parts.trial is not None and inputs.trial is not None:
        sections.append(trial_section(parts.trial, inputs.trial.other("trial.tsv")))
    if regions and not any(section.key == "courses" for section in sections):
        raise UsageError(
            "--region chooses what is drawn of BOLD over time, but no table of it was given "
            "(..._desc-twin_timeseries.tsv)."
        )
    sections.append(_files(inputs))
    document = Document(
        title=_title(parts),
        subtitle=_subtitle(parts),
        warnings=tuple(dict.fromkeys((*_of_bundle(found), *parts.warnings))),
        sections=tuple(sections),
    )
    from .report_page import render  # late: it needs jinja2

    html = render(document)
    if len(html) > LARGEST_REPORT:
        raise DataError(
            f"The page would have {len(html) / 1e6:.1f} MB, at most {LARGEST_REPORT / 1e6:.0f} MB "
            "are written. Make a report of fewer files."
        )
    return Report(
        html=html,
        title=document.title,
        sections=tuple(section.title for section in sections),
        n_pictures=document.n_pictures,
        left_out=document.left_out,
        inputs=inputs.files,
        bundle=made.bundle,
        bundle_digest=made.digest,
    )


def _read(inputs: ReportInputs) -> _Parts:
    person = read_person(inputs.people, inputs.answers)
    intervention = cohort = trial = None
    if inputs.intervention is not None:
        intervention = read_intervention(inputs.intervention.first)
    if inputs.cohort is not None:
        cohort = read_cohort(inputs.cohort)
    if inputs.trial is not None:
        trial = read_trial(inputs.trial.first)
    if person is not None and intervention is not None:
        of, other = person.participant_id, intervention.participant_id
        if of is not None and other is not None and of != other:
            raise UsageError(
                f"The forecast is of {of!r}, the intervention of {other!r}. Make a report of each."
            )
        _check_same_connectome(person, intervention)
    return _Parts(person, intervention, cohort, trial)


def _check_participant(parts: _Parts, participant: str | None) -> None:
    """Refuse a page that is not about the person who was asked for."""
    who = checked_participant_id(participant)
    if who is None:
        return
    if parts.participant_id is None:
        raise UsageError(
            f"Nothing among these files says that it is of {who}. Leave out --participant-label, "
            "or give the person's own files."
        )
    if parts.participant_id != who:
        raise UsageError(
            f"These files are of {parts.participant_id}, not of {who}. Leave out "
            "--participant-label, or give the files of that person."
        )


def _check_same_connectome(person: PersonReport, intervention: InterventionSummary) -> None:
    """Refuse a plan that was tried on another connectome, as far as the files tell."""
    summary = person.summary
    forecast = None if summary is None else summary.strangeness.get("distance_percentile")
    plan, _ = intervention.distance
    if forecast is not None and plan is not None and abs(forecast - plan) > 0.01:
        raise UsageError(
            "The plan was tried on another connectome than the forecast's: farther from the "
            f"cohort's mean than {plan:.3g} % of its people, the forecast's than {forecast:.3g} %. "
            "Make a report of each."
        )


def _about(parts: _Parts, made: Made, found: ReportBundle | None, problem: str) -> Section:
    """Who, which bundle, and what it rests on."""
    rows: list[tuple[str, str]] = []
    if parts.person is not None or parts.intervention is not None:
        rows.append(("Participant", parts.participant_id or "without a name"))
    rows += [("Bundle", made.bundle), ("Digest of the bundle (SHA-256)", made.digest)]
    rows.append(
        ("Bundle verified", "yes, by its digest" if found is not None else f"no: {problem}")
    )
    summary = None if parts.person is None else parts.person.summary
    if summary is not None:
        rows.append(("Rests on", summary.forecast.basis))
        rows.append(("Draws of the latent", str(summary.draws)))
        rows.append(("Made with", f"dtb-runtime {summary.made_with}"))
    blocks: list[Block] = [Facts(tuple(rows))]
    if found is None:
        blocks.append(Notice(f"This bundle was not found: {problem}."))
    return Section("about", "Who and what", tuple(blocks))


def _of_bundle(bundle: ReportBundle | None) -> tuple[str, ...]:
    """The bundle's own warning, which tables alone do not carry."""
    warning = None if bundle is None else bundle.manifest.training.warning
    return (warning,) if warning else ()


def _files(inputs: ReportInputs) -> Section:
    """What the page was made from."""
    rows = []
    for path in inputs.files:
        with path.open("rb") as file:
            name = f"{path.absolute().parent.name}/{path.name}"
            rows.append((name, hashlib.file_digest(file, "sha256").hexdigest()))
    table = DataTable.of(
        "Files that this page was made from", ("file", "SHA-256"), rows, is_text=True
    )
    return Section("files", "Files", (table,))


def _title(parts: _Parts) -> str:
    """What stands on top."""
    if parts.person is None and parts.intervention is None:
        return "Digital twins of a cohort"
    return f"Digital twin of {parts.participant_id or 'one person'}"


def _subtitle(parts: _Parts) -> str:
    """What is on the page."""
    learned = parts.person is not None and parts.person.before is not None
    shown = {
        "forecast": parts.person is not None,
        "calibration": learned,
        "intervention plan": parts.intervention is not None,
        "scored cohort": parts.cohort is not None,
        "trial in silico": parts.trial is not None,
    }
    return ", ".join(name for name, is_shown in shown.items() if is_shown).capitalize()
