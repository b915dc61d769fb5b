"""`docs/PERFORMANCE.md` out of the benchmark's figures: every word and number of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import speed_gpu
from page_aims import Figures, aims_markdown
from page_section import tiny, where_measured, written
from speed_aims import aims
from speed_sections import SECTIONS

_HEAD = """\
# Performance

How fast the runtime is, beside the paper's own way of running and beside what the processor can do
at all. `make bench` measures everything in one run on the same inputs, keeps the figures in
`benchmarks/results/speed.json` and writes this page from them: no number here is typed by hand."""
_READ = """\
## How to read this

- **The paper's way** is our own re-creation of how the paper's code runs, in today's PyTorch: the
  hypernetwork, then `torch.nn.RNNCell` called once per 80 ms step, mapped over people with
  `torch.func.vmap`, then a linear readout. It gives the runtime's numbers and is not the authors'
  code.
- **`paper`** is the paper's network (untrained: random weights take as long as trained ones);
  **`compact`** is the bundle that ships.
- Methods take turns: each round calls every method once, another one first each time, after all
  were warmed up. A number is the median over the rounds, brackets are quartiles. A ratio is taken
  inside each round, so that what slows the machine for a while hits both sides.
- People are noise with the spread of real connectomes; every seed is fixed."""
_REPRODUCE = """\
## Reproduce

`make bench` measures everything in about 25 minutes, on a machine that does nothing else meanwhile;
it needs PyTorch (`.[torch]`) and, for the floor, a C compiler.
`make bench ARGS="--only person"` measures one section again, `make bench ARGS=--render` only writes
this page, `make bench ARGS="--quick --root DIR"` shows in seconds that everything runs."""
PLOT = "images/speed.svg"
"""From the page's folder."""


def render(figures: Figures | None, gpu: Figures | None) -> str:
    """Return the whole page.

    Parameters
    ----------
    figures : mapping or None
        Content of `speed.json`; None where nothing was measured yet.
    gpu : mapping or None
        Content of `speed_gpu.json`; None where there was no run on a GPU.
    """
    sections: Mapping[str, Any] = {} if figures is None else figures["sections"]
    blocks = [_HEAD]
    if figures is not None:
        blocks.append(where_measured(figures) + tiny(figures["plan"]))
    table = aims_markdown(aims(sections), "measured [quartiles]")
    blocks += [f"## What was aimed at\n\n{table}", _READ]
    for section, said in zip(SECTIONS, written(SECTIONS, sections, "bench"), strict=True):
        blocks.append(said)
        if section.name == "curves" and section.name in sections:
            blocks.append(f"![Milliseconds a person over each axis, both logarithmic]({PLOT})")
    blocks += [f"## GPU\n\n{speed_gpu.write(gpu)}", _REPRODUCE]
    return "\n\n".join(blocks) + "\n"
