"""Fixtures of the runtime's tests: the committed bundles and ways to damage a copy of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_layout import MANIFEST_FILE
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.events import SCHEDULES_DIR, Events
from dtb_runtime.manifest import seal
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.responses import read_hazards
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import get_task
from dtb_runtime.trial_likelihood import LAPSES, SLIPS, RunEvidence

BUNDLES = Path(__file__).parents[1] / "bundles"
Document = dict[str, Any]


@pytest.fixture(scope="session")
def tiny_folder() -> Path:
    """The committed compact bundle: 12 regions, latent of 3, hazards."""
    return BUNDLES / "tiny"


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Bundle:
    """The compact test bundle, loaded on the CPU."""
    return load_bundle(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def tiny_plain() -> Bundle:
    """The test bundle in the paper's layout: no latent, densities, 5 BOLD regions, no warning."""
    return load_bundle(BUNDLES / "tiny_plain", device="cpu")


@pytest.fixture
def tiny_copy(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the compact test bundle, to be damaged."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


@pytest.fixture
def edit_manifest() -> Callable[[Path, Callable[[Document], object]], None]:
    """Change a bundle's manifest and give it a valid checksum again."""

    def edit(folder: Path, change: Callable[[Document], object]) -> None:
        document = json.loads((folder / MANIFEST_FILE).read_bytes())
        del document["checksum"]
        change(document)
        (folder / MANIFEST_FILE).write_bytes(seal(document))

    return edit


@pytest.fixture
def replace_file(
    edit_manifest: Callable[[Path, Callable[[Document], object]], None],
) -> Callable[[Path, str, bytes], None]:
    """Replace a file of a bundle and its digest, as a hostile author would."""

    def replace(folder: Path, name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        entry = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        edit_manifest(folder, lambda document: document["files"].update({name: entry}))

    return replace


@pytest.fixture(scope="session")
def generator() -> ModuleType:
    """The script that makes the test bundles; skips where onnx is not installed."""
    pytest.importorskip("onnx")
    path = BUNDLES / "make_tiny_bundle.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def correlations() -> NDArray[np.float64]:
    """A person's connectome for the test bundles, (12, 12)."""
    return make_correlations(0)


@pytest.fixture
def people() -> Callable[[int], NDArray[np.float64]]:
    """Connectomes of as many people as are asked for, by number."""
    return make_correlations


@pytest.fixture(scope="session")
def reference_log_likelihood(
    tiny: Bundle,
) -> Callable[[NDArray[np.float64], list[ObservedRun]], NDArray[np.float64]]:
    """Log probability of trials under many latents of the tiny bundle, in float64 and numpy."""
    unit = np.vstack([np.zeros(3), np.eye(3)]).astype(np.float32)
    base, *columns = (tiny.decode(latent).astype(np.float64) for latent in unit)
    slopes = np.array(columns) - base

    def log_likelihood(
        latents: NDArray[np.float64], runs: list[ObservedRun]
    ) -> NDArray[np.float64]:
        weights = base + latents @ slopes
        return sum(
            (trial_log_likelihood(tiny_hazards(weights, run), run) for run in runs),
            start=np.zeros(len(latents)),
        )

    return log_likelihood


def tiny_hazards(weights: NDArray[np.float64], run: ObservedRun) -> NDArray[np.float64]:
    """Hazards of the tiny bundle's network, step by step, (latents, steps, options)."""
    n, hidden, n_inputs, n_outputs = len(weights), 8, 9, 15
    sizes = [hidden * n_inputs, hidden * hidden, hidden, hidden, n_outputs * hidden, n_outputs]
    W_ih, W_hh, b_ih, b_hh, W_ho, b_ho = np.split(weights, np.cumsum(sizes)[:-1], axis=1)
    W_ih, W_hh = W_ih.reshape(n, hidden, n_inputs), W_hh.reshape(n, hidden, hidden)
    W_ho = W_ho.reshape(n, n_outputs, hidden)
    leak = np.array([0.5] * 4 + [0.03] * 4)
    task = get_task(run.task)
    state, hazards = np.zeros((n, hidden)), []
    seen = np.zeros(n_inputs)
    for on_screen in task.stimulus(run.events)[: run.events.offset_step[-1] + 1]:
        drive = (W_ih @ seen) + b_ih + b_hh + (W_hh @ state[:, :, None])[:, :, 0]
        state = state + leak * (np.tanh(drive) - state)
        outputs = (W_ho @ state[:, :, None])[:, :, 0] + b_ho
        hazards.append(1.0 / (1.0 + np.exp(-outputs[:, : len(task.options)])))
        seen = on_screen
    return np.stack(hazards, axis=1)


def trial_log_likelihood(hazards: NDArray[np.float64], run: ObservedRun) -> NDArray[np.float64]:
    """Survival likelihood, trial by trial and step by step as in a textbook, (latents,)."""
    events, responses = run.events, run.responses
    total = np.zeros(len(hazards))
    for trial in range(events.n_trials):
        if not responses.usable[trial]:
            continue
        first, last = int(events.onset_step[trial]), int(events.offset_step[trial])
        time_s = float(responses.response_time_s[trial])
        press = last if np.isnan(time_s) else int((events.onset_s[trial] + time_s) / 0.08 + 1e-6)
        passed = np.zeros(len(hazards))
        for step in range(first, press):
            passed += np.log(1.0 - hazards[:, step]).sum(axis=1)
        if np.isnan(time_s):
            total += np.log(LAPSES + (1.0 - LAPSES) * np.exp(passed))
            continue
        total += np.log(1.0 - LAPSES) + passed
        right = int(events.correct_option[trial])
        options = range(hazards.shape[2])
        possible = [right] if responses.correct[trial] else [o for o in options if o != right]
        chance = np.zeros(len(hazards))
        for option in options:
            others = [o for o in options if o != option]
            pressed = hazards[:, press, option] * (1.0 - hazards[:, press, others]).prod(axis=1)
            meant = (1.0 - SLIPS) * (option in possible)
            chance += pressed * (meant + SLIPS * len(possible) / len(options))
        total += np.log(chance)
    return total


@pytest.fixture(scope="session")
def observe(tiny: Bundle) -> Callable[..., ObservedRun]:
    """Let a latent of the tiny bundle do a task: the default schedule, cut after some trials."""

    def observe(
        task: str, latent: NDArray[np.float64], *, n_trials: int = 40, seed: int = 1
    ) -> ObservedRun:
        definition = get_task(task)
        events = definition.schedule()
        actions, _, _ = tiny.run_main(
            tiny.decode(np.asarray(latent, np.float32)), network_input(definition.stimulus(events))
        )
        distributions = read_hazards(actions, events, len(definition.options), 0.08)
        option, time_s = distributions.sample(np.random.default_rng(seed))
        answered = ~np.isnan(time_s)
        correct = answered & (option == events.correct_option)
        responses = Responses(time_s, correct, ~answered | (time_s >= 0.2))
        run = ObservedRun(events, responses).until(float(events.onset_s[n_trials]))
        assert run is not None
        return run

    return observe


@pytest.fixture
def hammer() -> Events:
    """The default schedule of hammer."""
    return get_task("hammer").schedule()


@pytest.fixture
def stroop() -> Events:
    """The default schedule of stroop."""
    return get_task("stroop").schedule()


@pytest.fixture
def answers() -> Callable[..., Responses]:
    """The same response to every trial of a schedule."""

    def answers(events: Events, time_s: float = 0.7, correct: bool = True) -> Responses:
        n = events.n_trials
        return Responses(
            response_time_s=np.full(n, time_s),
            correct=np.full(n, correct),
            usable=np.ones(n, np.bool_),
        )

    return answers


@pytest.fixture
def recorded() -> Callable[..., list[list[str]]]:
    """Rows of the default schedule with responses as a scanner's file has them; header first."""

    def recorded(task: str, *, seed: int = 1) -> list[list[str]]:
        rng = np.random.default_rng(seed)
        lines = (SCHEDULES_DIR / f"{task}.tsv").read_text(encoding="utf-8").splitlines()
        header, *rows = (line.split("\t") for line in lines)
        out = [[*header, "response_time", "accuracy_binarized"]]
        for row in rows:
            time, kind = f"{rng.uniform(0.3, 1.5):.4f}", rng.random()
            if kind < 0.1:
                out.append([*row, "n/a", "0"])
            else:
                out.append([*row, time, "1" if kind < 0.9 else "0"])
        return out

    return recorded


@pytest.fixture
def write() -> Callable[[Path, list[list[str]]], Path]:
    """Write such rows as a table."""

    def write(path: Path, rows: list[list[str]]) -> Path:
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("\n".join("\t".join(row) for row in rows) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def assert_same_run() -> Callable[[ObservedRun, ObservedRun], None]:
    """The network and the likelihood see no difference between two runs."""

    def assert_same_run(one: ObservedRun, other: ObservedRun) -> None:
        for name in ("onset_s", "duration_s", "onset_step", "offset_step", "correct_option"):
            np.testing.assert_array_equal(getattr(one.events, name), getattr(other.events, name))
        for name in ("response_time_s", "correct", "usable"):
            np.testing.assert_array_equal(
                getattr(one.responses, name), getattr(other.responses, name)
            )
        a, b = (RunEvidence.of(run, 3) for run in (one, other))
        for x, y in ((a.stimulus, b.stimulus), (a.steps, b.steps), (a.pressed, b.pressed)):
            np.testing.assert_array_equal(x, y)

    return assert_same_run


def make_correlations(person: int) -> NDArray[np.float64]:
    """Correlations of 12 regions that share three signals, different for every `person`."""
    rng = np.random.default_rng([11, person])
    series = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 12))
    series += rng.standard_normal(series.shape)
    return np.asarray(np.corrcoef(series.T))
