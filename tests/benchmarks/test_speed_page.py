"""The performance page says what its figures say, and aims are judged by them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from made_speed import constant, made_figures, timing
from results_claims import Verdict
from section_runs import FOLDER, read_figures
from speed import COST_BEGIN, COST_END, FILE, PLOT
from speed_aims import aims
from speed_gpu import read_gpu
from speed_page import render
from speed_plot import draw
from speed_scoring import cost_model
from speed_sections import NAMES, SECTIONS

ROOT = Path(__file__).resolve().parents[2]
Figures = dict[str, Any]


@pytest.fixture
def figures() -> Figures:
    return made_figures()


def verdicts(figures: Figures) -> dict[str, Verdict]:
    """Return the verdicts by a word of what each is about."""
    words = ("one person", "a cohort on all", "floor", "fresh process", "2,048", "threads")
    words += ("two processes", ".npy", ".tsv", "most memory", "largest cohort", "killed again")
    words += ("broken files", "Dask")
    found = aims(figures["sections"])
    assert len(found) == len(words)
    return {word: next(verdict for what, verdict in found if word in what) for word in words}


def test_the_committed_page_is_what_the_committed_figures_say() -> None:
    figures = read_figures(ROOT, FILE)
    committed = (ROOT / "docs" / "PERFORMANCE.md").read_text(encoding="utf-8")
    told = f"make bench ARGS=--render, from {FOLDER}/{FILE}"
    assert render(figures, read_gpu(ROOT / FOLDER)) == committed, told
    if figures is not None and "curves" in figures["sections"]:
        plot = (ROOT / "docs" / PLOT).read_text(encoding="utf-8")
        assert draw(figures["sections"]["curves"]) == plot, told


def test_the_committed_figures_are_in_earnest() -> None:
    figures = read_figures(ROOT, FILE)
    if figures is None:
        pytest.skip("nothing was measured yet")
    assert figures["plan"] == "full"


def test_without_figures_nothing_is_said_to_be_reached() -> None:
    page = render(None, None)
    assert "0 of 0 measured aims are reached; 14 were not measured." in page
    assert page.count("| not measured |") == 14
    for name in NAMES:
        assert f'Not measured: `make bench ARGS="--only {name}"`.' in page
    assert "Last real run: never run." in page


def test_every_section_has_its_figures_on_the_page(figures: Figures) -> None:
    page = render(figures, None)
    assert "Not measured" not in page
    for section in SECTIONS:
        assert f"## {section.title}\n" in page
    assert "Measured on 2031-02-03: Abacus 9, 2 usable cores, 8 GB of memory" in page
    assert "| runtime, `paper`, a task a core | 50.0 [50.0, 50.0] | 40.0 times" in page
    assert "| the paper's way, batch of 8 | 600 [600, 600] | 1.00 times" in page
    assert "| `compact` | 0.600 [0.550, 0.650] | 121 [120, 122] |" in page
    assert "](images/speed.svg)" in page


def test_every_aim_is_reached_by_figures_that_reach_it(figures: Figures) -> None:
    found = verdicts(figures)
    assert {word: verdict.word for word, verdict in found.items()} == dict.fromkeys(
        found, "reached"
    )
    assert "14 of 14 measured aims are reached." in render(figures, None)
    assert found["one person"].detail.startswith("40.0 times [40.0, 40.0], both on the cores")
    assert found["one person"].detail.endswith("25.0 times [25.0, 25.0] with one thread")
    assert found["a cohort on all"].detail == (
        "15.0 times [15.0, 15.0]: 64 people, 2 cores; 5.00 times [5.00, 5.00] beside a cell that "
        "`vmap` can batch"
    )
    assert found["2,048"].detail.startswith("`paper` 1.02 times")
    assert found["two processes"].detail == "0.960 times [0.955, 0.965]"


def test_every_aim_is_missed_by_figures_that_miss_it(figures: Figures) -> None:
    sections = figures["sections"]
    sections["person"]["timings"]["paper_cores"] = constant(0.09)
    sections["person"]["timings"]["paper"] = constant(0.09)
    sections["cohort"]["timings"]["paper_way_batch_64"] = constant(0.3)
    sections["recurrence"]["timings"]["runtime"] = constant(0.031)
    sections["cold_start"]["compact"]["wall"] = timing(0.9, 1.0, 1.1)
    curve = sections["curves"]["curves"][1]
    curve["together"][2] = constant(0.0023)
    sections["threads"] |= {"pinned": [1, 2], "side_by_side": [[0.8, 0.9, 0.8], [1.0, 1.0, 1.0]]}
    sections["scoring"]["files"][".npy"]["wall"] = timing(0.01, 0.011, 0.012)
    sections["scoring"]["files"][".tsv"]["wall"] = timing(0.02, 0.026, 0.03)
    sections["scoring"]["memory"]["10000"]["peak_mb"] = 401.0
    sections["kills"]["same_bytes"]["cohort.json"] = False
    sections["kills"]["right_reasons"] = 49
    sections["cluster"]["good_rows"] = 399
    found = verdicts(figures)
    assert {word: verdict.word for word, verdict in found.items()} == dict.fromkeys(
        found, "not reached"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_section_that_is_missing_leaves_the_others(figures: Figures, name: str) -> None:
    del figures["sections"][name]
    page = render(figures, None)
    assert page.count("Not measured: ") == 1
    assert f'ARGS="--only {name}"`.' in page


def test_what_could_not_be_measured_is_said(figures: Figures) -> None:
    sections = figures["sections"]
    sections["cold_start"] = {"left_out": "`dtb-run` is not installed."}
    sections["threads"] = {"left_out": "it needs `taskset`."}
    recurrence = sections["recurrence"]
    recurrence["timings"] = {"runtime": constant(0.03)}
    recurrence["left_out"] = "the floor, since there is no C compiler (cc) here."
    page = render(figures, None)
    for reason in ("`dtb-run` is not installed.", "it needs `taskset`.", "the floor, since"):
        assert f"Left out: {reason}" in page
    assert "10 of 10 measured aims are reached; 4 were not measured." in page
    assert page.count("| not measured |") == 4


def test_a_busy_machine_and_tiny_sizes_are_said(figures: Figures) -> None:
    assert "busy" not in render(figures, None)
    page = render(figures | {"load": 2.5, "plan": "quick"}, None)
    assert "**the machine was busy" in page
    assert "these figures mean nothing" in page


def test_a_run_on_a_gpu_says_when_and_on_what() -> None:
    gpu = {
        "date": "2031-04-05",
        "device": "Abacus GPU",
        "figures": [{"what": "a cohort", "value": 1.5, "unit": "ms a person"}],
    }
    page = render(None, gpu)
    assert "Last real run: 2031-04-05, on Abacus GPU." in page
    assert "| a cohort | 1.50 ms a person |" in page


def test_the_plot_has_a_panel_for_every_axis_and_stays_inside(figures: Figures) -> None:
    drawn = ElementTree.fromstring(draw(figures["sections"]["curves"]))
    space = "{http://www.w3.org/2000/svg}"
    panels = drawn.findall(f"{space}g")
    assert len(panels) == 4
    n_points = sum(len(panel.findall(f"{space}circle")) for panel in panels)
    assert n_points == 2 * sum(len(c["values"]) for c in figures["sections"]["curves"]["curves"])
    for circle in drawn.iter(f"{space}circle"):
        assert 62 <= float(circle.attrib["cx"]) <= 416
        assert 34 <= float(circle.attrib["cy"]) <= 254


def test_no_measured_number_of_the_page_is_typed(figures: Figures) -> None:
    """If everything took another time, every number that is a time or a rate would be another."""

    def scaled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: scaled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [scaled(each) for each in value]
        return value * 1.37 if isinstance(value, float) else value

    def measured(of: Figures) -> set[str]:
        page = render(of, None).partition("## How to read this")[2]
        return set(re.findall(r"[0-9.,]+ \[[0-9., ]+\]|[0-9.,]+ (?:s|ms|MB)\b", page))

    other = figures | {"sections": scaled(figures["sections"])}
    first, second = measured(figures), measured(other)
    assert len(first) > 5
    assert first & second <= {"80 ms", "219.0 MB", "7.0 MB"}, first & second
    typed = set(re.findall(r"[\d.]+ times", cost_model(figures["sections"]["scoring"])))
    assert len(typed) == 1  # text files beside binary ones


def test_the_committed_cost_model_is_what_the_committed_figures_say() -> None:
    figures = read_figures(ROOT, FILE)
    if figures is None or "scoring" not in figures["sections"]:
        pytest.skip("nothing was measured yet")
    page = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    found = page.partition(COST_BEGIN)[2].partition(COST_END)[0]
    assert found.strip() == cost_model(figures["sections"]["scoring"])


def test_the_cost_model_divides_and_multiplies() -> None:
    text = cost_model(made_figures()["sections"]["scoring"])
    # 1 / 0.008 s people a second by two processes: 62.5 each.
    assert "Measured: 62.5 people a second and core" in text
    assert "| 1 | 27 min | 4.4 h |" in text
    assert "| 64 | 25 s | 4 min |" in text
    assert "`.tsv` files take 2.50 times as long" in text
