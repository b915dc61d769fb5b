"""A report's picture of which edges a plan changes, network by network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError
from .report_blocks import DataTable, Part, Picture
from .report_canvas import Theme, color_map, drawable, svg_picture
from .report_numbers import Floats, column, texts
from .tables import is_missing, read_table

if TYPE_CHECKING:
    from .report_canvas import Figure

_MOST_NETWORKS = 40
"""In the picture; those with the most changed edges."""
_STRONGEST = 10
_NO_NETWORK = "no network"


def edges_part(path: Path) -> Part:
    """Mean change of correlation between networks, drawn and listed.

    Raises
    ------
    DataError
        The table cannot be read, or is none of ours.
    """
    table = read_table(path, "\t", DataError)
    ends = [
        [_NO_NETWORK if is_missing(cell) else cell for cell in texts(table, name)]
        for name in ("network_1", "network_2")
    ]
    change = column(table, "r_after") - column(table, "r_before")
    if not np.isfinite(change).all():
        raise DataError(f"{table.source} must have r_before and r_after in every row.")
    names, counts = np.unique(np.array([*ends[0], *ends[1]], dtype=np.str_), return_counts=True)
    most = np.sort(np.argsort(-counts, kind="stable")[:_MOST_NETWORKS])
    kept = names[most].tolist()
    place = {name: row for row, name in enumerate(kept)}
    total, n_edges = np.zeros((len(kept), len(kept))), np.zeros((len(kept), len(kept)))
    known = [
        (place[one], place[other], row)
        for row, (one, other) in enumerate(zip(*ends, strict=True))
        if one in place and other in place
    ]
    if not known:
        raise DataError(f"{table.source} names no edge. Check that the plan changes one.")
    first, second, rows = (np.array(values) for values in zip(*known, strict=True))
    low, high = np.minimum(first, second), np.maximum(first, second)
    np.add.at(total, (low, high), change[rows])
    np.add.at(n_edges, (low, high), 1.0)
    mean = np.divide(total, n_edges, out=np.full_like(total, np.nan), where=n_edges > 0)
    left = "" if len(names) == len(kept) else f" The {len(kept)} networks with the most edges."
    listed = _listed(kept, mean, n_edges)
    return Part(
        "Edges by network",
        (
            _picture(kept, mean, len(change), listed, left),
            DataTable.of(
                f"The {len(listed)} pairs of networks that change most",
                ("networks", "edges", "mean change of r"),
                listed,
            ),
        ),
    )


def _listed(names: list[str], mean: Floats, n_edges: Floats) -> list[tuple[str, str, str]]:
    """The pairs whose edges change most on average, the largest first."""
    pairs = np.argwhere(n_edges > 0)
    order = np.argsort([-abs(mean[one, other]) for one, other in pairs], kind="stable")
    return [
        (
            f"{names[one]} - {names[other]}" if one != other else f"within {names[one]}",
            f"{n_edges[one, other]:.0f}",
            f"{mean[one, other]:+.4f}",
        )
        for one, other in pairs[order[:_STRONGEST]].tolist()
    ]


def _picture(
    names: list[str], mean: Floats, n_edges: int, listed: list[tuple[str, str, str]], left: str
) -> Picture:
    both = np.where(np.isfinite(mean), mean, mean.T)
    limit = max(float(np.nanmax(np.abs(both))), 1e-12)
    side = min(max(3.2, 1.8 + 0.24 * len(names)), 7.4)

    def paint(figure: Figure, theme: Theme) -> None:
        axes = figure.subplots()
        image = axes.imshow(both, cmap=color_map(theme), vmin=-limit, vmax=limit)
        labels = [drawable(name) for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=7.5)
        axes.set_yticks(range(len(names)), labels, fontsize=7.5)
        axes.tick_params(length=0)
        bar = figure.colorbar(image, ax=axes, shrink=0.75)
        bar.set_label("mean change of r")
        bar.outline.set_visible(False)
        figure.tight_layout()

    said = "; ".join(f"{pair}: {change}" for pair, _, change in listed[:5])
    return svg_picture(
        paint,
        (side + 1.4, side),
        alt=f"Matrix of the mean change of correlation between {len(names)} networks. The largest: "
        f"{said}.",
        caption=f"Mean change of r over the {n_edges} edges that the plan changes, by the networks "
        f"that they join.{left}",
    )
