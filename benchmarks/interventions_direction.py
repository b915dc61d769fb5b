"""The paper's way on held-out simulated people, and what editing connectomes makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from interventions_inputs import Inputs, Row
from interventions_people import AMYGDALA, TIME
from interventions_words import Figures, middle, percent, quantiles, spread
from numpy.typing import NDArray
from results_claims import table

from dtb_models.bundle_network import BundleNetwork
from dtb_models.direction_search import DirectionSearch
from dtb_models.plan_search import FoundPlan
from dtb_models.smooth_grad import smooth_gradient
from dtb_models.weight_direction import WeightDirection
from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.gradients import DirectionSettings
from dtb_runtime.indicator_forecasts import IndicatorForecasts
from dtb_runtime.plan import Goal
from dtb_runtime.possible_connectomes import EdgeRange, nearest_possible

Floats = NDArray[np.float64]

PAPER = {AMYGDALA: 0.59, TIME: 0.68}
"""|r| of score and indicator that the paper reports."""
NOISES, SAMPLES = (0.05, 0.1, 0.2, 0.3), (50, 100, 200)
ALPHAS = tuple(0.25 * step for step in range(11))
"""SDs of the score, up to 2.5."""
PAPER_ALPHA = 2.0
STROOP, HAMMER = "reaction_time:stroop", "reaction_time:hammer"
SIZE_SD = 0.5
PARTS = (0.01, 0.1, 0.5)
"""Of all edges, that are changed alone."""
WHICH = ("largest", "random", "smallest")


def measure(inputs: Inputs) -> dict[str, Any]:
    """Find each direction, follow it, and edit connectomes for what it promises."""
    return {target: _measure_target(inputs, target) for target in (AMYGDALA, TIME)}


def _measure_target(inputs: Inputs, target: str) -> dict[str, Any]:
    bundle = inputs.loaded
    people = inputs.cohort.participants[: inputs.sizes.people]
    direction = WeightDirection.of(bundle, target)  # over drawn twins: nobody here is among them
    weights = _weights(inputs, people)
    names = (target, STROOP, HAMMER)
    forecasts = IndicatorForecasts(bundle, names)
    before = forecasts.of_weights(weights)
    goal = Goal.of(bundle, target, "decrease", f"{SIZE_SD}sd")
    search = DirectionSearch(bundle, goal, direction)
    by_id = {person.participant_id: k for k, person in enumerate(people)}
    few = set(list(by_id)[: max(1, inputs.sizes.few // 2)])

    def one(participant_id: str) -> Row:
        k = by_id[participant_id]
        moved = direction.moved(weights[k], -np.array(ALPHAS))
        connectome = people[k].connectome
        found = search.find(connectome, participant_id=participant_id)
        promise = found.promise
        if promise is None:
            raise RuntimeError("a search along a direction promises something")
        row: Row = {
            "score": float(direction.scores(weights[k][np.newaxis])[0]),
            "at_alphas": forecasts.of_weights(moved).tolist(),
            "alpha": promise.alpha,
            "score_moved": promise.score_moved,
            "promised": promise.promised,
            "reached": promise.reached,
            "goal": goal.change,
            "size_sd": found.size,
        }
        if participant_id in few:
            row["stability"] = _stability(bundle, direction, connectome.edges())
            row["carried"] = carried(bundle, forecasts, connectome, found)
        return row

    return {
        "names": list(names),
        "r_drawn": direction.r_left_out,
        "n_drawn": direction.n_people,
        "sd_pre": before.std(axis=0, ddof=1).tolist(),
        "rows": list(inputs.each(f"direction_{target}", by_id, one)),
    }


def _weights(inputs: Inputs, people: Sequence[Any]) -> NDArray[np.float32]:
    edges = (person.connectome.edges() for person in people)
    return np.stack([inputs.loaded.personalize_edges(each[None])[0].weights for each in edges])


def _stability(bundle: Bundle, direction: WeightDirection, edges: NDArray[np.float32]) -> float:
    """Smallest correlation of two of a person's maps, over noise, samples and seeds."""
    network = BundleNetwork.of(bundle)
    maps = [
        smooth_gradient(network, direction, edges, DirectionSettings(samples, noise, seed))
        for seed, (noise, samples) in enumerate(product(NOISES, SAMPLES))
    ]
    return float(np.corrcoef(maps).min())


def carried(
    bundle: Bundle, forecasts: IndicatorForecasts, connectome: Connectome, found: FoundPlan
) -> dict[str, list[float]]:
    """How much of an edit's effect some of its edges carry, by `WHICH` and `PARTS`."""
    original = connectome.correlations.astype(np.float64)
    rows, columns = np.triu_indices(len(original), 1)
    edit = (found.correlations - original)[rows, columns]
    order = np.argsort(-np.abs(found.gradient), kind="stable")
    orders = {
        "largest": order,
        "random": np.random.default_rng(0).permutation(order),
        "smallest": order[::-1],
    }
    allowed = EdgeRange.around(original, bundle.norms, bundle.name)
    shown = [original, found.correlations]
    for which in WHICH:
        for share in PARTS:
            chosen = orders[which][: round(share * len(order))]
            part = np.zeros_like(original)
            part[rows[chosen], columns[chosen]] = edit[chosen]
            shown.append(nearest_possible(original + part + part.T, original, allowed).correlations)
    values = forecasts.of_edges(np.stack([edges_from_correlations(each) for each in shown]))[:, 0]
    shares = (values[2:] - values[0]) / (values[1] - values[0])
    return {
        which: shares[k * len(PARTS) : (k + 1) * len(PARTS)].tolist()
        for k, which in enumerate(WHICH)
    }


def r_people(found: Figures) -> float:
    """Correlation of score and indicator over people whom the direction was not found over."""
    own = [row["at_alphas"][0][0] for row in found["rows"]]
    return abs(float(np.corrcoef([row["score"] for row in found["rows"]], own)[0, 1]))


def stability(found: Figures) -> float:
    """Smallest correlation of two maps of one person, over people."""
    return min(row["stability"] for row in found["rows"] if "stability" in row)


def effects(found: Figures) -> Floats:
    """(pre - post) / SD_pre at 2 SD of the score, shape (people,), as the paper computes it."""
    curve = _curves(found)
    at = ALPHAS.index(PAPER_ALPHA)
    effect: Floats = (curve[:, 0, 0] - curve[:, at, 0]) / found["sd_pre"][0]
    return effect


def share_monotonic(found: Figures) -> float:
    """How many people's curves fall with every step of alpha."""
    steps = np.diff(_curves(found)[:, :, 0], axis=1)
    return float(np.mean((steps < 0).all(axis=1)))


def _curves(found: Figures) -> Floats:
    """Indicators at each alpha, shape (people, alphas, names)."""
    return np.array([row["at_alphas"] for row in found["rows"]])


def _coupling(found: Figures, name: str) -> float:
    """Correlation over people of what the target and another indicator move by."""
    curve = _curves(found)
    at = ALPHAS.index(PAPER_ALPHA)
    moved = curve[:, at] - curve[:, 0]
    return float(np.corrcoef(moved[:, 0], moved[:, found["names"].index(name)])[0, 1])


def shares(found: Figures) -> Floats:
    """What the edited connectome gives, in shares of what was promised, shape (people,)."""
    return np.array([row["reached"] / row["promised"] for row in found["rows"]])


def write(figures: Figures) -> str:
    """Write the section."""
    head = ["", "`amygdala_response`", "`reaction_time`", "paper"]
    both = (figures[AMYGDALA], figures[TIME])
    n_people = len(both[0]["rows"])
    rows = [
        [
            f"|r| of score and indicator, {both[0]['n_drawn']} drawn twins, left out in turn",
            *(f"{found['r_drawn']:.2f}" for found in both),
            "",
        ],
        [
            f"|r| over {n_people} held-out simulated people, along the same direction",
            *(f"{r_people(found):.2f}" for found in both),
            f"{PAPER[AMYGDALA]:.2f}, {PAPER[TIME]:.2f}",
        ],
        [
            "SmoothGrad maps, smallest r of two over noise 0.05 to 0.3, 50 to 200 copies, seeds",
            *(f"{stability(found):.4f}" for found in both),
            "> 0.99",
        ],
        [
            "W + alpha v down to -2.5 SD: falls with every step",
            *(f"{percent(share_monotonic(found))} of people" for found in both),
            "monotonic",
        ],
        [
            "effect at 2 SD, (pre - post) / SD_pre: median [5 %, 95 %]",
            *(spread(effects(found)) for found in both),
            "about 0 to over 2",
        ],
        [
            "r of its effect with that on Stroop RT; on Faces RT",
            *(f"{_coupling(found, STROOP):.2f}; {_coupling(found, HAMMER):.2f}" for found in both),
            "amygdala: < 0.01; 0.12",
        ],
        [
            f"goal of {SIZE_SD} SD: alpha that promises it",
            *(middle([row["alpha"] for row in found["rows"]]) for found in both),
            "",
        ],
        [
            "**edited connectome, in shares of what was promised**",
            *(spread(shares(found)) for found in both),
            "not tried",
        ],
        [
            "its score moved as asked, in shares",
            *(
                quantiles([row["score_moved"] / row["alpha"] for row in found["rows"]], (0.05, 0.5))
                + " (5 %, median)"
                for found in both
            ),
            "",
        ],
        [
            "size of the edit, SD of edges",
            *(middle([row["size_sd"] for row in found["rows"]]) for found in both),
            "",
        ],
    ]
    return "\n\n".join(
        [
            "One direction of weights for everybody (partial least squares), the edges that its "
            "score depends on (SmoothGrad), and `W + alpha v`. The paper stops there; "
            "`dtb-run intervene --method pls` edits those edges until the twin's score has moved "
            "by alpha, and compares. The indicators are the twins' own, and so functions of the "
            "weights; the paper's were measured. Brackets are the 5th and 95th percentile of "
            "people, of alpha and size quartiles.",
            table(head, rows),
            "Do the edges that SmoothGrad names carry it? Of the whole edit, only the edges with "
            "the largest, the smallest or randomly chosen attribution are changed, as far as that "
            "leaves a possible connectome: share of the whole edit's effect, median over "
            f"{len(_carried(both[0]))} people.",
            table(
                ["edges changed", *(f"`{name}`, {which}" for name in figures for which in WHICH)],
                [
                    [
                        percent(share),
                        *(_share_carried(found, which, k) for found in both for which in WHICH),
                    ]
                    for k, share in enumerate(PARTS)
                ],
            ),
        ]
    )


def _carried(found: Figures) -> list[Figures]:
    return [row["carried"] for row in found["rows"] if "carried" in row]


def _share_carried(found: Figures, which: str, k: int) -> str:
    return f"{np.median([of[which][k] for of in _carried(found)]):.3f}"
