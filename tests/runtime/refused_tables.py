"""Tables that are refused: events, cohorts, regions, names of labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.events import SCHEDULES_DIR, read_events
from dtb_runtime.label_tables import read_label_table
from dtb_runtime.parcellation import read_regions_table
from dtb_runtime.recorded_responses import read_responses

from .refused_case import Case


def table_of(name: str, text: str | bytes, read: Callable[[Path], object]) -> Callable[[], object]:
    def refuse() -> object:
        Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(Path(name))

    return refuse


def _events(text: str | bytes) -> Callable[[], object]:
    return table_of("events.tsv", text, lambda path: read_events(path, "stroop"))


_EVENTS = "onset\tduration\ttrial_type\tstimulus_text\tstimulus_color\n"
EVENTS = (
    Case("a missing column", _events("onset\tduration\n1\t2\n")),
    Case("commas in place of tabs", _events(_EVENTS.replace("\t", ",") + "1,2,con1,red,red\n")),
    Case("no trial", _events(_EVENTS)),
    Case("a cell that is no number", _events(_EVENTS + "soon\t2\tcon1\tred\tred\n")),
    Case("a negative onset", _events(_EVENTS + "-1\t2\tcon1\tred\tred\n")),
    Case("times in milliseconds", _events(_EVENTS + "2000000\t2000\tcon1\tred\tred\n" * 8)),
    Case("trials that overlap", _events(_EVENTS + "2\t2\tcon1\tred\tred\n3\t2\tcon1\tred\tred\n")),
    Case("an unknown trial type", _events(_EVENTS + "2\t2\tneutral\tred\tred\n")),
    Case("an unknown color", _events(_EVENTS + "2\t2\tcon1\tred\tpurple\n")),
    Case("a short row", _events(_EVENTS + "2\t2\tcon1\n")),
    Case("a column that stands twice", _events(_EVENTS.replace("duration", "onset"))),
    Case("very many trials", lambda: _many_trials()),
    Case("no responses, where they are needed", lambda: _no_responses()),
)
COHORTS = (
    Case("a table without paths", table_of("people.tsv", "participant_id\nsub-01\n", list_cohort)),
    Case("a table of nobody", table_of("people.tsv", "participant_id\tpath\n", list_cohort)),
    Case("no table", table_of("people.xlsx", b"PK", list_cohort)),
    Case("a folder without connectomes", lambda: list_cohort(".")),
    Case("very many columns", table_of("people.tsv", "a\t" * 10_001, list_cohort)),
    Case("a quote that is never closed", table_of("people.tsv", 'a\t"b\nc\td\n', list_cohort)),
    Case(
        "a regions table without places",
        table_of("regions.csv", "label,network\na,b\n", read_regions_table),
    ),
    Case(
        "a table of labels that names one twice",
        table_of("dseg.tsv", "index\tname\n1\ta\n1\tb\n", read_label_table),
    ),
)


def _many_trials() -> object:
    rows = "".join(f"{2 * i}\t1\tcon1\tred\tred\n" for i in range(5001))
    return _events(_EVENTS + rows)()


def _no_responses() -> object:
    shutil.copyfile(SCHEDULES_DIR / "stroop.tsv", "events.tsv")
    return read_responses("events.tsv", "stroop")
