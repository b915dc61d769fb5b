"""The results page says what its files say: verdicts, gaps, what is real."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from results_claims import ClaimError
from results_maps import identification_answer
from results_page import NAMES, read_reports, render

ROOT = Path(__file__).resolve().parents[2]
Reports = dict[str, dict[str, Any]]


def section(page: str, title: str) -> str:
    """Return a section's text, without its heading."""
    found = re.search(rf"^## {re.escape(title)}\n+(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {title!r}"
    return found[1]


def row(text: str, figure: str) -> dict[str, str]:
    """Return the first row of this figure, by column."""
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| figure "):
            header = cells
        elif header and line.startswith(f"| {figure} "):
            return dict(zip(header, [c.strip() for c in line[2:-2].split(" | ")], strict=True))
    raise AssertionError(f"no row {figure!r}")


def test_the_committed_page_is_what_the_committed_figures_say() -> None:
    docs = ROOT / "docs"
    committed = (docs / "RESULTS.md").read_text(encoding="utf-8")
    assert render(read_reports(docs / "results")) == committed, "make results ARGS=--render"


def test_the_committed_figures_name_no_place_on_a_disk() -> None:
    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                yield from texts(each)

    for file in (ROOT / "docs" / "results").glob("*.json"):
        found = json.loads(file.read_text(encoding="utf-8"))
        assert [text for text in texts(found) if re.search(r"(?:^|\s)/\w", text)] == [], file.name


def test_without_figures_the_page_says_what_was_not_run() -> None:
    page = render({})
    for name in NAMES:
        assert f'Not run: `make results ARGS="--only {name}"`.' in page
    assert "What was aimed at" not in page


def test_every_section_begins_with_what_is_real(made_reports: Reports) -> None:
    page = render(made_reports)
    for title, words in (
        ("Real people, after their own first half", "**Real:** choices and response times of 40"),
        ("Real people, no trial seen", "**Real:** choices and response times of 40"),
        ("Real people, the paper's split of time", "**Real:**"),
        ("New people, from simulated connectomes", "**Semi-synthetic:**"),
        ("Simulated people with planted truth, `tcp434`", "**Simulated:** everything."),
        ("Real brains: face > shape maps from real connectomes", "**Real:** resting connectomes"),
        ("Model choices", "**Semi-synthetic:**"),
    ):
        assert section(page, title).startswith(words), title
    assert "Not run" in section(page, "Simulated people with planted truth, `glasser360`")


def test_a_row_has_the_twin_its_rules_its_controls_and_the_bound(made_reports: Reports) -> None:
    text = section(render(made_reports), "Real people, after their own first half")
    found = row(text, "mean RT, r over people")
    assert found["twin [95 %]"] == "0.930 [0.920, 0.940]"
    assert (found["own mean"], found["regression"]) == ("0.910", "0.910")
    assert found["own mean + position"] == ""  # stands beside single trials only
    assert found["population twin (no trials)"] == "0.910"
    assert (found["bound"], found["aim"]) == ("0.980", "at least 0.92")
    assert found["minus the best rule"].startswith("0.020 [0.010, 0.030] (own mean")
    assert found["reached?"] == "reached"
    assert "2 accuracy at or below chance" in text
    assert "> These people are made up." in text
    assert "median; at most 4.9 s" in text


def test_what_falls_short_is_listed_with_its_numbers(made_reports: Reports) -> None:
    calibrated = made_reports["tcp_calibrated"]
    figures = calibrated["methods"]["twin"]["figures"]
    before = render(made_reports)
    figures["rt_r:hammer"] |= {"value": 0.915, "low": 0.88, "high": 0.94}
    figures["coverage_90_q4:stroop"]["value"] = 0.86
    calibrated["differences"]["rule/position_mean"]["rt_trial_r:stroop"]["value"] = -0.01
    page = render(made_reports)
    missed = section(page, "What falls short").strip().splitlines()
    known = section(before, "What falls short").strip().splitlines()
    assert [line for line in missed if line not in known] == [
        "- Real people, after their own first half: Faces (`hammer`): mean RT, r over people: "
        "0.915 [0.880, 0.940] (n = 40); aim: at least 0.92. Rules: own mean 0.910, regression "
        "0.910, age, sex, site, group 0.910. Controls: population twin (no trials) 0.910.",
        *[line for line in missed if "RT of trials, r" in line],
        *[line for line in missed if "90 %, slowest quarter" in line],
    ]
    assert len(missed) == len(known) + 3
    (trials,) = [line for line in missed if "RT of trials, r" in line]
    assert "minus group mean of position: -0.010" in trials
    text = section(page, "Real people, after their own first half")
    assert row(text, "mean RT, r over people")["reached?"] == "not reached"


def test_an_aim_that_was_not_measured_is_not_reached(made_reports: Reports) -> None:
    del made_reports["tcp_calibrated"]["methods"]["twin"]["figures"]["rt_r:stroop"]
    page = render(made_reports)
    assert "mean RT, r over people: not measured; aim: at least 0.89." in section(
        page, "What falls short"
    )


def test_the_summary_counts_what_is_reached(made_reports: Reports) -> None:
    text = section(render(made_reports), "What was aimed at")
    rows = [line for line in text.splitlines() if line.endswith("reached |")]
    n_reached = sum(not line.endswith("not reached |") for line in rows)
    assert f"{n_reached} of {len(rows)} aims are reached." in text
    assert any("share of the ceiling at least 0.9" in line for line in rows)
    assert any("at least 0.84 | 0.800" in line for line in rows)


@pytest.mark.parametrize("prefix", ["rule/", "control/"])
@pytest.mark.parametrize("name", ["tcp_calibrated", "tcp_temporal"])
def test_an_evaluation_without_rules_or_controls_cannot_be_shown(
    made_reports: Reports, name: str, prefix: str
) -> None:
    methods = made_reports[name]["methods"]
    for method in [method for method in methods if method.startswith(prefix)]:
        del methods[method]
    with pytest.raises(ClaimError, match=f"without a {prefix[:-1]} beside it"):
        render(made_reports)


def test_planted_truth_needs_its_linear_models(made_reports: Reports) -> None:
    for target in made_reports["simulated_tcp434"]["planted"]["targets"].values():
        target["connectome/edge_sums_r"] = target["connectome/components_r"] = None
    with pytest.raises(ClaimError, match="without a rule"):
        render(made_reports)


@pytest.mark.parametrize("kind", ["rules", "controls"])
def test_ablations_need_rules_and_controls(made_reports: Reports, kind: str) -> None:
    made_reports["ablations"][kind]["no_trials"] = {}
    with pytest.raises(ClaimError, match=f"'no trial seen' were to be shown without {kind}"):
        render(made_reports)


def test_ablations_mark_what_differs_from_the_first(made_reports: Reports) -> None:
    text = section(render(made_reports), "Model choices")
    connectome = text.partition("### From a simulated connectome")[2]
    (paper,) = [line for line in connectome.splitlines() if line.startswith("| `paper`")]
    assert paper.count("*") == 1
    (rule,) = [line for line in connectome.splitlines() if line.startswith("| group mean")]
    assert rule.startswith(
        "| group mean of trial type |  | 0.500 |"
    )  # an r of its own tells nothing
    nothing = text.partition("### No trial seen")[2].partition("###")[0]
    assert "| `paper`" not in nothing
    assert "RT r" not in nothing


@pytest.mark.parametrize(
    ("maps", "away", "answer"),
    [
        ((0.7, 0.01), (0.6, 0.02), "Yes"),
        ((0.7, 0.01), (0.4, 0.9), "Not clearly"),
        ((0.5, 0.6), (0.52, 0.3), "No"),
        ((0.3, 0.01), (0.4, 0.9), "No"),
    ],
)
def test_the_individual_question_is_answered_by_the_numbers(
    maps: tuple[float, float], away: tuple[float, float], answer: str
) -> None:
    found = {
        name: {
            "n_people": 10,
            "pairwise_rate": rate,
            "pairwise_p": p,
            "pairwise_chance": 0.5,
            "top_rate": 0.2,
            "top_chance": 0.1,
            "top_p": 0.3,
        }
        for name, (rate, p) in (("maps", maps), ("departures_from_the_mean", away))
    }
    text = identification_answer(found)
    assert f"** {answer}: " in text
    assert f"{maps[0]:.0%} of the pairs (chance 50%" in text


def test_forecasts_that_are_the_same_for_all_tell_nobody_apart(made_reports: Reports) -> None:
    maps = made_reports["hcp_leave_one_out"]["maps"]
    maps["identification"] = {"maps": None, "departures_from_the_mean": None}
    page = render(made_reports)
    assert "No: the forecast is the same for everybody." in page
