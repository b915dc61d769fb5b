"""A report as one HTML page: what was put together, in the template, every text escaped.

The one module of reports that imports jinja2. The page needs nothing from outside and runs no
script: its content security policy forbids both.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from .report_blocks import Document
from .tables import one_line

TEMPLATES = Path(__file__).parent / "templates"
_PAGE, _STYLE = "report.html", "report.css"
_LONGEST = 4000
"""Characters of one text."""


def render(document: Document) -> bytes:
    """Return the page as UTF-8; the same document gives the same bytes.

    Raises
    ------
    ModuleNotFoundError
        jinja2 is not installed.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Letters, digits and two signs: nothing in it to escape, and far too much to look through.
    environment.filters["base64"] = lambda data: Markup(base64.b64encode(data).decode("ascii"))
    style = (TEMPLATES / _STYLE).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    page = environment.get_template(_PAGE).render(
        document=document,
        style=Markup(style),  # ours: it comes with the package
        style_hash=f"sha256-{digest}",
    )
    return page.encode("utf-8")


def _printable(value: Any) -> Any:
    """Texts from files as one line, and no more of them than helps; markup of ours passes."""
    if type(value) is not str:
        return value
    if len(value) > _LONGEST:
        value = f"{value[:_LONGEST]}..."
    return value if value.isprintable() else one_line(value)
