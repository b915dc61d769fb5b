"""Pictures of a report: drawn by matplotlib, once for light and once for dark pages.

The one module of reports that imports matplotlib. Its own settings are put aside while it draws, so
that the same numbers give the same bytes whatever a user has set.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from .report_blocks import Picture
from .tables import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

FONT = "DejaVu Sans"
"""It comes with matplotlib, so it is the same everywhere."""
_CSS_PIXELS = 96  # an inch, as browsers count
_DOTS_OF_PNG = 160  # an inch
_COLORS_OF_PNG = 256
_LONGEST_LABEL = 40
LABEL_WIDTH = 17
"""Letters of a line beside a strip; longer labels take several lines."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colors that can be told apart on one kind of page, with a contrast of 3 or more."""

    is_dark: bool
    ink: str
    muted: str
    """Axes and words beside them."""
    faint: str
    """Lines that only guide the eye."""
    wide: str
    """The band of 9 in 10 people."""
    narrow: str
    """The band of the middle half."""
    person: str
    other: str
    diverging: tuple[str, ...]
    """From below nothing to above it, with the page's color between them."""


LIGHT = Theme(
    is_dark=False,
    ink="#1c2430",
    muted="#525e6c",
    faint="#c9d1da",
    wide="#e3e9f0",
    narrow="#c2cfdd",
    person="#0a5ca8",
    other="#b3480c",
    diverging=("#08427c", "#5b9fd6", "#f3f5f7", "#e78a4e", "#8f3206"),
)
DARK = Theme(
    is_dark=True,
    ink="#e9edf2",
    muted="#a9b4c0",
    faint="#46525f",
    wide="#2a3440",
    narrow="#44546a",
    person="#7cbcff",
    other="#ffa766",
    diverging=("#a5d8ff", "#2c7fd1", "#1b232c", "#d8642c", "#ffd7a8"),
)
Paint = Callable[["Figure", Theme], None]
"""Draws into a new figure."""


def svg_picture(paint: Paint, inches: tuple[float, float], *, alt: str, caption: str) -> Picture:
    """Draw a picture of lines and words.

    Parameters
    ----------
    paint : callable
        Called with a new figure and with each theme.
    inches : (float, float)
        Width and height.
    alt, caption : str
        See `Picture`.
    """
    light, dark = (_drawn(paint, inches, theme, "svg", 72) for theme in (LIGHT, DARK))
    return _picture(light, dark, "image/svg+xml", inches, alt, caption)


def png_picture(paint: Paint, inches: tuple[float, float], *, alt: str, caption: str) -> Picture:
    """Draw a picture of very many things, whose size does not depend on how many they are."""
    light, dark = (
        _png(_drawn(paint, inches, theme, "rgba", _DOTS_OF_PNG), inches) for theme in (LIGHT, DARK)
    )
    return _picture(light, dark, "image/png", inches, alt, caption)


def drawable(text: str) -> str:
    """A name for a picture: short, on one line, of letters that the font has."""
    line = one_line(text)
    if len(line) > _LONGEST_LABEL:
        line = f"{line[: _LONGEST_LABEL - 3]}..."
    known = _letters()
    return "".join(letter if ord(letter) in known else "?" for letter in line)


def wrapped(text: str, width: int) -> str:
    """The same on several lines, each of about so many letters."""
    return "\n".join(wrap(drawable(text), width, break_long_words=False))


def plain(axes: Axes, theme: Theme, *, grid: str = "") -> None:
    """Leave of the frame what carries a scale; `grid` is an axis, ``"x"`` or ``"y"``."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if grid == "x":
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    if grid:
        axes.set_axisbelow(True)
        axes.grid(axis=grid, color=theme.faint, linewidth=0.6)  # type: ignore[arg-type]


def color_map(theme: Theme) -> Any:
    """Colors of what lies below and above nothing."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("diverging", theme.diverging)


def _picture(
    light: bytes, dark: bytes, media_type: str, inches: tuple[float, float], alt: str, caption: str
) -> Picture:
    width, height = (round(_CSS_PIXELS * side) for side in inches)
    return Picture(light, dark, media_type, width, height, alt, caption)


def _drawn(
    paint: Paint, inches: tuple[float, float], theme: Theme, form: str, dots_per_inch: int
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with _own_settings(theme):
        figure = Figure(figsize=inches, dpi=dots_per_inch)
        (FigureCanvasSVG if form == "svg" else FigureCanvasAgg)(figure)
        paint(figure, theme)
        buffer = io.BytesIO()
        without = {"Date": None, "Creator": None} if form == "svg" else None
        figure.savefig(buffer, format=form, transparent=True, metadata=without)
    return buffer.getvalue()


@contextmanager
def _own_settings(theme: Theme) -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "font.family": FONT,
                "font.size": 9.0,
                "axes.titlesize": 10.0,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.labelcolor": theme.muted,
                "axes.edgecolor": theme.muted,
                "axes.linewidth": 0.8,
                "text.color": theme.ink,
                "xtick.color": theme.muted,
                "ytick.color": theme.muted,
                "legend.frameon": False,
                "hatch.linewidth": 0.6,
                # Names from files may hold dollars, and are not formulas.
                "text.parse_math": False,
                "svg.hashsalt": "dtb-runtime",
            }
        )
        yield


def _png(pixels: bytes, inches: tuple[float, float]) -> bytes:
    """Pixels in 256 colors: a quarter of the bytes of all colors, and no difference to the eye."""
    from PIL import Image  # matplotlib brings it

    width, height = (int(_DOTS_OF_PNG * side) for side in inches)
    image = Image.frombytes("RGBA", (width, height), pixels)
    fewer = image.quantize(
        _COLORS_OF_PNG, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    fewer.save(buffer, format="png", compress_level=9)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def _letters() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())
