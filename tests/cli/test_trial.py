"""`dtb-run trial` as a person runs it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from dtb_cli.app import main

from .conftest import TINY, Outcome

Run = Callable[..., Outcome]
AIM = ("--target", "reaction_time", "--direction", "decrease", "--size", "0.02")
MORE = ("--bundle", TINY, "--jobs", "1")


class NoTorch:
    """Finds no torch, as where it is not installed; SciPy does not take None in its place."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")


def write_cohort(folder: Path) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(5):
        matrix = np.corrcoef(rng.normal(size=(200, 12)).T)
        np.save(folder / f"sub-{number}_connectome.npy", matrix)
    return folder


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    return write_cohort(tmp_path / "cohort")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plan made for one of the people."""
    folder = tmp_path_factory.mktemp("plan")
    one = write_cohort(folder / "cohort") / "sub-1_connectome.npy"
    words = ("intervene", one, *AIM, "--bundle", TINY, "--shams", "0", "--out", folder / "plan")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        assert main([str(word) for word in words]) == 0
    return folder / "plan"


def test_everybodys_own_plan_and_a_common_one(dtb_run: Run, cohort: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = dtb_run("trial", cohort, *AIM, *MORE, "--hold", "accuracy", "--out", out)
    assert done.code == 0
    printed = " ".join(done.out.split())
    assert "Tried 5 people" in printed
    assert "personal - common: reaction_time" in printed
    assert "needs 30 people of whom it is known, found 5: left out." in printed
    assert "What else the personal plan moves most" in printed
    summary = json.loads((out / "trial.json").read_text())
    assert set(summary["arms"]) == {"personal", "common", "sham_personal", "sham_common"}
    assert summary["plans"]["personal"] == {"n": 5, "n_reached": 5, "n_over_budget": 0}
    header, *lines = (out / "trial.tsv").read_text().splitlines()
    for line in lines:
        row = dict(zip(header.split("\t"), line.split("\t"), strict=True))
        moved = float(row["reaction_time_personal"]) - float(row["reaction_time_before"])
        assert moved == pytest.approx(-0.02 * float(row["personal_share_reached"]), abs=1e-3)
        assert float(row["personal_share_reached"]) == pytest.approx(1.0, abs=0.03)
    again = dtb_run("trial", cohort, *AIM, *MORE, "--hold", "accuracy", "--out", out)
    assert again.code == 0
    assert "Everybody was tried before" in again.err
    other = dtb_run("trial", cohort, *AIM, *MORE, "--out", out)
    assert other.code == 1
    assert "other settings: holds" in " ".join(other.err.split())


def test_a_ready_plan_needs_no_pytorch(
    dtb_run: Run, cohort: Path, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "dtb_models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoTorch(), *sys.meta_path])
    (cohort / "sub-9_connectome.npy").write_bytes(b"nothing")
    words = ("--plan", plan, *MORE, "--dose", "1.5", "--json")
    done = dtb_run("trial", cohort, *words, "--out", tmp_path / "out")
    assert done.code == 1  # one person failed
    result = json.loads(done.out)
    assert (result["n_people"], result["n_ok"], result["n_failed"]) == (6, 5, 1)
    assert result["first_error"].startswith("sub-(hidden).npy is not a NumPy array file")
    assert set(result["arms"]) == {"common", "sham_common"}
    assert result["doses"]["doses"] == [1.0, 1.5]
    new = dtb_run("trial", cohort, *AIM, *MORE, "--out", tmp_path / "new")
    assert new.code == 1
    assert "need torch, which is not installed" in new.err
    assert not (tmp_path / "new").exists()


def test_a_ready_plan_beside_everybodys_own(
    dtb_run: Run, cohort: Path, plan: Path, tmp_path: Path
) -> None:
    words = ("trial", cohort, "--plan", plan, *MORE)
    done = dtb_run(*words, "--arms", "both", "--out", tmp_path / "out", "--json")
    assert done.code == 0
    result = json.loads(done.out)
    assert "personal - common" in result["comparisons"]
    common = (tmp_path / "out" / "common_plan.json").read_bytes()
    assert common == (plan / "plan.json").read_bytes()
    done = dtb_run(*words, "--arms", "personal", "--out", tmp_path / "other")
    assert done.code == 2
    assert "--plan is the common plan" in done.err


def test_pictures_are_drawn_where_they_can_be(
    dtb_run: Run, cohort: Path, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    words = ("trial", cohort, "--plan", plan, *MORE, "--arms", "common")
    assert dtb_run(*words, "--out", tmp_path / "a").code == 0
    first = (tmp_path / "a" / "trial.svg").read_bytes()
    assert b"<svg" in first
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        patch.setitem(sys.modules, "sklearn", None)
        done = dtb_run(*words, "--out", tmp_path / "b")
    assert done.code == 0
    assert "Left out trial.svg: it needs matplotlib" in done.err
    assert "Left out the prediction of responses: it needs scikit-learn" in done.err
    # What was missing is written once it is there, and is the same.
    done = dtb_run(*words, "--out", tmp_path / "b")
    assert (tmp_path / "b" / "trial.svg").read_bytes() == first


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "Say what to do: --target NAME"),
        ((*AIM, "--dose", "-1"), 2, "Doses must be above 0"),
        ((*AIM, "--responder", "0"), 2, "share of the goal above 0"),
        (("--target", "speed", "--direction", "increase"), 2, "There is no indicator 'speed'"),
        (("--plan", "x", "--edges", "3"), 2, "--edges: only a new plan has this"),
        (("--plan", "x", "--budget", "0"), 2, "--budget: only a new plan has this"),
        (("--plan", "nowhere"), 1, "There is no file at nowhere"),
        ((*AIM, "--arms", "placebo"), 2, "placebo"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(
    dtb_run: Run, cohort: Path, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    done = dtb_run("trial", cohort, *MORE, "--out", tmp_path / "out", *words)
    assert done.code == code
    assert message in done.err
    assert "Traceback" not in done.err
