"""`docs/SERVING.md` out of the figures: every word and number of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from page_aims import Figures, aims_markdown
from page_section import tiny, where_measured, written
from serving_aims import aims
from serving_sections import SECTIONS

_HEAD = """\
# Serving

What `dtb-run serve` does under load, beside the Python API and `dtb-run score`, and what it
survives. `make serving` measures everything, keeps the figures in `benchmarks/results/serving.json`
and writes this page from them: no number here is typed by hand. How to run the service:
[serve.md](serve.md)."""
_REPRODUCE = """\
## Reproduce

`make serving` measures everything in about half an hour, on a machine that does nothing else
meanwhile; it needs what the tests need. `make serving ARGS="--only load"` measures one section
again, `ARGS=--render` only writes this page, `ARGS="--quick --root DIR"` shows that everything
runs."""


def render(figures: Figures | None) -> str:
    """Return the whole page.

    Parameters
    ----------
    figures : mapping or None
        Content of `serving.json`; None where nothing was measured yet.
    """
    sections: Mapping[str, Any] = {} if figures is None else figures["sections"]
    blocks = [_HEAD]
    if figures is not None:
        said = where_measured(figures, f"bundle `{figures['bundle']}`; ")
        blocks.append(said + tiny(figures["sizes"]))
    blocks.append(f"## What was aimed at\n\n{aims_markdown(aims(sections))}")
    blocks += [*written(SECTIONS, sections, "serving"), _REPRODUCE]
    return "\n\n".join(blocks) + "\n"
