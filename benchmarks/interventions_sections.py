"""The sections of the page: what is measured, in this order, and how each is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import interventions_direction
import interventions_gradients
import interventions_kinds
import interventions_people
import interventions_real
import interventions_trial
from interventions_inputs import Inputs
from interventions_words import Figures


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page."""

    name: str
    """As in `--only`, and in the file of figures."""
    title: str
    """Heading on the page."""
    measure: Callable[[Inputs], dict[str, Any]]
    """Measures, and returns JSON values."""
    write: Callable[[Figures], str]
    """Writes them as Markdown, from these values alone."""


SECTIONS = (
    Section(
        "people",
        "Personal plans",
        interventions_people.measure,
        interventions_people.write,
    ),
    Section(
        "kinds",
        "Few edges, regions, networks",
        interventions_kinds.measure,
        interventions_kinds.write,
    ),
    Section(
        "direction",
        "The paper's way, and what becomes of its promise",
        interventions_direction.measure,
        interventions_direction.write,
    ),
    Section("trial", "A trial", interventions_trial.measure, interventions_trial.write),
    Section("real", "Real connectomes", interventions_real.measure, interventions_real.write),
    Section(
        "gradients",
        "Gradients",
        interventions_gradients.measure,
        interventions_gradients.write,
    ),
)
NAMES = tuple(section.name for section in SECTIONS)
