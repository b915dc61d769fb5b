"""A report's section on contrasts: where BOLD differs between trial types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import DataError
from .report_blocks import Block, DataTable, Paragraph, Part, Section
from .report_brain import brain_picture
from .report_bundle import ReportBundle
from .report_numbers import NONE, Floats, column, number, texts
from .tables import listed_names, read_table
from .tasks import TASKS

_STRONGEST = 10
"""Regions in the table beside a picture; all of them are in a folded one."""
_NO_NOISE = (
    "Forecast BOLD has no measurement noise, so its t is far larger than that of a scan: compare "
    "it between people and regions, not with a threshold. t is the difference divided by how much "
    "forecast BOLD varies otherwise; the largest difference is that of the estimates."
)


@dataclass(frozen=True, slots=True, eq=False)
class RegionContrast:
    """One task's contrast in every region."""

    task: str
    source: str
    regions: tuple[str, ...]
    estimate: Floats
    """Shape (regions,), in SDs of the region in the training data."""
    t: Floats

    @property
    def name(self) -> str:
        """As people write it: ``face > shape``."""
        return " > ".join(TASKS[self.task].contrast)

    def value(self, region: str) -> str:
        """A region's t as a cell."""
        return number(float(self.t[self.regions.index(region)])) if region in self.regions else NONE


def read_contrast(path: Path, task: str) -> RegionContrast:
    """Read a table of a contrast. Raises `DataError` where it is none."""
    table = read_table(path, "\t", DataError)
    regions, estimate, t = texts(table, "region"), column(table, "estimate"), column(table, "t")
    if not table.n_rows or not (np.isfinite(estimate) & np.isfinite(t)).all():
        raise DataError(f"{table.source} must have a number of each region in estimate and t.")
    return RegionContrast(task, table.source, regions, estimate, t)


def contrasts_section(
    contrasts: Sequence[RegionContrast], bundle: ReportBundle | None, problem: str
) -> Section:
    """Where BOLD differs between trial types."""
    left_out: tuple[str, ...] = ()
    if bundle is None:
        left_out = (f"The pictures of the brain are left out: {problem}.",)
    parts = []
    for contrast in contrasts:
        blocks: list[Block] = []
        if bundle is not None:
            blocks.append(_on_the_brain(contrast, bundle))
        order = np.argsort(-np.abs(contrast.t), kind="stable")
        strongest = order[:_STRONGEST]
        title = f"The {len(strongest)} regions with the largest t, {contrast.name}"
        blocks.append(_regions_table(title, contrast, strongest.tolist(), bundle))
        blocks.append(
            _regions_table(
                f"All {len(contrast.regions)} regions, {contrast.name}",
                contrast,
                list(range(len(contrast.regions))),
                bundle,
                is_folded=True,
            )
        )
        parts.append(Part(f"{contrast.name[:1].upper()}{contrast.name[1:]}", tuple(blocks)))
    return Section(
        "contrasts", "BOLD on the brain", (Paragraph(_NO_NOISE),), tuple(parts), left_out
    )


def _on_the_brain(contrast: RegionContrast, bundle: ReportBundle) -> Block:
    places = bundle.places(contrast.regions)
    known = np.asarray(np.isfinite(places).all(axis=1))
    without = [contrast.regions[row] for row in np.flatnonzero(~known).tolist()]
    if not known.any() or not np.abs(contrast.t[known]).max() > 0:
        return Paragraph("The bundle does not say where these regions lie, so none is drawn.")
    order = np.argsort(contrast.t)
    highest, lowest = int(order[-1]), int(order[0])
    positive = int((contrast.t > 0).sum())
    missing = ""
    if without:
        missing = (
            f" Not drawn, since the bundle does not say where they lie: {len(without)} regions "
            f"({listed_names(without)}). They are in the table of all regions."
        )
    return brain_picture(
        contrast.t[known],
        places[known],
        alt=f"Glass brain from the left, from behind, from the right and from above, with a marker "
        f"for each of {int(known.sum())} regions, for {contrast.name}. Of all {len(contrast.t)} "
        f"regions {positive} respond more to the first; the largest t is "
        f"{number(float(contrast.t[highest]))} in {contrast.regions[highest]}, the smallest "
        f"{number(float(contrast.t[lowest]))} in {contrast.regions[lowest]}.",
        caption=f"t of forecast BOLD, {contrast.name}: each marker is a region, at its center; "
        f"color and size say how large t is.{missing}",
    )


def _regions_table(
    caption: str,
    contrast: RegionContrast,
    rows: list[int],
    bundle: ReportBundle | None,
    *,
    is_folded: bool = False,
) -> DataTable:
    networks = {} if bundle is None else bundle.networks()
    return DataTable.of(
        caption,
        ("region", "network", "estimate (SD)", "t"),
        (
            (
                contrast.regions[row],
                networks.get(contrast.regions[row]) or NONE,
                number(float(contrast.estimate[row])),
                number(float(contrast.t[row])),
            )
            for row in rows
        ),
        is_folded=is_folded,
        where=contrast.source,
    )
