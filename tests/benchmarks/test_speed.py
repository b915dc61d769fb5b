"""The speed benchmark compares methods that give the same numbers, and runs; no time is judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from speed_floor import (
    TOLERANCE,
    Floor,
    compile_floor,
    largest_difference,
    states_in_float64,
)
from speed_inputs import Inputs
from speed_paper_way import PaperWay
from speed_people import BATCH, check_agreement
from speed_plan import QUICK
from speed_runtime import cohort, one_person
from speed_sections import NAMES
from speed_timing import Method, Spread, Timing, ratio, take_turns
from speed_watched import cpu_ticks

from dtb_models.config import direct_config
from dtb_models.hypernetwork import TwinNetwork
from dtb_runtime.inference import has_cuda_device

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inputs]:
    before = torch.get_num_threads()
    yield Inputs(QUICK, tmp_path_factory.mktemp("speed"), Path(sys.prefix))
    torch.set_num_threads(before)  # all tests that come later would have those of this one


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Floor:
    found = compile_floor(tmp_path_factory.mktemp("floor"))
    if found is None:
        pytest.skip("there is no C compiler here")
    return found


def test_the_paper_way_gives_what_the_runtime_gives(inputs: Inputs) -> None:
    assert check_agreement(inputs, PaperWay(inputs.network)) <= 1e-4


def test_a_batch_of_the_paper_way_is_its_people_one_by_one(inputs: Inputs) -> None:
    way, people = PaperWay(inputs.network), inputs.paper_connectomes
    together = way.forecast(people, inputs.stimuli)
    for number in range(len(people)):
        alone = way.forecast(people[number : number + 1], inputs.stimuli)
        for several, one in zip(together, alone, strict=True):
            torch.testing.assert_close(several.actions[number], one.actions[0])
            torch.testing.assert_close(several.bold[number], one.bold[0])
    assert not torch.equal(together[0].bold[0], together[0].bold[1])


def test_other_networks_than_the_papers_have_no_paper_way() -> None:
    with pytest.raises(TypeError, match="'direct'"):
        PaperWay(TwinNetwork(direct_config(10, 2, hidden_size=3)))


def test_other_numbers_are_not_timed(inputs: Inputs) -> None:
    way = PaperWay(inputs.network)
    other = torch.nn.Linear(QUICK.hypernetwork_sizes[-1], inputs.network.config.n_weights)
    way.hypernetwork[-1] = other
    with pytest.raises(ArithmeticError, match="so they are not timed"):
        check_agreement(inputs, way)


@pytest.mark.parametrize("n_units", [7, 24, 400, 401])
@pytest.mark.parametrize("n_sequences", [1, 2])
def test_the_floor_is_the_recurrence(
    floor: Floor, n_units: int, n_sequences: int, rng: np.random.Generator
) -> None:
    bound = (3 / n_units) ** 0.5
    w_hh = rng.uniform(-bound, bound, (n_units, n_units)).astype(np.float32)
    lengths = (300, 280)[:n_sequences]
    drives = [rng.standard_normal((n, n_units)).astype(np.float32) for n in lengths]
    run = floor.prepare(w_hh, drives)
    references = [states_in_float64(w_hh, drive) for drive in drives]
    assert largest_difference(run, references) < 1e-5
    assert run.states.shape == (min(lengths), n_sequences, n_units)
    first = run.states.copy()
    run()
    np.testing.assert_array_equal(run.states, first)  # each call begins at zeros


def test_a_floor_that_is_wrong_is_not_timed(floor: Floor, rng: np.random.Generator) -> None:
    w_hh = rng.standard_normal((5, 5)).astype(np.float32)
    drive = rng.standard_normal((9, 5)).astype(np.float32)
    run = floor.prepare(w_hh, [drive])
    with pytest.raises(ArithmeticError, match="so it is not timed"):
        largest_difference(run, [states_in_float64(w_hh, drive) + 2 * TOLERANCE])


def test_the_floors_tanh_is_right_to_a_millionth(floor: Floor) -> None:
    x = np.linspace(-30, 30, 1 << 16, dtype=np.float32)
    np.testing.assert_allclose(floor.tanh(x), np.tanh(x.astype(np.float64)), rtol=0, atol=1e-6)


def test_without_a_compiler_there_is_no_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert compile_floor(tmp_path) is None


@pytest.mark.parametrize("preset", ["paper", "compact"])
def test_threads_and_batches_change_no_forecast(inputs: Inputs, preset: str) -> None:
    bundle = getattr(inputs, preset)
    people = getattr(inputs, f"{preset}_connectomes")
    found = cohort(bundle, people, inputs.runs, threads=2)
    expected = [
        forecast
        for person in people
        for forecast in one_person(bundle, person, inputs.runs, threads=1)
    ]
    assert [forecast.task for forecast in found] == [forecast.task for forecast in expected]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.bold, theirs.bold, atol=1e-4)
        np.testing.assert_allclose(
            ours.trials["response_time"], theirs.trials["response_time"], atol=1e-4
        )


def test_every_method_takes_its_turn_in_every_round() -> None:
    calls: list[str] = []
    names = ("a", "b", "c")
    methods = {name: Method(lambda name=name: calls.append(name), 2) for name in names}
    found = take_turns(methods, 3)
    assert calls == [*"abc", *"abc", *"bca", *"cab"]  # the first of them are not counted
    assert all(len(timing.seconds) == 3 for timing in found.values())


def test_a_ratio_is_taken_inside_the_rounds() -> None:
    slow, fast = Timing((1.0, 20.0, 3.0)), Timing((1.0, 10.0, 1.0))
    assert ratio(slow, fast) == Spread(2.0, 1.5, 2.5)
    assert Timing.from_json(slow.to_json()) == slow
    with pytest.raises(ValueError, match="shorter"):
        ratio(slow, Timing((1.0,)))


def test_the_cohort_has_every_batch_size(quick_run: Path) -> None:
    found = figures_of(quick_run)["sections"]["cohort"]
    assert [f"{BATCH}{n}" for n in QUICK.batches] == [
        name for name in found["timings"] if name.startswith(BATCH)
    ]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_processor_time_of_threads_is_that_of_the_process() -> None:
    total = sum(cpu_ticks().values()) / os.sysconf("SC_CLK_TCK")
    times = os.times()
    assert 0 < total <= times.user + times.system + 0.1


def run(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the program as `make bench` does."""
    command = [sys.executable, str(ROOT / "benchmarks" / "speed.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a quick run of everything wrote to."""
    root = tmp_path_factory.mktemp("quick")
    done = run("--quick", "--root", root)
    assert done.returncode == 0, done.stderr
    return root


def figures_of(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (root / "benchmarks" / "results" / "speed.json").read_text(encoding="utf-8")
    )
    return found


def test_a_quick_run_measures_every_section(quick_run: Path) -> None:
    figures = figures_of(quick_run)
    assert tuple(figures["sections"]) == NAMES
    page = (quick_run / "docs" / "PERFORMANCE.md").read_text(encoding="utf-8")
    assert "these figures mean nothing" in page
    assert "Not measured" not in page
    assert (quick_run / "docs" / "images" / "speed.svg").is_file()
    for text in (json.dumps(figures), page):
        assert str(quick_run) not in text
        assert str(ROOT) not in text


def test_one_section_measured_again_joins_the_others(quick_run: Path) -> None:
    before = figures_of(quick_run)
    done = run("--quick", "--only", "hypernetwork", "--root", quick_run)
    assert done.returncode == 0, done.stderr
    after = figures_of(quick_run)
    assert tuple(after["sections"]) == NAMES
    again = {name for name in NAMES if after["sections"][name] != before["sections"][name]}
    assert again == {"hypernetwork"}


def test_quick_figures_do_not_go_where_the_real_ones_are() -> None:
    done = run("--quick")
    assert done.returncode == 2
    assert "give --root DIR" in done.stderr


def test_the_run_on_a_gpu_runs_dry() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "speed_gpu.py"), "--dry-run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = {each["what"]: each["value"] for each in json.loads(done.stdout)}
    for preset in ("paper", "compact"):
        assert figures[f"`{preset}`, batch of 16"] > 0
        assert figures[f"`{preset}`, largest difference from the CPU"] == 0


@pytest.mark.skipif(has_cuda_device(), reason="there is a GPU, so it would run in earnest")
def test_the_run_on_a_gpu_says_what_is_missing_and_writes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "speed_gpu.py"), "--root", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: CUDA was asked for, but ")
    assert list(tmp_path.iterdir()) == []
