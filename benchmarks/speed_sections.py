"""The sections of the benchmark: what is measured, in this order, and how each is written down."""

from __future__ import annotations

import speed_cold
import speed_curves
import speed_parts
import speed_people
import speed_scoring
import speed_survival
import speed_threads
from page_section import Section
from speed_inputs import Inputs

SECTIONS: tuple[Section[Inputs], ...] = (
    Section(
        "person",
        "One person, from connectome to forecast",
        speed_people.measure_person,
        speed_people.write_person,
    ),
    Section(
        "cohort",
        "A cohort, from connectomes to forecasts",
        speed_people.measure_cohort,
        speed_people.write_cohort,
    ),
    Section(
        "hypernetwork",
        "The hypernetwork alone",
        speed_parts.measure_hypernetwork,
        speed_parts.write_hypernetwork,
    ),
    Section(
        "recurrence",
        "The main network alone, and the floor",
        speed_parts.measure_recurrence,
        speed_parts.write_recurrence,
    ),
    Section("cold_start", "Cold start", speed_cold.measure, speed_cold.write),
    Section("curves", "What more of everything costs", speed_curves.measure, speed_curves.write),
    Section("threads", "No thread storm", speed_threads.measure, speed_threads.write),
    Section(
        "scoring", "A cohort, from files to a table", speed_scoring.measure, speed_scoring.write
    ),
    Section(
        "kills",
        "A cohort that is killed and broken",
        speed_survival.measure_kills,
        speed_survival.write_kills,
    ),
    Section(
        "cluster",
        "A cluster that loses a worker",
        speed_survival.measure_cluster,
        speed_survival.write_cluster,
    ),
)
"""Every section in the order of run and page; another is one more line here."""
NAMES = tuple(section.name for section in SECTIONS)
