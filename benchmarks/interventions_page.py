"""`docs/INTERVENTIONS.md` out of the figures: every word and number of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interventions_aims import aims
from interventions_sections import SECTIONS
from page_aims import Figures, aims_markdown
from page_section import tiny, written

_HEAD = """\
# Interventions

Which change of a person's connectome moves a function, whether the plan reaches its goal, and
whether it moves what was planted. `make interventions` measures everything, keeps the figures in
`benchmarks/results/interventions.json` and writes this page from them: no number here is typed by
hand. How to make a plan: [intervene.md](intervene.md); a trial of one: [trial.md](trial.md).

**All people but those of "Real connectomes" are simulated**, none of them seen by any training, and
what a twin knows of connectomes it learned from simulated ones. That a twin moves says nothing
about anybody's brain; that what was planted moves says that the twin has learned to read it."""
_REPRODUCE = """\
## Reproduce

`make interventions` measures everything; it needs PyTorch, scikit-learn and, for the real
connectomes, the data folder (`DTB_SHARED`, or `../shared`). People who are finished stay in
`runs/interventions`, so it goes on after a kill.
`make interventions ARGS="--only direction"` measures one section again, `ARGS=--render` only writes
this page, `ARGS="--quick --root DIR"` shows that everything runs."""


def render(figures: Figures | None) -> str:
    """Return the whole page.

    Parameters
    ----------
    figures : mapping or None
        Content of `interventions.json`; None where nothing was measured yet.
    """
    sections: Mapping[str, Any] = {} if figures is None else figures["sections"]
    blocks = [_HEAD]
    if figures is not None:
        blocks.append(_about(figures))
    blocks.append(f"## What was aimed at\n\n{aims_markdown(aims(sections))}")
    blocks += [*written(SECTIONS, sections, "interventions"), _REPRODUCE]
    return "\n\n".join(blocks) + "\n"


def _about(figures: Figures) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return (
        f"Measured on {figures['date']} with bundle `{figures['bundle']}` (digest "
        f"`{figures['bundle_digest'][:12]}`); {versions}.{tiny(figures['sizes'])}"
    )
