"""The example person that ships: a simulated connectome, simulated trials, and a ready plan.

Nobody's data. The files are those of the checkout's ``examples/``, so that the demonstration and
the documents speak of one person; ``examples/make_demo.py`` copies them and makes the plan.
"""

from __future__ import annotations

from pathlib import Path

from .plan import PLAN_FILE

FOLDER = Path(__file__).parent / "example"
BUNDLE = "tcp434"
"""Name of the shipped bundle that the connectome's regions and the plan belong to."""
CONNECTOME_FILE = "sub-example_atlas-tcp434_connectome.npy"
"""Pearson correlations, shape (434, 434), float16."""
EVENTS_FILE = "sub-example_task-stroopAP_events.tsv"
"""One run of the Stroop task with its responses."""
SIMULATED = "The example person is simulated: connectome and trials are nobody's data."
"""What must stand beside everything that is made of these files."""
PERSON_FILES = tuple(
    name
    for file in (CONNECTOME_FILE, EVENTS_FILE)
    for name in (file, f"{Path(file).stem}.json")  # which says that it is simulated
)
"""What a person would bring, each with its sidecar."""
PLAN = FOLDER / PLAN_FILE
"""A plan for this person that was made with PyTorch; applying it needs none."""


def person_files() -> dict[str, bytes]:
    """Content of `PERSON_FILES`, by name."""
    return {name: (FOLDER / name).read_bytes() for name in PERSON_FILES}
