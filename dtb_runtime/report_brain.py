"""A contrast's values on a glass brain, drawn by nilearn from where regions lie.

The one module of reports that imports nilearn.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from .report_blocks import Picture
from .report_canvas import Theme, color_map, png_picture
from .report_numbers import Floats

if TYPE_CHECKING:
    from .report_canvas import Figure

_INCHES = (9.6, 2.8)
_SMALLEST, _LARGEST = 4.0, 46.0
"""Areas of markers in square points."""


def brain_picture(values: Floats, places: Floats, *, alt: str, caption: str) -> Picture:
    """Draw one marker for each region, colored and sized by its value.

    Parameters
    ----------
    values : numpy.ndarray, shape (regions,)
        Finite, not all of them 0.
    places : numpy.ndarray, shape (regions, 3)
        MNI coordinates in mm, all of them known.
    alt, caption : str
        See `Picture`.
    """
    order = np.argsort(np.abs(values), kind="stable")  # the largest on top
    values, places = values[order], places[order]
    limit = float(np.abs(values).max())

    def paint(figure: Figure, theme: Theme) -> None:
        # Here, since only reports need it: its import takes seconds.
        from nilearn.plotting import plot_markers

        with warnings.catch_warnings():  # about what it does inside, which is not ours to mend
            warnings.simplefilter("ignore")
            plot_markers(
                values,
                places,
                node_size=_SMALLEST + (_LARGEST - _SMALLEST) * np.abs(values) / limit,
                node_cmap=color_map(theme),
                node_vmin=-limit,
                node_vmax=limit,
                alpha=0.95,
                display_mode="lyrz",
                figure=figure,
                black_bg=theme.is_dark,
                node_kwargs={"linewidths": 0.35, "edgecolors": theme.muted},
            )
        for axes in figure.axes:  # the page's color shall show through
            for background in list(axes.images):
                background.remove()
            for words in axes.texts:
                words.set_bbox(None)

    return png_picture(paint, _INCHES, alt=alt, caption=caption)
