"""The sections of the page on serving: what is measured, in this order, and how it is written."""

from __future__ import annotations

import serving_hostile
import serving_load
import serving_survival
from page_section import Section
from serving_inputs import Inputs

SECTIONS: tuple[Section[Inputs], ...] = (
    Section("load", "Load", serving_load.measure_load, serving_load.write_load),
    Section(
        "overhead",
        "One client, beside the Python API",
        serving_load.measure_overhead,
        serving_load.write_overhead,
    ),
    Section(
        "throughput",
        "Many clients, beside dtb-run score",
        serving_load.measure_throughput,
        serving_load.write_throughput,
    ),
    Section(
        "sustained",
        "Minutes of load",
        serving_survival.measure_sustained,
        serving_survival.write_sustained,
    ),
    Section(
        "end", "An end in the middle", serving_survival.measure_end, serving_survival.write_end
    ),
    Section(
        "kill",
        "A worker that is killed",
        serving_survival.measure_kill,
        serving_survival.write_kill,
    ),
    Section(
        "hostile",
        "Hostile requests",
        serving_hostile.measure_hostile,
        serving_hostile.write_hostile,
    ),
    Section(
        "generated",
        "Generated requests",
        serving_hostile.measure_generated,
        serving_hostile.write_generated,
    ),
)
NAMES = tuple(section.name for section in SECTIONS)
