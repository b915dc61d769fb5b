"""Trials: arms are what plans do, numbers are those of their formulas, and nothing stops them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.arm_effects import TrialValues, sum_up
from dtb_runtime.arm_scoring import FEATURE, TrialScorer, baseline_features, own_seed
from dtb_runtime.arm_settings import TrialSettings, column
from dtb_runtime.arm_tables import COMMON_FILE, TrialHelpers
from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import ConnectomeChange
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import (
    CohortError,
    DtbError,
    MissingDependencyError,
    OutputError,
    PlanError,
    UsageError,
)
from dtb_runtime.gradients import ChangeLimits
from dtb_runtime.intervention import try_plan
from dtb_runtime.intervention_trial import mean_connectome, run_trial
from dtb_runtime.plan import Goal, Plan, parcellation_of
from dtb_runtime.reading import Reading
from dtb_runtime.run_file import CohortRun
from dtb_runtime.score_journal import JOURNAL_FILE
from dtb_runtime.scored_person import ScoredPerson

Floats = NDArray[np.float64]
N = 12
FEW = (1, 3, 7)
TABLES = ("trial.tsv", "trial_columns.json", "trial.json", "baseline.tsv")
RUN = """
import sys
from pathlib import Path
from dtb_runtime.arm_settings import TrialSettings
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.intervention_trial import run_trial
from dtb_runtime.plan import plan_of_text
if __name__ == "__main__":
    bundle, cohort, out, plan = sys.argv[1:]
    loaded, content = load_bundle(bundle, device="cpu"), Path(plan).read_bytes()
    of_plan = plan_of_text(content, plan, loaded)
    settings = TrialSettings(of_plan.goals, of_plan.holds, ("common",), content)
    run_trial(loaded, list_cohort(cohort), out, settings, jobs=2)
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve people, one of whom is broken: intervals need ten."""
    from .conftest import make_correlations

    folder = tmp_path_factory.mktemp("cohort")
    for number in range(N):
        path = folder / f"sub-{number:02d}.npy"
        np.save(path, make_correlations(number))
    (folder / "sub-07.npy").write_bytes(b"nothing")
    return folder


@pytest.fixture(scope="module")
def few(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three of them, the last of whom is the broken one."""
    folder = tmp_path_factory.mktemp("few")
    for number in FEW:
        shutil.copy(cohort / f"sub-{number:02d}.npy", folder)
    return folder


@pytest.fixture(scope="module")
def plan(tiny: Bundle) -> Plan:
    """A plan that needs no search: edges of the first region weaker."""
    parcellation = parcellation_of(tiny)
    places = np.array([[0, k] for k in range(1, 6)], np.int64)
    return Plan(
        bundle=tiny.name,
        bundle_digest=tiny.digest,
        parcellation=parcellation.name,
        goals=(Goal("reaction_time", -0.02),),
        holds=("accuracy",),
        method="gradient",
        change=ConnectomeChange("edges", places, np.full(5, -0.3)),
        participant_id=None,
        connectome_digest=None,
    )


@pytest.fixture(scope="module")
def settings(tiny: Bundle, plan: Plan) -> TrialSettings:
    return TrialSettings(plan.goals, plan.holds, ("common",), plan.to_bytes(tiny))


@pytest.fixture
def run(tiny: Bundle, cohort: Path, settings: TrialSettings) -> Callable[..., CohortRun]:
    """Run the trial into a folder."""

    def trial(out: Path, source: Path = cohort, **options: object) -> CohortRun:
        given = options.pop("settings", settings)
        return run_trial(tiny, list_cohort(source), out, given, **options)  # type: ignore[arg-type]

    return trial


@pytest.fixture(scope="module")
def finished(
    tiny: Bundle,
    cohort: Path,
    settings: TrialSettings,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, CohortRun]:
    """The folder of the cohort's trial, not to be changed, and how it went."""
    out = tmp_path_factory.mktemp("finished") / "out"
    return out, run_trial(tiny, list_cohort(cohort), out, settings)


@pytest.fixture
def ended(finished: tuple[Path, CohortRun], tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(finished[0], tmp_path / "ended"))


def tables(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in TABLES}


def rows_of(path: Path) -> list[dict[str, str]]:
    header, *lines = (line.split("\t") for line in path.read_text().splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_a_row_is_what_the_plan_does_in_the_person(
    finished: tuple[Path, CohortRun],
    tiny: Bundle,
    plan: Plan,
    settings: TrialSettings,
    cohort: Path,
) -> None:
    out, done = finished
    assert (done.n_people, done.n_failed) == (N, 1)
    assert done.first_error.startswith("sub-(hidden).npy is not a NumPy array file")
    rows = rows_of(out / "trial.tsv")
    assert [row["participant_id"] for row in rows] == [f"sub-{n:02d}" for n in range(N)]
    assert rows[7]["status"] == "failed"
    assert rows[7]["reaction_time_before"] == "n/a"
    row = rows[3]
    entry = list_cohort(cohort).entries[3]
    tried = try_plan(
        tiny,
        read_connectome(cohort / "sub-03.npy"),
        plan,
        doses=settings.doses,
        shams=1,
        seed=own_seed(entry, 0),
    )
    k = tried.names.index("reaction_time")
    expected = {
        "before": tried.before[k],
        "common": tried.after[k],
        "sham_common": tried.shams[0, k],
        "dose_0.5": tried.at_doses[0, k],
        "dose_2": tried.at_doses[1, k],
    }
    for arm, value in expected.items():
        assert float(row[column("reaction_time", arm)]) == pytest.approx(value, rel=1e-5)
    assert float(row["common_size_r"]) == pytest.approx(tried.size, rel=1e-5)
    described = json.loads((out / "trial_columns.json").read_text())
    assert set(row) <= set(described)
    assert float(row["common_size_sd"]) == pytest.approx(tried.size_sd, rel=1e-5)
    assert float(row["dose_2_share_possible"]) == pytest.approx(tried.dose_shares[1], rel=1e-5)
    moved = float(row["reaction_time_change_common"])
    assert moved == pytest.approx(tried.after[k] - tried.before[k], rel=1e-3)
    strange = tiny.personalize(Connectome.from_matrix(tried.changed)).strangeness
    assert strange is not None
    assert float(row["common_distance_percentile"]) == strange.distance_percentile
    assert described["reaction_time_sham_common"]["Units"] == "s"
    assert "random change" in described["reaction_time_sham_common"]["Description"]


def test_effects_are_the_paper_formula(finished: tuple[Path, CohortRun]) -> None:
    out, _ = finished
    rows = [row for row in rows_of(out / "trial.tsv") if row["status"] == "ok"]
    before = np.array([float(row["reaction_time_before"]) for row in rows])
    after = np.array([float(row["reaction_time_common"]) for row in rows])
    effects = (before - after) / before.std(ddof=1)
    found = np.array([float(row["reaction_time_effect_sd_common"]) for row in rows])
    np.testing.assert_allclose(found, effects, rtol=1e-3, atol=1e-4)
    responds = [float(row["responder_common"]) for row in rows]
    assert responds == (before - after >= 0.01).astype(float).tolist()  # half of the goal
    summary = json.loads((out / "trial.json").read_text())
    assert summary["rule"] == "responder: reaction_time falls by at least 0.01 (0.5 of the goal)"
    of = summary["arms"]["common"]["goals"]["reaction_time"]
    assert of["n"] == len(rows)
    assert of["effect_sd"]["mean"] == pytest.approx(effects.mean(), rel=1e-3)
    assert of["change"]["mean"] == pytest.approx((after - before).mean(), rel=1e-3)
    stats = pytest.importorskip("scipy.stats", reason="scipy is an extra")
    expected = stats.bootstrap(
        (before, after),
        lambda one, other: (one - other).mean() / one.std(ddof=1),
        paired=True,
        vectorized=False,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    width = expected.high - expected.low
    assert of["effect_sd"]["low"] == pytest.approx(expected.low, abs=0.15 * width)
    assert of["effect_sd"]["high"] == pytest.approx(expected.high, abs=0.15 * width)
    assert of["effect_sd_quantiles"]["0.5"] == pytest.approx(np.median(effects), rel=1e-3)
    assert summary["n_ok"] == len(rows)
    held = summary["arms"]["common"]["held_moved_sd"]["accuracy"]
    one, two = (
        np.array([float(row[f"accuracy_{arm}"]) for row in rows]) for arm in ("before", "common")
    )
    moved = (two - one) / one.std(ddof=1)
    assert held["mean"] == pytest.approx(moved.mean(), rel=1e-3, abs=1e-4)
    assert held["mean_absolute"] == pytest.approx(np.abs(moved).mean(), rel=1e-3, abs=1e-4)
    assert "reaction_time:hammer" in summary["arms"]["sham_common"]["others_moved_sd"]
    assert summary["goals"] == [{"name": "reaction_time", "change": -0.02, "unit": "s"}]
    assert summary["plans"]["common"]["share_reached_where_made"] == 0.0  # nobody tried it


def made(settings: TrialSettings, **arms: list[float]) -> TrialValues:
    values = {column("reaction_time", arm): np.array(of) for arm, of in arms.items()}
    values |= {f"{arm}_size_sd": np.ones(len(arms["before"])) for arm in settings.arms}
    return TrialValues(settings, ("reaction_time",), values)


def test_arms_beside_one_another_and_doses(settings: TrialSettings) -> None:
    goals = (Goal("reaction_time", -0.4),)
    both = replace(settings, goals=goals, holds=(), arms=("personal", "common"), doses=(0.5,))
    found = made(
        both,
        before=[1.0, 2.0, 3.0, np.nan],
        personal=[0.0, 1.5, 3.0, 1.0],
        common=[0.5, 2.0, 3.5, 1.0],
        sham_personal=[1.0, 2.0, 3.0, 1.0],
        sham_common=[1.0, 2.1, 3.0, 1.0],
        **{"dose_0.5": [0.5, 1.8, 2.9, 1.0]},
    )
    summed = sum_up(found)
    assert summed["sd_before"]["reaction_time"] == 1.0
    assert summed["arms"]["personal"]["responders"]["n"] == 2
    assert summed["arms"]["personal"]["responders"]["of"] == 3
    stats = pytest.importorskip("scipy.stats", reason="scipy is an extra")
    wilson = stats.binomtest(2, 3).proportion_ci(0.9, method="wilson")
    assert summed["arms"]["personal"]["responders"]["low"] == pytest.approx(wilson.low, abs=1e-5)
    assert summed["arms"]["personal"]["responders"]["high"] == pytest.approx(wilson.high, abs=1e-5)
    pair = summed["comparisons"]["personal - common"]["reaction_time"]
    assert pair == {"mean": pytest.approx(0.5), "low": None, "high": None}  # too few people
    sham = summed["comparisons"]["common - sham_common"]["reaction_time"]
    assert sham["mean"] == pytest.approx(0.1 / 3, abs=1e-6)
    assert set(summed["comparisons"]) == {
        "personal - common", "personal - sham_personal", "common - sham_common",
    }  # fmt: skip
    assert summed["doses"]["doses"] == [0.5, 1.0]
    effects = summed["doses"]["goals"]["reaction_time"]["effect_sd"]
    assert [of["mean"] for of in effects] == pytest.approx([0.8 / 3, 0.5], abs=1e-6)
    # In the third person dose 1 does less than dose 0.5.
    assert summed["doses"]["goals"]["reaction_time"]["share_monotonic"]["n"] == 2


def test_an_increase_is_turned_towards_its_goal(settings: TrialSettings) -> None:
    goal = Goal("reaction_time", 0.1)
    up = replace(settings, goals=(goal,), holds=(), arms=("common",), doses=())
    found = made(up, before=[1.0, 3.0], common=[2.0, 2.9], sham_common=[1.0, 3.0])
    assert found.effects("reaction_time", "common") == pytest.approx(
        [-(0.5**0.5), 0.0707], abs=1e-3
    )
    assert found.responders("common").tolist() == [1.0, 0.0]


def test_where_everybody_is_alike_there_is_no_effect(settings: TrialSettings) -> None:
    one = replace(settings, holds=(), doses=())
    found = made(one, before=[1.0, 1.0], common=[0.5, 0.999], sham_common=[1.0, 1.0])
    summed = sum_up(found)
    assert summed["arms"]["common"]["goals"]["reaction_time"]["effect_sd"]["mean"] is None
    assert summed["arms"]["common"]["responders"]["n"] == 1  # which needs no SD


def test_who_loses_the_indicator_does_not_respond(settings: TrialSettings) -> None:
    one = replace(settings, holds=(), doses=())
    lost = [0.9, np.nan, 2.9]
    found = made(one, before=[1.0, 2.0, 3.0], common=lost, sham_common=[np.nan, 2.0, 3.0])
    assert found.responders("common").tolist() == [1.0, 0.0, 1.0]
    summed = sum_up(found)
    assert summed["arms"]["common"]["n_lost"] == 1
    assert summed["arms"]["common"]["goals"]["reaction_time"]["n"] == 2


def test_another_rule_for_responders_forecasts_nobody_again(
    run: Callable[..., CohortRun], ended: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.arm_scoring.TrialScorer.score", None)
    again = run(ended, responder_share=0.9)
    assert (again.was_ended, again.n_before) == (False, N)
    summary = json.loads((ended / "trial.json").read_text())
    assert summary["rule"].endswith("by at least 0.018 (0.9 of the goal)")
    assert run(ended, responder_share=0.9).was_ended
    with pytest.raises(UsageError, match="share of the goal above 0"):
        run(ended, responder_share=0.0)


def test_what_nothing_was_given_for_is_said(
    run: Callable[..., CohortRun], finished: tuple[Path, CohortRun], ended: Path
) -> None:
    assert finished[1].left_out == (
        "the prediction of responses: the caller gave nothing that makes it",
        "trial.svg: the caller gave nothing that makes it",
    )
    helpers = TrialHelpers(lambda _, features: {"n": len(features)}, lambda *_: b"<svg/>")
    again = run(ended, helpers=helpers)
    assert (again.was_ended, again.n_before, again.left_out) == (False, N, ())
    assert (ended / "trial.svg").read_bytes() == b"<svg/>"


def test_nobody_is_counted_twice(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    table = tmp_path / "table.tsv"
    lines = ["participant_id\tpath\tsession"]
    lines += [f"sub-00\t{cohort / f'sub-0{n}.npy'}\tses-{n}" for n in range(2)]
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(CohortError, match=r"sub-00 is in .* with several sessions"):
        run(tmp_path / "out", table)


def test_processes_and_interruptions_change_no_byte(
    run: Callable[..., CohortRun], finished: tuple[Path, CohortRun], tmp_path: Path
) -> None:
    tried: list[str] = []

    def stop(done: int, _: int, person: ScoredPerson | None) -> None:
        if person is not None:
            tried.append(person.participant_id)
            if done == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", on_scored=stop)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {JOURNAL_FILE, COMMON_FILE}
    again = run(tmp_path / "out", jobs=2, on_scored=stop)
    assert again.n_before == 5
    assert len(tried) == len(set(tried)) == N
    assert tables(tmp_path / "out") == tables(finished[0])
    ended = run(tmp_path / "out")
    assert ended.was_ended


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_trial_goes_on(
    finished: tuple[Path, CohortRun],
    tiny_folder: Path,
    cohort: Path,
    settings: TrialSettings,
    tmp_path: Path,
) -> None:
    (tmp_path / "plan.json").write_bytes(settings.common or b"")
    (tmp_path / "run.py").write_text(RUN)
    words = [tiny_folder, cohort, tmp_path / "out", tmp_path / "plan.json"]
    command = [sys.executable, str(tmp_path / "run.py"), *map(str, words)]
    process = subprocess.Popen(command)
    journal = tmp_path / "out" / JOURNAL_FILE
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") > 3:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert 0 < journal.read_bytes().count(b"\n") - 1 < N
    assert not (tmp_path / "out" / "run.json").exists()
    assert subprocess.run(command, check=False).returncode == 0
    assert tables(tmp_path / "out") == tables(finished[0])


def test_another_trial_is_not_gone_on_with(
    run: Callable[..., CohortRun],
    settings: TrialSettings,
    plan: Plan,
    tiny: Bundle,
    few: Path,
    tmp_path: Path,
) -> None:
    run(tmp_path, few)
    with pytest.raises(OutputError, match="other settings"):
        run(tmp_path, few, settings=replace(settings, doses=(0.25,)))
    other = replace(plan, change=ConnectomeChange("edges", plan.change.places, -plan.change.sizes))
    before = (tmp_path / COMMON_FILE).read_bytes()
    with pytest.raises(OutputError, match=r"other settings: common\); nothing was written"):
        run(tmp_path, few, settings=replace(settings, common=other.to_bytes(tiny)))
    assert (tmp_path / COMMON_FILE).read_bytes() == before
    with pytest.raises(OutputError, match=r"other settings: seed\)"):
        run(tmp_path, few, settings=replace(settings, seed=1))
    run(tmp_path, few, settings=replace(settings, common=other.to_bytes(tiny)), force=True)
    (tmp_path / COMMON_FILE).write_text("{}")
    with pytest.raises(PlanError, match="has changed since the trial began"):
        run(tmp_path, few, settings=replace(settings, common=None))
    with pytest.raises(OutputError, match=r"common_plan\.json has changed since it was written"):
        run(tmp_path, few, settings=replace(settings, common=other.to_bytes(tiny)))


def test_force_removes_nothing_before_the_new_trial_can_begin(
    run: Callable[..., CohortRun], settings: TrialSettings, ended: Path, tmp_path: Path
) -> None:
    out = ended
    before = tables(out)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sub-01.npy").write_bytes(b"nothing")
    new = replace(settings, common=None)
    with pytest.raises(CohortError, match="No connectome"):
        run(out, broken, settings=new, force=True)
    with pytest.raises(UsageError, match="'nonsense'"):
        run(out, settings=replace(new, holds=("nonsense",)), force=True)
    assert tables(out) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / COMMON_FILE).write_text("my own notes")
    with pytest.raises(OutputError, match=r"common_plan\.json exists already"):
        run(tmp_path / "mine")
    assert (tmp_path / "mine" / COMMON_FILE).read_text() == "my own notes"


def test_a_common_plan_is_that_of_its_journal(
    run: Callable[..., CohortRun], settings: TrialSettings, few: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="a new plan takes gradients")
    new = replace(settings, common=None, doses=())

    def stop(done: int, _: int, person: ScoredPerson | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", few, settings=new, on_scored=stop)
    kept = (tmp_path / "out" / COMMON_FILE).read_bytes()
    (tmp_path / "out" / COMMON_FILE).unlink()
    run(tmp_path / "out", few, settings=new)  # the cohort is as it was, and so is the plan
    assert (tmp_path / "out" / COMMON_FILE).read_bytes() == kept
    (tmp_path / "out" / COMMON_FILE).unlink()
    with pytest.raises(PlanError, match="or was that of other settings"):
        run(tmp_path / "out", few, settings=replace(new, limits=ChangeLimits(edges=3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": ()}, "needs arms"),
        ({"arms": ("common", "common")}, "all different"),
        ({"arms": ("placebo",)}, "Arms are personal and common"),
        ({"doses": (0.0,)}, "Doses must be above 0"),
        ({"doses": (1.0,)}, "1 is there anyway"),
        ({"doses": (2.0, 2.0)}, "all be different"),
        ({"doses": (2.0, 2.0000001)}, "all be different"),
        ({"doses": (1.0000001,)}, "1 is there anyway"),
        ({"limits": ChangeLimits(budget=float("inf"))}, "budget must be a number above 0"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"common": b"{}"}, "missing"),
    ],
)
def test_settings_out_of_range_are_refused_at_once(
    run: Callable[..., CohortRun],
    settings: TrialSettings,
    tmp_path: Path,
    change: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(DtbError) as caught:
        run(tmp_path / "out", settings=replace(settings, **change))  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_results_stay_apart_from_the_cohort(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is the cohort itself"):
        run(cohort)
    (tmp_path / "table.tsv").write_text(
        f"participant_id\tpath\treaction_time_before\nsub-00\t{cohort / 'sub-00.npy'}\t1\n"
    )
    with pytest.raises(CohortError, match="has a column 'reaction_time_before'"):
        run(tmp_path / "out", tmp_path / "table.tsv")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "trial.tsv").write_text("mine")
    with pytest.raises(OutputError, match=r"trial\.tsv exists already"):
        run(tmp_path / "mine")
    with pytest.raises(UsageError, match="jobs must be at least 1"):
        run(tmp_path / "out", jobs=0)


def test_files_of_nobody_else_are_removed(
    run: Callable[..., CohortRun], settings: TrialSettings, cohort: Path, tmp_path: Path
) -> None:
    people = tmp_path / "out" / "people"
    (people / "sub-00").mkdir(parents=True)
    (people / "sub-00" / "notes.txt").write_text("mine")
    with_files = replace(settings, files=str(people))
    with pytest.raises(OutputError, match="people exists already"):
        run(tmp_path / "out", settings=with_files)
    assert (people / "sub-00" / "notes.txt").exists()
    inside = replace(settings, files=str(cohort.parent))
    with pytest.raises(UsageError, match="lie where everybody's own files would go"):
        run(tmp_path / "other", settings=inside)
    (tmp_path / "precious").mkdir()
    table = tmp_path / "table.tsv"
    table.write_text(
        f"participant_id\tpath\n{tmp_path / 'precious'}\t{cohort / 'sub-00.npy'}\n"
        f"sub-01\t{cohort / 'sub-01.npy'}\n"
    )
    new = replace(settings, files=str(tmp_path / "new" / "people"))
    done = run(tmp_path / "new", table, settings=new)
    assert (done.n_people, done.n_failed) == (2, 1)
    assert (tmp_path / "precious").exists()
    tree = tmp_path / "tree" / "sub-01"
    tree.mkdir(parents=True)
    np.save(tree / "sub-01_connectome.npy", np.load(cohort / "sub-01.npy"))
    with pytest.raises(UsageError, match="where results would be taken for connectomes"):
        run(tree / "trial", tree.parent)


def test_own_files_are_those_of_an_intervention(
    run: Callable[..., CohortRun], settings: TrialSettings, few: Path, tmp_path: Path
) -> None:
    people = tmp_path / "out" / "people"
    run(tmp_path / "out", few, settings=replace(settings, files=str(people)))
    assert not (people / "sub-07").exists()
    folder = people / "sub-03" / "common"
    assert {"plan.json", "connectome.npy", "edges.tsv"} <= {p.name for p in folder.iterdir()}
    summary = json.loads((folder / "intervention.json").read_text())
    row = rows_of(tmp_path / "out" / "trial.tsv")[FEW.index(3)]
    found = summary["indicators"]["reaction_time"]["after"]
    assert float(row["reaction_time_common"]) == pytest.approx(found, rel=1e-5)


def test_the_mean_connectome_leaves_out_whom_it_must(
    tiny: Bundle, settings: TrialSettings, cohort: Path, tmp_path: Path
) -> None:
    mean = mean_connectome(tiny, list_cohort(cohort), settings)
    own = [np.load(cohort / f"sub-{n:02d}.npy") for n in range(N) if n != 7]
    np.testing.assert_allclose(mean.correlations, np.mean(own, axis=0), atol=1e-6)
    (tmp_path / "sub-01.npy").write_bytes(b"nothing")
    with pytest.raises(CohortError, match=r"No connectome of .* can be read"):
        mean_connectome(tiny, list_cohort(tmp_path), settings)


@pytest.mark.parametrize("lacking", [["sub-02"], ["sub-01", "sub-02"]], ids=["one", "everybody"])
def test_a_missing_package_leaves_nobody_out_of_the_mean(
    tiny: Bundle,
    settings: TrialSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lacking: list[str],
) -> None:
    """The plan stays: with fewer people it would be another one than where the package is."""
    from .conftest import make_correlations

    for number in (1, 2):
        name = f"sub-{number:02d}"
        if name in lacking:
            (tmp_path / f"{name}.pconn.nii").write_bytes(b"nothing")
        else:
            np.save(tmp_path / f"{name}.npy", make_correlations(number))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    listing = list_cohort(tmp_path)
    assert len(listing.entries) == 2
    with pytest.raises(MissingDependencyError, match=r"nibabel.*pip install nibabel"):
        mean_connectome(tiny, listing, settings)


def test_baseline_features_are_means_over_edges(tiny: Bundle) -> None:
    from .conftest import make_correlations

    parcellation = parcellation_of(tiny)
    r = make_correlations(1)
    found = baseline_features(r, parcellation)
    networks = np.array(parcellation.network)
    names = sorted(set(parcellation.network))
    one, other = names[0], names[-1]
    within = r[np.ix_(networks == one, networks == one)]
    expected = within[np.triu_indices(len(within), 1)].mean()
    assert found[f"{FEATURE}{one or 'none'}:{one or 'none'}"] == pytest.approx(expected)
    if one != other:
        between = r[np.ix_(networks == one, networks == other)].mean()
        assert found[f"{FEATURE}{one or 'none'}:{other or 'none'}"] == pytest.approx(between)


def test_nobodys_sham_depends_on_the_others() -> None:
    one, other = (CohortEntry(f"sub-{n}", None, None) for n in (1, 2))
    assert own_seed(one, 0) == own_seed(CohortEntry("sub-1", None, Path("x")), 0)
    assert len({own_seed(one, 0), own_seed(other, 0), own_seed(one, 1)}) == 3


def test_people_of_other_regions_cost_their_rows(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    from .conftest import make_correlations

    folder = tmp_path / "people"
    folder.mkdir()
    np.save(folder / "sub-01.npy", make_correlations(1))
    np.save(folder / "sub-02.npy", np.eye(5))
    broken = make_correlations(2)
    broken[0, 1] = broken[1, 0] = 0.99
    broken[0, 2] = broken[2, 0] = -0.99
    broken[1, 2] = broken[2, 1] = 0.99
    np.save(folder / "sub-03.npy", broken)
    done = run(tmp_path / "out", folder)
    assert done.n_failed == 2
    errors = {r["participant_id"]: r["error"] for r in rows_of(tmp_path / "out" / "trial.tsv")}
    assert "5 x 5" in errors["sub-02"]
    assert "positive semi-definite" in errors["sub-03"]


def test_a_package_that_one_file_needs_costs_that_row(
    tiny: Bundle, cohort: Path, settings: TrialSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = list_cohort(cohort).entries[:2]

    def lacking(path: Path, reading: Reading) -> Connectome:
        if path == entries[0].path:
            raise MissingDependencyError("Reading it needs h5py: pip install 'dtb-runtime[x]'")
        return read_connectome(path, reading)

    monkeypatch.setattr("dtb_runtime.cohort_connectomes.read_connectome", lacking)
    lacks, good = TrialScorer(tiny, settings).score(entries)
    assert "pip install 'dtb-runtime[x]'" in lacks.error
    assert lacks.stamp is None  # tried again, also where nothing of the file has changed
    assert good.is_ok
    assert good.stamp is not None
