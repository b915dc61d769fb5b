"""Connectome to forecast: one person and a cohort, beside the paper's way of running."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from results_claims import table
from speed_inputs import Inputs, torch_threads
from speed_paper_way import PaperWay
from speed_runtime import cohort, one_person
from speed_timing import Method, Timing, quickest, ratio, rounded, take_turns
from speed_words import Figures, milliseconds, small, times, timings

TOLERANCE = 1e-4
"""Largest difference between the re-creation and the runtime that is the same forecast."""
PAPER, PAPER_CORES, COMPACT, COMPACT_CORES = "paper", "paper_cores", "compact", "compact_cores"
PAPER_WAY, RNN, BATCH, LINEAR = "paper_way", "rnn", "paper_way_batch_", "linear_batch_"
NAMES = {
    PAPER: "runtime, `paper`, tasks together",
    PAPER_CORES: "runtime, `paper`, a task a core",
    COMPACT: "runtime, `compact`, tasks together",
    COMPACT_CORES: "runtime, `compact`, a task a core",
    f"{PAPER_WAY}_1": "the paper's way, one thread",
    f"{PAPER_WAY}_all": "the paper's way, all cores",
    f"{RNN}_1": "`torch.nn.RNN`, one thread",
    f"{RNN}_all": "`torch.nn.RNN`, all cores",
}
"""Methods for one person, as the page calls them."""


def measure_person(inputs: Inputs) -> dict[str, Any]:
    """Time one person, both tasks, from the connectome to the forecast."""
    plan, cores = inputs.plan, inputs.n_cores
    way, stimuli = PaperWay(inputs.network), inputs.stimuli
    paper, compact = inputs.paper_connectomes[:1], inputs.compact_connectomes[0]
    difference = check_agreement(inputs, way)
    methods = {}
    for name, bundle, person in (
        (PAPER, inputs.paper, paper[0]),
        (COMPACT, inputs.compact, compact),
    ):
        for threads in (1, cores) if cores > 1 else (1,):
            methods[name if threads == 1 else f"{name}_cores"] = Method(
                lambda b=bundle, p=person, n=threads: one_person(b, p, inputs.runs, threads=n)
            )
    for name, forecast in ((PAPER_WAY, way.forecast), (RNN, way.forecast_by_rnn)):
        for threads, word in ((1, "1"), (cores, "all")) if cores > 1 else ((1, "1"),):
            methods[f"{name}_{word}"] = Method(
                lambda f=forecast, n=threads: (torch_threads(n), f(paper, stimuli))
            )
    found = take_turns(methods, plan.rounds, least_s=plan.least_s)
    return {
        "timings": {name: timing.to_json() for name, timing in found.items()},
        "difference": rounded(difference),
        "n_steps": [len(stimulus) for stimulus in stimuli],
    }


def measure_cohort(inputs: Inputs) -> dict[str, Any]:
    """Time a cohort on all cores, and the paper's way at several batch sizes; per person."""
    plan, cores, runs = inputs.plan, inputs.n_cores, inputs.runs
    way, stimuli, people = PaperWay(inputs.network), inputs.stimuli, inputs.paper_connectomes
    threads = _threads_of_paper_way(inputs, way)

    def by_rnn() -> None:
        torch_threads(1)  # a step is too small to be shared
        for i in range(plan.n_one_by_one):
            way.forecast_by_rnn(people[i : i + 1], stimuli)

    def batch(n: int, linear: bool) -> None:
        torch_threads(cores if linear else threads)
        way.forecast(people[:n], stimuli, linear=linear)

    n_people = plan.n_cohort
    methods = {
        PAPER: Method(lambda: cohort(inputs.paper, people, runs, threads=cores), n_people),
        COMPACT: Method(
            lambda: cohort(inputs.compact, inputs.compact_connectomes, runs, threads=cores),
            n_people,
        ),
        RNN: Method(by_rnn, plan.n_one_by_one),
    }
    for name, linear in ((BATCH, False), (LINEAR, True)):
        methods |= {
            f"{name}{n}": Method(lambda n=n, b=linear: batch(n, b), n) for n in plan.batches
        }
    found = take_turns(methods, plan.slow_rounds)
    return {
        "timings": {name: timing.to_json() for name, timing in found.items()},
        "n_people": n_people,
        "cores": cores,
        "paper_way_threads": threads,
    }


def check_agreement(inputs: Inputs, way: PaperWay) -> float:
    """Return how far the paper's way is from the runtime at most: actions and BOLD of all steps.

    Raises
    ------
    ArithmeticError
        If they do not answer the same, so that comparing their times would mean nothing.
    """
    bundle, person = inputs.paper, inputs.paper_connectomes[:1]
    twin = bundle.personalize(person[0])
    stride = bundle.manifest.bold_stride
    difference = 0.0
    for outputs in (
        way.forecast(person, inputs.stimuli),
        way.forecast(person, inputs.stimuli, linear=True),
        way.forecast_by_rnn(person, inputs.stimuli),
    ):
        for stimulus, theirs in zip(inputs.stimuli, outputs, strict=True):
            actions, bold, _ = bundle.run_main(twin.weights, stimulus)
            for ours, other in (
                (actions, theirs.actions[0].numpy()),
                (bold, theirs.bold[0, ::stride].numpy()),
            ):
                difference = max(difference, float(np.abs(ours - other).max()))
    if not difference <= TOLERANCE:
        raise ArithmeticError(
            f"The paper's way and the runtime differ by {difference:.2g}, where at most "
            f"{TOLERANCE:g} was expected, so they are not timed. Run the tests: one of them has "
            "changed."
        )
    return difference


def best_paper_way(found: Mapping[str, Timing]) -> str:
    """Return which of a section's re-creations takes the least time a person."""
    return quickest({name: t for name, t in found.items() if name.startswith(PAPER_WAY)})


def best_linear(found: Mapping[str, Timing]) -> str:
    """Return which batch of linear cells takes the least time a person."""
    return quickest({name: t for name, t in found.items() if name.startswith(LINEAR)})


def best_runtime(found: Mapping[str, Timing]) -> str:
    """Return which way of running the paper preset takes the least time."""
    return quickest({name: t for name, t in found.items() if name in (PAPER, PAPER_CORES)})


def write_person(figures: Figures) -> str:
    """Return the section about one person."""
    found = timings(figures)
    reference = found[best_paper_way(found)]
    rows = [
        [NAMES[name], milliseconds(timing.spread), times(ratio(reference, timing))]
        for name, timing in found.items()
    ]
    hammer, stroop = figures["n_steps"]
    return "\n\n".join(
        (
            f"Both tasks ({hammer:,} and {stroop:,} steps), from the connectome to everything that "
            "a forecast holds (`draws=1`). The paper's way and `torch.nn.RNN` end with the outputs "
            "of every step; the runtime also reads trials, response times, contrasts and "
            "indicators from them. Before they were timed, their outputs were compared: they "
            f"differ by {small(figures['difference'])} at most.",
            table(["", "ms a person [quartiles]", "the paper's way takes"], rows),
            "The last column is beside the paper's way in whichever number of threads suits it "
            "better.",
        )
    )


def write_cohort(figures: Figures) -> str:
    """Return the section about a cohort."""
    found = timings(figures)
    best = best_paper_way(found)
    names = {
        PAPER: "runtime, `paper`",
        COMPACT: "runtime, `compact`",
        RNN: "`torch.nn.RNN`, one person after the other",
    }
    rows = [
        [
            names.get(name) or _batch_label(name),
            milliseconds(timing.spread),
            times(ratio(found[best], timing)),
        ]
        for name, timing in found.items()
    ]
    return "\n\n".join(
        (
            f"Both tasks of {figures['n_people']} people on {figures['cores']} cores, from their "
            "connectomes to their forecasts, per person. The runtime takes all people through the "
            "hypernetwork together and then spreads people and tasks over threads; the paper's way "
            f"runs batches, with {_threads(figures['paper_way_threads'])}, which suited it best. "
            "PyTorch's `vmap` cannot batch the `RNNCell` and runs it one person after the other; "
            "with a cell of two linear layers and a tanh, on all cores, it can.",
            table(["", "ms a person [quartiles]", "the best batch takes"], rows),
            "A whole forecast holds a contrast for every region of BOLD, and `compact` forecasts "
            "all of them where `paper` forecasts twenty: reading them is most of its time. "
            "`dtb-run score` asks for indicators alone, and is several times as quick (below).",
        )
    )


def _batch_label(name: str) -> str:
    if name.startswith(LINEAR):
        return f"the same with a cell of linear layers, batch of {name.removeprefix(LINEAR)}"
    return f"the paper's way, batch of {name.removeprefix(BATCH)}"


def _threads_of_paper_way(inputs: Inputs, way: PaperWay) -> int:
    """Return the number of threads in which a middling batch is quickest."""
    people = inputs.paper_connectomes[: inputs.plan.probe_batch]
    methods = {
        str(n): Method(lambda n=n: (torch_threads(n), way.forecast(people, inputs.stimuli)))
        for n in {1, inputs.n_cores}
    }
    return int(quickest(take_turns(methods, 3 if len(methods) > 1 else 1)))


def _threads(n: int) -> str:
    return "one thread" if n == 1 else f"{n} threads"
