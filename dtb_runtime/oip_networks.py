"""The two networks of a bundle, each run by itself as a model of the protocol."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .bundle import Bundle
from .errors import BundleError, DataError
from .oip_answers import check_size, infer_answer
from .oip_requests import InferCall
from .oip_tensors import Array
from .service_jobs import Answer

LARGEST_INPUT = 1e6
"""Of edges, weights, stimuli and states; beyond it no network gives numbers that are finite."""


def answer_hypernetwork(bundle: Bundle, call: InferCall, most_bytes: int) -> Answer:
    """Latents and weights of people's main networks, from their edges.

    Raises
    ------
    DataError
        The edges cannot be used, or the answer would take more than `most_bytes`.
    """
    edges = _finite(call, "edges")
    manifest, n = bundle.manifest, len(edges)
    lengths = {"latent": manifest.latent_size, "weights": manifest.n_weights}
    check_size(call, {name: (n, lengths[name]) for name in call.outputs}, most_bytes)
    try:
        twins = bundle.personalize_edges(edges)
    except BundleError as cause:
        raise _no_numbers(call) from cause
    tensors: dict[str, Array] = {"weights": np.stack([twin.weights for twin in twins])}
    if manifest.latent_size:
        tensors["latent"] = np.stack([twin.latent for twin in twins if twin.latent is not None])
    return infer_answer(call, tensors, n, bundle.warnings)


def answer_main(bundle: Bundle, call: InferCall, most_bytes: int) -> Answer:
    """Actions, BOLD and final hidden state of people's main networks over one stimulus.

    Raises
    ------
    DataError
        The inputs do not fit each other or cannot be used, or the answer would take more than
        `most_bytes`.
    """
    weights, stimulus = _finite(call, "weights"), _finite(call, "stimulus")
    manifest, n, n_steps = bundle.manifest, len(weights), len(stimulus)
    state = _finite(call, "state") if "state" in call.inputs else None
    if state is not None and len(state) != n:
        raise DataError(
            f"There are weights of {n} people, but states of {len(state)}. Send one state each."
        )
    shapes: Mapping[str, tuple[int, ...]] = {
        "actions": (n, n_steps, manifest.n_actions),
        "bold": (n, manifest.n_frames(n_steps), manifest.n_bold),
        "final_state": (n, manifest.hidden_size),
    }
    # Of all of them, which the network gives whatever is wanted of it.
    check_size(call, shapes, most_bytes)
    try:
        actions, bold, final_state = bundle.run_main(weights, stimulus, state)
    except BundleError as cause:
        raise _no_numbers(call) from cause
    tensors: dict[str, Array] = {"actions": actions, "bold": bold, "final_state": final_state}
    return infer_answer(call, tensors, n, bundle.warnings)


def _finite(call: InferCall, name: str) -> NDArray[np.float32]:
    given = call.inputs[name]
    if not (np.isfinite(given).all() and np.abs(given).max() <= LARGEST_INPUT):
        raise DataError(
            f"Input {name!r} holds NaN, infinity or a number beyond {LARGEST_INPUT:g}. Correct it."
        )
    own: NDArray[np.float32] = np.ascontiguousarray(given, np.float32)
    return own


def _no_numbers(call: InferCall) -> DataError:
    return DataError(
        f"{call.model.name} gives no finite numbers for these inputs. Check their scale: edges are "
        "Fisher z, weights are those that the hypernetwork gives."
    )
