"""`docs/SERVING.md` out of the figures: every word and number of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import serving_aims
from serving_sections import SECTIONS
from speed_words import Figures

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
        blocks.append(_about(figures))
    blocks.append(f"## What was aimed at\n\n{serving_aims.markdown(sections)}")
    for section in SECTIONS:
        if section.name not in sections:
            said = f'Not measured: `make serving ARGS="--only {section.name}"`.'
        else:
            said = section.write(sections[section.name])
        blocks.append(f"## {section.title}\n\n{said}")
    blocks.append(_REPRODUCE)
    return "\n\n".join(blocks) + "\n"


def _about(figures: Figures) -> str:
    machine = figures["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    cores = machine["usable_cores"]
    said = (
        f"Measured on {figures['date']}: {machine['processor']}, {cores} usable "
        f"{'core' if cores == 1 else 'cores'}, {machine['memory_gb']:g} GB of memory, "
        f"{machine['system']}; bundle `{figures['bundle']}`; {versions}. When it began, "
        f"{figures['load']:g} processes had wanted a core during the minute before."
    )
    if figures["load"] > cores / 2:
        said += " **The machine was busy, and times are longer than they need be.**"
    if figures["sizes"] != "full":
        said += " **Tiny sizes, to see that everything runs: these figures mean nothing.**"
    return said
