"""The sections of the page: what is measured, in this order, and how each is written down."""

from __future__ import annotations

import interventions_direction
import interventions_gradients
import interventions_kinds
import interventions_people
import interventions_real
import interventions_trial
from interventions_inputs import Inputs
from page_section import Section

SECTIONS: tuple[Section[Inputs], ...] = (
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
