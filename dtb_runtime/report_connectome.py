"""A report's section on the connectome: how good it is, and how unusual for the cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .report_blocks import Block, DataTable, Facts, Paragraph, Picture, Section
from .report_bundle import ReportBundle
from .report_canvas import Theme, plain, svg_picture
from .report_numbers import NONE, Floats, number, whole
from .report_summary import PersonSummary
from .tables import listed_names

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

_DISTANCE = "Distance from the cohort's mean (Mahalanobis)"
_SIMILARITY = "Correlation with the cohort's mean connectome"
Measure = tuple[str, Floats, float]
"""What it is, everybody of the cohort, and the person."""


def connectome_section(
    summary: PersonSummary, bundle: ReportBundle | None, problem: str
) -> Section:
    """How unusual a connectome is, with what it was taken for.

    Parameters
    ----------
    summary : PersonSummary
    bundle : ReportBundle, optional
        Without it there is no picture; `problem` says why.
    """
    title = "How unusual the connectome is"
    if summary.connectome is None:
        text = "This forecast was made without a connectome, so nothing is known of it."
        return Section("connectome", title, (Paragraph(text),))
    blocks: list[Block] = []
    left_out: tuple[str, ...] = ()
    if summary.strangeness_sentence is None:
        blocks.append(Paragraph("The bundle cannot say how unusual a connectome is."))
    else:
        blocks.append(Paragraph(summary.strangeness_sentence))
        measures = _measures(summary, bundle)
        if measures:
            blocks.append(_picture(measures))
        elif bundle is None:
            left_out = (f"Where the training cohort's connectomes lie is left out: {problem}.",)
        blocks.append(_table(summary))
    blocks.append(_facts(summary))
    return Section("connectome", title, tuple(blocks), left_out=left_out)


def _measures(summary: PersonSummary, bundle: ReportBundle | None) -> list[Measure]:
    found: list[Measure] = []
    if bundle is None:
        return found
    similarity = summary.strangeness.get("similarity_to_cohort")
    distance = summary.strangeness.get("distance")
    if bundle.norms.edges is not None and similarity is not None:
        found.append((_SIMILARITY, bundle.norms.edges.similarity, similarity))
    if bundle.norms.latent is not None and distance is not None:
        found.append((_DISTANCE, bundle.norms.latent.distance, distance))
    return found


def _picture(measures: list[Measure]) -> Picture:
    n_people = len(measures[0][1])
    said = "; ".join(
        f"{what}: the cohort's middle 90 % lie between {np.quantile(people, 0.05):.2f} and "
        f"{np.quantile(people, 0.95):.2f}, this person is at {person:.2f}"
        for what, people, person in measures
    )

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(1, len(measures), squeeze=False)[0]
        for axes, measure in zip(panels, measures, strict=True):
            _histogram(axes, measure, theme)
        panels[0].set_ylabel("people")
        figure.subplots_adjust(0.07, 0.2, 0.98, 0.86, wspace=0.18)

    return svg_picture(
        paint,
        (4.6 * len(measures), 2.5),
        alt=f"Histograms with a line at this person. {said}.",
        caption=f"This person (line) among {n_people} people of the training cohort, each "
        "read by a network that was trained without them.",
    )


def _histogram(axes: Axes, measure: Measure, theme: Theme) -> None:
    what, people, person = measure
    low, high = min(float(people.min()), person), max(float(people.max()), person)
    pad = 0.04 * max(high - low, 1e-9)
    axes.hist(people, bins=np.linspace(low - pad, high + pad, 25).tolist(), color=theme.narrow)
    axes.axvline(person, color=theme.person, linewidth=2.4)
    axes.set_xlim(low - pad, high + pad)
    is_right = person > (low + high) / 2
    axes.annotate(
        "this person",
        (person, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if is_right else 5, -2),
        textcoords="offset points",
        ha="right" if is_right else "left",
        va="top",
        color=theme.person,
        fontweight="bold",
    )
    axes.locator_params(axis="y", integer=True)
    axes.set_title(what, fontsize=9)
    plain(axes, theme)


def _table(summary: PersonSummary) -> DataTable:
    of = summary.strangeness
    nearer = of.get("distance_percentile")
    rows = (
        (
            _SIMILARITY,
            number(of.get("similarity_to_cohort")),
            f"{whole(of.get('similarity_percentile'))} % are less similar",
        ),
        (
            _DISTANCE,
            number(of.get("distance")),
            f"{whole(None if nearer is None else 100.0 - nearer)} % are farther",
        ),
    )
    known = (row for row in rows if row[1] != NONE)
    return DataTable.of(
        "How unusual the connectome is", ("measure", "this person", "in the cohort"), known
    )


def _facts(summary: PersonSummary) -> Facts:
    of = summary.connectome or {}
    imputed = of["imputed"]
    rows = [
        ("Taken for", of["taken_for"]),
        ("Regions told", of["regions"]),
        ("Mean correlation", f"{of['mean_r']:.3f}, SD {of['sd_r']:.3f} over pairs of regions"),
    ]
    if of["n_timepoints"] is not None:
        rows.append(("Time points", f"{of['n_timepoints']:g}"))
    if of["mean_fd_mm"] is not None:
        rows.append(("Head motion", f"{of['mean_fd_mm']:.2f} mm mean framewise displacement"))
    rows.append(
        (
            "Regions without data",
            f"{len(imputed)}, taken from the cohort: {listed_names(imputed)}"
            if imputed
            else "none",
        )
    )
    return Facts(tuple(rows))
