"""A section of the results page: what is real in it, its tables, the claims that they make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from results_claims import Claim, ClaimTable
from results_figures import Report

_TRIALS = "choices and response times"


@dataclass(frozen=True, slots=True)
class Part:
    """One table with a heading of its own, and what is said below it."""

    title: str
    """Empty where the section has one table."""
    table: ClaimTable
    notes: tuple[str, ...] = ()
    """Paragraphs below it."""

    def markdown(self) -> str:
        """Return heading, table and notes."""
        heading = (f"### {self.title}",) if self.title else ()
        tables = (self.table.markdown(),) if self.table.claims else ()
        return "\n\n".join((*heading, *tables, *self.notes))


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page about one evaluation."""

    title: str
    what_is_real: str
    """The first line: what is real, and what is simulated."""
    lines: tuple[str, ...]
    """Paragraphs before the tables."""
    parts: tuple[Part, ...]
    remarks: tuple[str, ...] = ()
    """Paragraphs after them."""
    command: str = ""
    """The command that made the figures."""

    @property
    def claims(self) -> tuple[tuple[str, Claim], ...]:
        """Every claim with the name of its part."""
        return tuple((part.title, claim) for part in self.parts for claim in part.table.claims)

    def markdown(self) -> str:
        """Return the section."""
        blocks = [f"## {self.title}", self.what_is_real, *self.lines]
        blocks += [part.markdown() for part in self.parts]
        blocks += self.remarks
        if self.command:
            blocks.append(f"```sh\n{self.command}\n```")
        return "\n\n".join(blocks)


def what_is_real(report: Report) -> str:
    """Return the first line of a section about an evaluation."""
    data = report["data"]
    n, source, connectomes = data["n_people"], data["source"], data["connectomes"]
    if source == "simulated":
        return (
            f"**Simulated:** everything. {n} people were judged, with connectomes, BOLD and "
            f"{_TRIALS} made up, so that it is known what their connectomes can tell."
        )
    if source == "hcp":
        return (
            f"**Real:** resting connectomes and face > shape activations of {n} people (Human "
            f"Connectome Project). **Semi-synthetic:** the networks, which learned from real "
            f"{_TRIALS} with connectomes and BOLD simulated around them."
        )
    people = f"{_TRIALS} of {n} people (Transdiagnostic Connectome Project)"
    if connectomes == "none":
        return (
            f"**Real:** {people}. **Simulated:** nothing that is judged or known of the judged "
            "people; the networks were trained with connectomes and BOLD simulated around real "
            "behavior."
        )
    if connectomes == "simulated":
        return (
            f"**Semi-synthetic:** {people} are real; their connectomes and BOLD were simulated "
            "around all of their trials, the judged ones included. The figures show what the "
            "method finds in connectomes made like that, and nothing about real ones."
        )
    return f"**Real:** {people}, and their connectomes and BOLD."


def who_was_judged(report: Report) -> str:
    """Return a paragraph: how many people, who was left out, how networks were trained."""
    sentences = []
    for task, n in report["judged"].items():
        reasons = [f"{count} {reason}" for reason, count in report["left_out"][task].items()]
        aside = f" (left out: {', '.join(reasons)})" if reasons else ""
        sentences.append(f"`{task}`: {n} people judged{aside}.")
    sentences.append(_trained(report))
    in_sample = report["in_sample"]
    if in_sample is None:
        sentences.append("Whether judged people were trained on is not known.")
    elif report["protocol"] is not None:
        sentences.append(f"{in_sample or 'None'} of the judged people were trained on.")
    return " ".join(sentences)


def warnings(report: Report) -> tuple[str, ...]:
    """Return the sentences that belong to every use of the figures, as one quoted paragraph."""
    found = [*report["warnings"], *report["notes"]]
    return ("\n>\n".join(f"> {sentence}" for sentence in found),) if found else ()


def learning(report: Report) -> tuple[str, ...]:
    """Return how long it took to learn from a person's trials."""
    found = report["calibration"]
    if found is None:
        return ()
    return (
        f"Learning from a person's own trials ({found['n_trials_median']:.0f}, median) took "
        f"{found['seconds_median']:.1f} s of one processor a person (median; at most "
        f"{found['seconds_max']:.1f} s; aimed at: 5). The search ended before it converged for "
        f"{found['not_converged']} people, whose twins say so.",
    )


def _trained(report: Report) -> str:
    training: dict[str, Any] | None = report["training"]
    if training is None:
        return f"Judged: bundle `{report['bundle']}`."
    sizes = training["sizes"]
    how = f"preset `{training['preset']}` on the regions of `{training['regions']}`"
    if sizes["latent_size"]:
        how += (
            f", {sizes['personal_units']} personal of {sizes['hidden_size']} units, "
            f"{sizes['latent_size']} latents ({sizes['bold_latents']} of BOLD alone)"
        )
    settings = training["settings"]
    if "updates" in settings:
        how += f", {settings['updates']} updates"
    parts = "" if report["folds"] is None else f" in {report['folds']} parts by person"
    return f"Networks trained for this{parts}: {how}, seed {report['seed']}."
