"""A picture of an intervention: what doses do, and between which networks edges change."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dtb_runtime.bundle import Bundle
    from dtb_runtime.intervention import Intervention

FIGURE_FILE = "intervention.svg"
_INCHES = (11.0, 4.6)
_SHOWN = 6
"""Indicators drawn beside those of the plan: the ones that move most."""


def draw(bundle: Bundle, tried: Intervention) -> bytes:
    """Return an SVG picture; the same intervention gives the same bytes.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "dtb-runtime", "font.size": 9}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        left, right = figure.subplots(1, 2)
        _doses(left, tried)
        _networks(right, bundle, tried)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "dtb-runtime"})
    return buffer.getvalue()


def _doses(axes: Axes, tried: Intervention) -> None:
    import numpy as np

    moved = (tried.at_doses - tried.before) / tried.sds
    aims = {goal.name: goal.change for goal in tried.plan.goals}
    others = [name for name in tried.names if name not in (*aims, *tried.plan.holds)]
    others.sort(key=lambda name: -float(np.nanmax(np.abs(moved[:, tried.names.index(name)]))))
    for name in (*others[:_SHOWN], *tried.plan.holds, *aims):
        k = tried.names.index(name)
        if name in aims:
            axes.plot(tried.doses, moved[:, k], "o-", linewidth=2.2, label=f"{name} (goal)")
            axes.axhline(aims[name] / tried.sds[k], color="0.6", linestyle=":", linewidth=1)
        elif name in tried.plan.holds:
            axes.plot(tried.doses, moved[:, k], "s--", linewidth=1.6, label=f"{name} (held)")
        else:
            axes.plot(tried.doses, moved[:, k], linewidth=0.9, label=name)
    if len(tried.shams):
        k = tried.names.index(next(iter(aims)))
        low, high = np.nanquantile(
            (tried.shams[:, k] - tried.before[k]) / tried.sds[k], (0.05, 0.95)
        )
        axes.fill_between([0.9, 1.1], low, high, color="0.8", label="random changes, 90 %")
    axes.axvline(1.0, color="0.6", linewidth=0.8)
    axes.set_xlabel("dose")
    axes.set_ylabel("change (SD of the training cohort)")
    axes.set_title("What doses do")
    axes.legend(fontsize=7)


def _networks(axes: Axes, bundle: Bundle, tried: Intervention) -> None:
    import numpy as np

    from dtb_runtime.connectome_change import membership, network_names
    from dtb_runtime.plan import parcellation_of

    parcellation = parcellation_of(bundle)
    member = membership(parcellation)
    names = [name or "none" for name in network_names(parcellation)]
    change = tried.changed - tried.original
    of_network = (member[:, None] == np.arange(len(names))).astype(np.float64)
    sums = of_network.T @ change @ of_network
    counts = of_network.sum(axis=0)
    pairs = np.outer(counts, counts) - np.diag(counts)
    mean = np.divide(sums, pairs, out=np.zeros_like(sums), where=pairs > 0)
    limit = max(float(np.abs(mean).max()), 1e-9)
    image = axes.imshow(mean, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_title("Mean change of r between networks")
    axes.figure.colorbar(image, ax=axes, shrink=0.8)
