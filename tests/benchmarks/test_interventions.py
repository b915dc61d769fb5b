"""The measurement of interventions runs, and its page says what the figures say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interventions import FILE
from interventions_aims import aims
from interventions_inputs import QUICK, Inputs
from interventions_page import render
from interventions_people import is_possible, share_within, true_shares
from interventions_sections import NAMES
from programs import TINY, figures_in, run_quickly


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the whole program leaves behind, with tiny sizes and the test bundle."""
    root = tmp_path_factory.mktemp("interventions")
    rng = np.random.default_rng(0)
    for number in range(2):
        folder = root / "shared" / "data" / "hcp_rest" / f"sub-{number}"
        folder.mkdir(parents=True)
        series = (rng.standard_normal((220, 3)) @ rng.standard_normal((3, 12))).astype("f4")
        series += rng.standard_normal((220, 12)).astype("f4")
        np.save(folder / f"sub-{number}_task-rest_timeseries.npy", series)
    words = ("--bundle", TINY, "--real-bundle", TINY)
    run_quickly("interventions.py", root, *words, DTB_SHARED=str(root / "shared"))
    return root


def test_every_section_is_measured_and_written(measured: Path) -> None:
    figures = figures_in(measured, FILE)
    assert tuple(figures["sections"]) == NAMES
    page = (measured / "docs" / "INTERVENTIONS.md").read_text()
    assert page == render(figures)
    assert "Tiny sizes" in page
    assert "not measured" not in page.lower()
    assert "nan" not in page.lower().replace("finance", "")


def test_gradients_are_those_of_central_differences(measured: Path) -> None:
    compared = figures_in(measured, FILE)["sections"]["gradients"]["compared"]
    assert np.max(compared["relative_errors"]) < 1e-4
    assert np.max(compared["runtime_differs"]) < 1e-3


def test_finished_people_are_not_measured_again(measured: Path) -> None:
    inputs = Inputs(QUICK, str(TINY), str(TINY), measured / "runs" / "interventions")

    def never(key: str) -> dict[str, Any]:
        raise AssertionError(f"{key} was measured again")

    people = list(inputs.cohort.participant_ids[: QUICK.people])
    rows = list(inputs.each("people_amygdala_response", people, never))
    found = figures_in(measured, FILE)["sections"]["people"]["amygdala_response"]["rows"]
    assert [row["moved"] for row in rows] == pytest.approx(
        [row["moved"] for row in found], rel=1e-5
    )
    with pytest.raises(AssertionError, match="sub-99 was measured again"):
        list(inputs.each("people_amygdala_response", ["sub-99"], never))


def made_row(**changes: float) -> dict[str, float]:
    row = {
        "moved": -0.049, "goal": -0.05, "percentile": 100.0, "held_moved_sd": 0.01,
        "moved_sd": -0.5, "true_s": -0.08, "asymmetry": 0.0, "diagonal_off": 0.0,
        "largest_r": 1.0, "smallest_eigenvalue": -5e-7,
    }  # fmt: skip
    return row | changes


def test_aims_follow_the_figures() -> None:
    good = [made_row() for _ in range(20)]
    verdicts = dict(aims({"people": {"reaction_time": {"rows": good}}}))
    assert sum(verdict.is_reached is True for verdict in verdicts.values()) == 5
    for change, what in (
        ({"moved": -0.04}, "within 10 %"),
        ({"percentile": 98.0}, "99th percentile"),
        ({"held_moved_sd": 0.3}, "Selectivity"),
        ({"true_s": 0.01}, "Planted truth"),
        ({"smallest_eigenvalue": -1e-3}, "possible"),
    ):
        bad = [made_row(**change) for _ in range(20)]
        verdicts = dict(aims({"people": {"reaction_time": {"rows": bad}}}))
        (failed,) = (name for name, verdict in verdicts.items() if verdict.is_reached is False)
        assert what in failed


def test_shares_are_those_of_their_definitions() -> None:
    rows = [made_row(), made_row(moved=-0.044, true_s=0.022)]
    assert share_within(rows) == 0.5
    assert true_shares(rows) == pytest.approx([0.08 / 0.049, -0.5])
    assert is_possible(made_row())
    for change in ({"asymmetry": 1e-9}, {"largest_r": 1.001}, {"diagonal_off": 1e-7}):
        assert not is_possible(made_row(**change))
