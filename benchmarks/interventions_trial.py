"""An in-silico trial of held-out simulated people: personal plans, a common one, a sham."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from interventions_inputs import Inputs
from interventions_people import AMYGDALA, SIZE_SD, TIME
from interventions_words import Figures, percent
from results_claims import table

from dtb_models.response_prediction import predict_responses
from dtb_runtime.arm_settings import TrialSettings
from dtb_runtime.arm_tables import SUMMARY_FILE, TrialHelpers
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.intervention_trial import run_trial
from dtb_runtime.plan import Goal
from dtb_runtime.processors import n_usable

LIMIT_MIN = 10.0
_KEPT = ("rule", "arms", "doses", "comparisons", "prediction", "sd_before", "plans")


def measure(inputs: Inputs) -> dict[str, Any]:
    """Run a whole trial, from files to its tables."""
    bundle = inputs.loaded
    jobs = max(min(n_usable(), inputs.sizes.trial_people // 2), 1)  # two people go together
    goal = Goal.of(bundle, AMYGDALA, "decrease", f"{SIZE_SD}sd")
    settings = TrialSettings(goals=(goal,), holds=(TIME,), arms=("personal", "common"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "connectomes")
        folder.mkdir()
        for person in inputs.cohort.participants[: inputs.sizes.trial_people]:
            correlations = person.connectome.correlations.astype(np.float32)
            np.save(folder / f"{person.participant_id}_connectome.npy", correlations)
        begin_s = time.perf_counter()
        run = run_trial(
            bundle,
            list_cohort(folder),
            Path(temporary, "trial"),
            settings,
            helpers=TrialHelpers(predict=predict_responses),
            jobs=jobs,
        )
        seconds = time.perf_counter() - begin_s
        summary = json.loads(Path(temporary, "trial", SUMMARY_FILE).read_text(encoding="utf-8"))
    figures = {name: summary[name] for name in _KEPT}
    return figures | {
        "goal": goal.name,
        "hold": TIME,
        "n_people": run.n_people,
        "n_failed": run.n_failed,
        "jobs": jobs,
        "seconds": seconds,
    }


def write(figures: Figures) -> str:
    """Write the section."""
    goal, hold = figures["goal"], figures["hold"]
    rows = []
    for arm, found in figures["arms"].items():
        of = found["goals"][goal]
        quantiles = of["effect_sd_quantiles"]
        rows.append(
            [
                arm,
                f"{of['change']['mean']:.2f}",
                _mean(of["effect_sd"]),
                f"{quantiles['0.05']:.2f} to {quantiles['0.95']:.2f}",
                _responders(found["responders"]),
                f"{found['size_sd']['mean']:.2f}",
                f"{found['held_moved_sd'][hold]['mean_absolute']:.2f}",
            ]
        )
    doses = figures["doses"]
    shown = ", ".join(
        f"{dose:g}: {mean['mean']:.2f}"
        for dose, mean in zip(doses["doses"], doses["goals"][goal]["effect_sd"], strict=True)
    )
    rising = doses["goals"][goal]["share_monotonic"]["share"]
    pairs = "; ".join(
        f"{pair} {_mean(found[goal])}" for pair, found in figures["comparisons"].items()
    )
    head = ["arm", "change (t)", "effect, SD before: mean [90 %]", "5 % to 95 % of people",
            "responders", "size, SD of edges", f"`{hold}` moves (SD before)"]  # fmt: skip
    minutes = figures["seconds"] / 60
    return "\n\n".join(
        [
            f"{figures['n_people']} held-out simulated people, `{goal}` down by {SIZE_SD} SD of "
            f"the training cohort, `{hold}` held: {minutes:.1f} minutes with {figures['jobs']} "
            f"processes, from files to tables; {figures['n_failed']} failed. Effects are the "
            "paper's, (pre - post) / SD of these twins before "
            f"({figures['sd_before'][goal]:.2f}): twins differ less than people, since "
            f"connectomes tell only part; {figures['rule']}.",
            table(head, rows),
            f"Differences in SD nearer to the goal, paired: {pairs}. Doses of the personal plan: "
            f"{shown} SD; each dose does more than the one before in {percent(rising)} of people.",
            _prediction(figures["prediction"], goal),
        ]
    )


def _prediction(prediction: Figures, goal: str) -> str:
    """What tells the response beforehand, by arm."""
    rows, said = [], []
    for arm, responses in prediction.items():
        ((name, found),) = responses.items()
        what = f"{arm}: " + ("size of the change" if name == "size_sd" else f"effect on `{goal}`")
        if "left_out" in found:
            said.append(f"{what}: {found['left_out']}")
            continue
        rows += [
            [
                what,
                which,
                str(of["features"]),
                f"{of['r']:.2f}",
                f"{of['r2']:.2f}",
                f"{of['p']:.3f}",
            ]
            for which, of in found["sets"].items()
        ]
    head = ["response", "baseline features", "how many", "r, 10-fold", "R2 beside the mean",
            "p, responses exchanged"]  # fmt: skip
    text = (
        "### Who responds\n\nRidge regression on what was known before, in people left out. Of "
        "personal plans the size of the change is predicted, since their effect is the goal."
    )
    return "\n\n".join([text, *([table(head, rows)] if rows else []), *said])


def _mean(found: Figures) -> str:
    if found["low"] is None:
        return f"{found['mean']:.2f}"
    return f"{found['mean']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"


def _responders(found: Figures) -> str:
    return f"{percent(found['share'])} [{percent(found['low'])}, {percent(found['high'])}]"
