"""A report's section on BOLD over time, in a few regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError, UsageError
from .indicator_names import AMYGDALA
from .json_object import MAX_JSON_BYTES, JsonObject
from .report_blocks import DataTable, Paragraph, Part, Picture, Section
from .report_bundle import ReportBundle
from .report_canvas import Theme, drawable, plain, svg_picture
from .report_contrasts import RegionContrast
from .report_numbers import NONE, Floats, bounded, column, number
from .report_responses import TrialKind
from .tables import Table, file_label, listed_names, read_table, read_text, shown
from .tasks import TASKS

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

_MOST_REGIONS = 8
"""Drawn over time."""


@dataclass(frozen=True, slots=True, eq=False)
class RegionSeries:
    """One task's BOLD."""

    task: str
    table: Table
    tr_s: float

    @property
    def regions(self) -> tuple[str, ...]:
        """Labels of its columns."""
        return tuple(self.table.columns)


def read_series(path: Path, task: str) -> RegionSeries:
    """Read a table of BOLD and the time between its rows, which its sidecar says.

    Raises
    ------
    DataError
        One of them cannot be read, or is none of ours.
    """
    sidecar = path.with_suffix(".json")
    document = JsonObject.parse(
        read_text(sidecar, DataError, MAX_JSON_BYTES), file_label(sidecar), DataError
    )
    tr_s = bounded(document.number("RepetitionTime"), document.where)
    table = read_table(path, "\t", DataError)
    if tr_s <= 0.0 or not table.n_rows:
        raise DataError(
            f"{table.source} must have rows, and {document.where} a RepetitionTime above 0."
        )
    return RegionSeries(task, table, tr_s)


def chosen_regions(
    series: RegionSeries,
    contrast: RegionContrast | None,
    bundle: ReportBundle | None,
    asked: Sequence[str],
) -> list[str]:
    """Regions to draw: those asked for, else the right amygdala's and the most different ones.

    Raises
    ------
    UsageError
        More are asked for than can be drawn, or one that there is not.
    """
    if asked:
        unknown = [region for region in asked if region not in series.regions]
        if unknown:
            raise UsageError(
                f"{series.table.source} has no region {shown(unknown[0])}; found "
                f"{listed_names(series.regions)}."
            )
        if len(asked) > _MOST_REGIONS:
            raise UsageError(
                f"At most {_MOST_REGIONS} regions are drawn over time, asked for {len(asked)}."
            )
        return list(dict.fromkeys(asked))
    amygdala = () if bundle is None else bundle.structure(AMYGDALA)
    chosen = [region for region in amygdala if region in series.regions][:2]
    if contrast is not None:
        order = [contrast.regions[row] for row in np.argsort(-contrast.t, kind="stable")]
        chosen += [*order[:2], *order[-1:]]
    there = [region for region in dict.fromkeys(chosen) if region in series.regions]
    return there or list(series.regions[:3])


def courses_section(
    every: Sequence[RegionSeries],
    kinds: Sequence[TrialKind],
    contrasts: Sequence[RegionContrast],
    bundle: ReportBundle | None,
    asked: Sequence[str],
) -> Section:
    """BOLD of a few regions over the run of each task."""
    parts = []
    for series in every:
        contrast = next((each for each in contrasts if each.task == series.task), None)
        own = [kind for kind in kinds if kind.task == series.task]
        courses = {
            region: column(series.table, region)
            for region in chosen_regions(series, contrast, bundle, asked)
        }
        picture = _courses_picture(series, courses, own)
        table = _courses_table(series, courses, own, contrast)
        parts.append(Part(series.task.capitalize(), (picture, table)))
    text = (
        "Regions asked for."
        if asked
        else "The regions of the right amygdala, where the bundle names them, the two that respond "
        "most to what the contrast counts positive, and the one that it lowers most. Others: "
        "--region (of dtb-run report)."
    )
    return Section("courses", "BOLD over time", (Paragraph(text),), tuple(parts))


def _courses_picture(
    series: RegionSeries, courses: dict[str, Floats], kinds: Sequence[TrialKind]
) -> Picture:
    height = 0.75 + 0.95 * len(courses)
    shaded = _first(series, kinds)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(len(courses), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (region, bold) in zip(panels, courses.items(), strict=True):
            _course(axes, region, bold, series.tr_s, shaded, theme)
        panels[-1].set_xlabel("time (s)")
        panels[len(panels) // 2].set_ylabel("BOLD (SD)")
        figure.subplots_adjust(0.07, 0.45 / height, 0.99, 1.0 - 0.25 / height, hspace=0.42)

    said = " ".join(
        f"{region}: {number(float(np.nanmin(bold)))} to {number(float(np.nanmax(bold)))} SD."
        for region, bold in courses.items()
        if np.isfinite(bold).any()
    )
    during = "" if shaded is None else f" Shaded: {shaded.trial_type} trials."
    return svg_picture(
        paint,
        (9.2, height),
        alt=f"Lines of forecast BOLD over the {series.task} run.{during} {said}",
        caption=f"Forecast BOLD in SDs of each region in the training data, {series.task}.{during}",
    )


def _course(
    axes: Axes, region: str, bold: Floats, tr_s: float, shaded: TrialKind | None, theme: Theme
) -> None:
    if shaded is not None:
        spans = list(zip(shaded.onset_s.tolist(), shaded.duration_s.tolist(), strict=True))
        axes.broken_barh(
            spans, (0.0, 1.0), transform=axes.get_xaxis_transform(), color=theme.narrow, linewidth=0
        )
    axes.plot(np.arange(len(bold)) * tr_s, bold, color=theme.person, linewidth=1.3)
    axes.set_title(drawable(region), fontsize=8.5, pad=2)
    axes.margins(x=0.0)
    axes.tick_params(labelsize=8)
    plain(axes, theme)


def _courses_table(
    series: RegionSeries,
    courses: dict[str, Floats],
    kinds: Sequence[TrialKind],
    contrast: RegionContrast | None,
) -> DataTable:
    rows = []
    for region, bold in courses.items():
        known = bold[np.isfinite(bold)]
        ends = (
            (np.nan, np.nan, np.nan) if not len(known) else (known.mean(), known.min(), known.max())
        )
        t = NONE if contrast is None else contrast.value(region)
        rows.append((region, *(number(float(value)) for value in ends), t))
    name = "" if contrast is None else f", {contrast.name}"
    return DataTable.of(
        f"Regions over time, {series.task}",
        ("region", "mean (SD)", "least", "most", f"t{name}"),
        rows,
    )


def _first(series: RegionSeries, kinds: Sequence[TrialKind]) -> TrialKind | None:
    """The kind of trials that the contrast counts positive, else the first one."""
    counted = TASKS[series.task].contrast[0]
    positive = [kind for kind in kinds if kind.trial_type == counted]
    return next(iter((*positive, *kinds)), None)
