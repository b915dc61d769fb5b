"""`dtb-run intervene` as a person runs it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import TINY, Outcome

Run = Callable[..., Outcome]
AIM = ("--target", "reaction_time", "--direction", "decrease", "--size", "0.02")


@pytest.fixture
def connectome(tmp_path: Path) -> Path:
    path = tmp_path / "sub-01_connectome.npy"
    np.save(path, np.corrcoef(np.random.default_rng(3).normal(size=(200, 12)).T))
    return path


def test_a_plan_is_found_tried_and_written(dtb_run: Run, connectome: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--bundle", TINY, "--shams", "8", "--hold", "accuracy", "--out", out)
    done = dtb_run("intervene", connectome, *AIM, *words)
    assert done.code == 0
    assert "reaction_time *" in done.out
    assert "farther than random (%)" in done.out
    summary = json.loads((out / "intervention.json").read_text())
    assert summary["participant_id"] == "sub-01"
    goal = summary["plan"]["goals"][0]
    assert goal["share_reached"] == pytest.approx(1.0, abs=0.03)
    assert abs(summary["indicators"]["accuracy"]["effect_sd"]) < 0.03
    names = {path.name for path in out.iterdir()}
    assert {"plan.json", "edges.tsv", "connectome.npy", "dose_response.tsv"} <= names
    rows = (out / "trade_off.tsv").read_text().splitlines()
    assert rows[0].startswith("held\tsize_sd\treaction_time\taccuracy")
    assert len(rows) == 6
    again = dtb_run("intervene", connectome, *AIM, *words)
    assert again.code == 1
    assert "exists already" in " ".join(again.err.split()) or "exist already" in again.err


def test_a_picture_is_drawn_where_it_can_be(
    dtb_run: Run, connectome: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    words = ("intervene", connectome, *AIM, "--bundle", TINY, "--shams", "3")
    for name in ("a", "b"):
        assert dtb_run(*words, "--out", tmp_path / name).code == 0
    first, second = ((tmp_path / name / "intervention.svg").read_bytes() for name in "ab")
    assert first == second
    assert b"What doses do" in first or b"<svg" in first
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = dtb_run(*words, "--out", tmp_path / "c")
    assert done.code == 0
    assert "Left out intervention.svg: it needs matplotlib" in done.err
    assert not (tmp_path / "c" / "intervention.svg").exists()


def test_a_ready_plan_needs_no_pytorch(
    dtb_run: Run, connectome: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--bundle", TINY, "--shams", "0", "--json")
    made = dtb_run("intervene", connectome, *AIM, *words, "--out", tmp_path / "made")
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "dtb_models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    applied = dtb_run("intervene", connectome, "--plan", tmp_path / "made", *words)
    assert applied.code == 0
    first, second = json.loads(made.out), json.loads(applied.out)
    for name, of in first["indicators"].items():
        assert second["indicators"][name]["after"] == pytest.approx(of["after"], rel=1e-4)
    new = dtb_run("intervene", connectome, *AIM, *words)
    assert new.code == 1
    assert "need torch, which is not installed" in new.err


def test_a_goal_out_of_reach_says_how_far_it_got(
    dtb_run: Run, connectome: Path, tmp_path: Path
) -> None:
    words = ("--bundle", TINY, "--shams", "0", "--out", tmp_path / "out", "--edges", "1")
    done = dtb_run("intervene", connectome, *AIM[:-1], "0.4", *words)
    assert done.code == 1
    assert (
        "The goal cannot be reached by such changes of this connectome: reaction_time" in done.err
    )
    assert (tmp_path / "out" / "plan.json").exists()
    small = ("intervene", connectome, *AIM, "--bundle", TINY, "--shams", "0", "--budget", "0.01")
    done = dtb_run(*small)
    assert done.code == 1
    assert "is not reached within the budget of 0.01 SD of edges" in done.err


def test_the_paper_way_is_held_to_its_promise(
    dtb_run: Run, connectome: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    for k in range(6):
        matrix = np.corrcoef(rng.normal(size=(60, 12)).T)
        np.save(cohort / f"sub-{k}_connectome.npy", matrix)
    words = ("--bundle", TINY, "--method", "pls", "--cohort", cohort, "--samples", "5")
    more = ("--shams", "3", "--out", tmp_path / "out")
    done = dtb_run("intervene", connectome, *AIM, *words, *more)
    summary = json.loads((tmp_path / "out" / "intervention.json").read_text())
    promise = summary["promise"]
    assert promise["n_people"] == 6
    assert promise["score_moved"] == pytest.approx(promise["alpha"], rel=0.05)
    assert summary["plan"]["method"] == "pls"
    assert done.code == (0 if summary["is_reached"] else 1)
    assert "W + alpha v with alpha" in done.out
    assert "cohort of 6 the score goes" in " ".join(done.out.split())
    assert promise["samples"] == 5
    assert len(promise["cohort_digest"]) == 64
    assert set(promise["others"]["accuracy"]) == {"promised", "reached"}
    (cohort / "sub-3_connectome.npy").write_bytes(b"nothing")
    done = dtb_run("intervene", connectome, *AIM, *words)
    assert done.code == 1
    assert "sub-3_connectome.npy" in done.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((*AIM, "--samples", "5"), 2, "Add --method pls"),
        ((*AIM, "--method", "pls", "--samples", "0"), 2, "at least 1 sample"),
        ((*AIM, "--method", "pls", "--hold", "accuracy"), 2, "holds none"),
        (("--plan", "x", "--edges", "3"), 2, "--edges: only a new plan has this"),
        (("--plan", "x", "--budget", "0"), 2, "--budget: only a new plan has this"),
        (("--plan", "x", "--noise", "0"), 2, "--noise: only a new plan has this"),
        ((), 2, "Say what to do: --target NAME"),
        ((*AIM, "--plan", "x"), 2, "found both"),
        (("--target", "speed", "--direction", "increase"), 2, "There is no indicator 'speed'"),
        (("--target", "reaction_time"), 2, "--direction must be given once"),
        (("--target", "reaction_time", "--direction", "up"), 2, "increase or decrease, found 'up'"),
        ((*AIM[:-1], "much"), 2, "A size must be above 0"),
        ((*AIM, "--hold", "reaction_time"), 2, "cannot both change and be held"),
        ((*AIM, "--edges", "2", "--networks"), 2, "choose one"),
        ((*AIM, "--regions", "0"), 2, "regions must be a whole number of at least 1"),
        (("--plan", "nowhere"), 1, "There is no file at nowhere"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    dtb_run: Run, connectome: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    done = dtb_run("intervene", connectome, "--bundle", TINY, *words)
    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err
