"""A report's section on a scored cohort: distributions, who failed, who is strange or imputed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError
from .indicator_names import AVERAGED, TASK_OF
from .json_object import MAX_JSON_BYTES, JsonObject
from .report_blocks import Block, DataTable, Facts, Paragraph, Part, Picture, Section
from .report_bundle import Made, ReportBundle
from .report_canvas import Theme, drawable, plain, svg_picture
from .report_inputs import Together
from .report_numbers import (
    NONE,
    Floats,
    column,
    number,
    texts,
    whole,
    with_unit,
)
from .run_file import RUN_FILE
from .score_rows import STRANGENESS
from .strangeness import UNUSUAL_PERCENTILE
from .tables import Table, file_label, is_missing, read_table, read_text

if TYPE_CHECKING:
    from .report_canvas import Axes, Figure

MOST_PEOPLE = 50
"""Of those who failed, are strange or have imputed regions; more are in the table."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCohort:
    """``cohort.tsv``, and what is said beside it."""

    table: Table
    made: Made
    warnings: tuple[str, ...]
    draws: int | None
    """Draws of the latent that each row averages over; None where nothing says."""
    who: tuple[str, ...]
    """Participant ids, with sessions where there are several."""
    is_ok: np.ndarray
    """Shape (rows,), bool."""

    @property
    def indicators(self) -> list[str]:
        """Main indicators that the table has; a cohort's own columns have no such names."""
        return [name for name in (*AVERAGED, *TASK_OF) if name in self.table.columns]


def read_cohort(files: Together) -> ScoredCohort:
    """Read a scored cohort.

    Raises
    ------
    DataError
        A file cannot be read, is none of ours, or ``cohort.json`` is not beside the table.
    """
    columns = files.other("cohort.json")
    if columns is None:
        raise DataError(
            f"{file_label(files.first)} needs cohort.json beside it, which says what made it. Give "
            "the folder that dtb-run score wrote."
        )
    name = file_label(columns)
    document = JsonObject.parse(read_text(columns, DataError, MAX_JSON_BYTES), name, DataError)
    (by, *_) = document.children("GeneratedBy") or [JsonObject({}, name, DataError)]
    table = read_table(files.first, "\t", DataError)
    status = texts(table, "status")
    if not set(status) <= {"ok", "failed"}:
        raise DataError(f"{table.source}: status must be ok or failed in every row.")
    who = texts(table, "participant_id")
    if "session" in table.columns:
        sessions = table.columns["session"]
        who = tuple(
            person if is_missing(session) else f"{person}, session {session}"
            for person, session in zip(who, sessions, strict=True)
        )
    return ScoredCohort(
        table=table,
        made=Made(by.text("Bundle"), by.text("Digest")),
        warnings=document.texts("Warnings"),
        draws=_draws(files.other(RUN_FILE)),
        who=who,
        is_ok=np.array([each == "ok" for each in status], dtype=bool),
    )


def _draws(path: Path | None) -> int | None:
    if path is None:
        return None
    name = file_label(path)
    document = JsonObject.parse(read_text(path, DataError, MAX_JSON_BYTES), name, DataError)
    settings = document.child("scored").child("settings")
    return settings.integer("draws", minimum=1) if "draws" in settings.remaining_keys() else None


def cohort_section(cohort: ScoredCohort, bundle: ReportBundle | None, problem: str) -> Section:
    """How a cohort's twins are spread, and of whom nothing or little is known."""
    left_out: tuple[str, ...] = ()
    if bundle is None:
        left_out = (f"The training cohort beside the distributions is left out: {problem}.",)
    n_imputed, n_strange = _imputed(cohort), _outlyingness(cohort)
    strange = np.flatnonzero(np.nan_to_num(n_strange) > UNUSUAL_PERCENTILE)
    strange = strange[np.argsort(-n_strange[strange], kind="stable")]
    imputed = np.flatnonzero(np.nan_to_num(n_imputed) > 0)
    failed = np.flatnonzero(~cohort.is_ok)
    facts = Facts(
        (
            ("Rows", f"{len(cohort.who)}, of which {int(cohort.is_ok.sum())} were forecast"),
            ("Failed", str(len(failed))),
            (
                "Unusual connectomes",
                f"{len(strange)} (farther out than {UNUSUAL_PERCENTILE:.0f} % "
                "of the training cohort)",
            ),
            ("With imputed regions", str(len(imputed))),
            ("Draws", NONE if cohort.draws is None else _draws_in_words(cohort.draws)),
        )
    )
    parts = [Part("Distributions", tuple(_distributions(cohort, bundle)))]
    parts.append(Part("Unusual connectomes", tuple(_strange(cohort, strange, n_strange))))
    if len(imputed):
        parts.append(
            Part(
                "Imputed regions",
                (_people("Regions taken from the cohort", cohort, imputed, "regions", n_imputed),),
            )
        )
    parts.append(Part("Who failed", (_failures(cohort.table, cohort.who, failed),)))
    return Section("cohort", "Cohort", (facts,), tuple(parts), left_out)


def _draws_in_words(draws: int) -> str:
    return "1: everybody at the mean of what the connectome tells" if draws == 1 else str(draws)


def _distributions(cohort: ScoredCohort, bundle: ReportBundle | None) -> list[Block]:
    values = {name: column(cohort.table, name)[cohort.is_ok] for name in cohort.indicators}
    values = {name: of[np.isfinite(of)] for name, of in values.items()}
    values = {name: of for name, of in values.items() if len(of)}
    if not values:
        return [Paragraph("Nobody was forecast, so there is no distribution.")]
    rows = []
    for name, of in values.items():
        norm = None if bundle is None else bundle.norm(name, of_mean_twin=cohort.draws == 1)
        rows.append(
            (
                with_unit(name),
                str(len(of)),
                number(float(of.mean())),
                number(float(of.std(ddof=1)) if len(of) > 1 else None),
                *(number(float(value)) for value in np.quantile(of, _QUANTILES)),
                NONE if norm is None else f"{number(norm[5])} to {number(norm[95])}",
            )
        )
    columns = ("indicator", "people", "mean", "SD", *(f"{100 * q:.0f} %" for q in _QUANTILES))
    return [
        _histograms(values),
        DataTable.of(
            "Each indicator over people, beside the middle 90 % of the training cohort",
            (*columns, "training cohort"),
            rows,
        ),
        Paragraph(
            "A connectome tells only part of how people differ, so twins lie closer together than "
            "the training cohort does."
        ),
    ]


def _histograms(values: dict[str, Floats]) -> Picture:
    n_columns = min(3, len(values))
    n_rows = -(-len(values) // n_columns)

    def paint(figure: Figure, theme: Theme) -> None:
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for axes in panels[len(values) :]:
            axes.set_axis_off()
        for axes, (name, of) in zip(panels, values.items(), strict=False):
            _histogram(axes, of, theme)
            axes.set_title(drawable(with_unit(name)), fontsize=9)
        panels[0].set_ylabel("people")
        figure.tight_layout(w_pad=1.5, h_pad=1.2)

    said = " ".join(
        f"{with_unit(name)}: median {number(float(np.median(of)))}, middle 90 % "
        f"{number(float(np.quantile(of, 0.05)))} to {number(float(np.quantile(of, 0.95)))}."
        for name, of in values.items()
    )
    return svg_picture(
        paint,
        (3.07 * n_columns, 2.1 * n_rows),
        alt=f"Histograms of indicators over the people of this cohort. {said}",
        caption="Forecast indicators over the people of this cohort; the line is their median.",
    )


def _histogram(axes: Axes, values: Floats, theme: Theme) -> None:
    low, high = float(values.min()), float(values.max())
    pad = max(0.03 * (high - low), 1e-6 * max(abs(low), abs(high)), 1e-9)
    n_bins = min(30, 4 + round(2.0 * len(values) ** 0.5))
    edges = np.linspace(low - pad, high + pad, n_bins + 1).tolist()
    axes.hist(values, bins=edges, color=theme.narrow, edgecolor=theme.muted, linewidth=0.4)
    axes.axvline(float(np.median(values)), color=theme.person, linewidth=2.0)
    axes.set_xlim(low - pad, high + pad)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=4)
    axes.locator_params(axis="y", nbins=4, integer=True)
    plain(axes, theme)


def _outlyingness(cohort: ScoredCohort) -> Floats:
    """Percent of the training cohort that is less unusual, shape (rows,); NaN where not known."""
    columns = cohort.table.columns
    worst = np.full(cohort.table.n_rows, np.nan)
    _, distance, _, similarity = STRANGENESS
    for name, is_reversed in ((distance, False), (similarity, True)):
        if name in columns:
            values = column(cohort.table, name)
            worst = np.fmax(worst, 100.0 - values if is_reversed else values)
    return worst


def _imputed(cohort: ScoredCohort) -> Floats:
    if "n_imputed" not in cohort.table.columns:
        return np.full(cohort.table.n_rows, np.nan)
    return column(cohort.table, "n_imputed")


def _strange(cohort: ScoredCohort, strange: np.ndarray, percent: Floats) -> list[Block]:
    known = percent[np.isfinite(percent)]
    if not len(known):
        return [Paragraph("The bundle cannot say how unusual connectomes are.")]
    counts, _ = np.histogram(known, bins=[-1, 50, 75, 90, UNUSUAL_PERCENTILE, 101])
    blocks: list[Block] = [
        Paragraph(
            "How unusual a connectome is: the percent of the training cohort that is less so, by "
            "distance from its mean or by similarity to it, whichever says more. Of people like "
            "those of the training cohort, 5 to 10 % lie above 95."
        ),
        _strange_picture(known),
        DataTable.of(
            "People by how unusual their connectome is",
            ("percent of the training cohort that is less so", "people"),
            zip(
                ("below 50", "50 to 75", "75 to 90", "90 to 95", "above 95"),
                map(str, counts.tolist()),
                strict=True,
            ),
        ),
    ]
    if len(strange):
        blocks.append(
            _people("The most unusual ones", cohort, strange, "percent less unusual", percent)
        )
    return blocks


def _strange_picture(percent: Floats) -> Picture:
    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        axes.hist(
            percent,
            bins=np.linspace(0.0, 100.0, 41).tolist(),
            color=theme.narrow,
            edgecolor=theme.muted,
            linewidth=0.4,
        )
        axes.axvline(UNUSUAL_PERCENTILE, color=theme.other, linewidth=1.6, linestyle="--")
        axes.set_xlim(0.0, 100.0)
        axes.set_xlabel("percent of the training cohort that is less unusual")
        axes.set_ylabel("people")
        axes.locator_params(axis="y", nbins=5, integer=True)
        plain(axes, theme)
        figure.subplots_adjust(0.07, 0.24, 0.98, 0.95)

    above = int((percent > UNUSUAL_PERCENTILE).sum())
    return svg_picture(
        paint,
        (9.2, 2.0),
        alt=f"Histogram of how unusual the {len(percent)} connectomes are: {above} of them lie "
        f"above {UNUSUAL_PERCENTILE:.0f}, the median is {np.median(percent):.0f}.",
        caption="How unusual the connectomes are; right of the dashed line they are called so.",
    )


def _people(
    caption: str, cohort: ScoredCohort, rows: np.ndarray, what: str, values: Floats
) -> DataTable:
    return DataTable.of(
        caption,
        ("participant", what),
        ((cohort.who[row], whole(float(values[row]))) for row in rows.tolist()),
        most=MOST_PEOPLE,
        where=cohort.table.source,
    )


def _failures(table: Table, who: Sequence[str], failed: np.ndarray) -> Block:
    """Why nothing is known of some people."""
    if not len(failed):
        return Paragraph("Nobody.")
    errors = texts(table, "error")
    return DataTable.of(
        "Why there is no forecast",
        ("participant", "reason"),
        ((who[row], errors[row]) for row in failed.tolist()),
        is_text=True,
        most=MOST_PEOPLE,
        where=table.source,
    )
