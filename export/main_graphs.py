"""The graphs of the main network; axes in parentheses, all but their fixed lengths are dynamic.

- ``main.onnx``: ``weights (people, weights)``, one ``stimulus (time, inputs)`` for all of them,
  already delayed by one step, and ``state (people, hidden)`` to ``actions (people, time, actions)``
  after the sigmoid, ``bold (people, frames, regions)`` at steps 0, stride, 2 stride, ... and
  ``final_state (people, hidden)``.
- ``runs.onnx``: the same for one person and several stimuli at once. The recurrent matrix is no
  input but an array of the file, zeros there, which whoever opens it replaces: an engine lays out
  an array once, and then takes a step of two runs in the time of one.

The names are those of `dtb_runtime.manifest.Manifest.graphs`.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import numpy_helper

from dtb_runtime.bundle_layout import RECURRENT_ARRAY, n_main_weights

from .graph_parts import HEADER, checked_model, int64

# The sigmoid is written out: ONNX Runtime's own is off by a tenth at -15 and exactly 0 from -18 on,
# where PyTorch's goes on to 1e-38; and the improbable is not impossible.
_SIGMOID = """
    falling = Neg (action_logits)
    odds_against = Exp (falling)
    one_to_odds = Add (odds_against, one)
    actions = Reciprocal (one_to_odds)
"""


def main_graph(
    *,
    n_inputs: int,
    hidden_size: int,
    n_actions: int,
    n_bold: int,
    bold_stride: int,
    leak: ArrayLike | None = None,
) -> onnx.ModelProto:
    """Write the main network, whose weights are an input.

    Parameters
    ----------
    n_inputs, hidden_size, n_actions, n_bold : int
        Sizes, all at least 1.
    bold_stride : int
        BOLD is read out at steps 0, ``bold_stride``, ``2 * bold_stride``, ...
    leak : array_like, shape (hidden_size,), optional
        Share of each unit renewed per step, in (0, 1]; left out of the graph when all are 1.

    Returns
    -------
    onnx.ModelProto
        Flat ``weights`` are W_ih, W_hh, b_ih, b_hh, W_ho, b_ho, each row-major, rows of W_ho being
        the actions first, then BOLD.

    Notes
    -----
    Everything that does not depend on the hidden state stands outside the `Scan`: a step costs
    microseconds per node. Inside, `MatMul` takes a row vector and a matrix per person; as a matrix
    times a column vector the same product was 35 times slower in ONNX Runtime 1.31. For one person
    a `Gemm` would save a tenth of the time, but a step's fixed cost is shared by all people of a
    call (docs/decisions), and numbers must not depend on how many there are.
    """
    H, A, B = hidden_size, n_actions, n_bold
    constants = {
        "part_sizes": [H * n_inputs, H * H, H, H, A * H, B * H, A, B],
        "shape_W_ih": [-1, n_inputs],  # the rows of all people, one below the other
        "shape_W_hh": [-1, H, H],
        "shape_W_action": [-1, A, H],
        "shape_W_bold": [-1, B, H],
        "shape_b_hidden": [-1],
        "shape_b_action": [-1, 1, A],
        "shape_b_bold": [-1, 1, B],
        "shape_drive": [0, -1, 1, H],
        "shape_first": [-1, 1, H],
        "shape_hidden": [0, -1, H],
        "shape_state": [-1, H],
        "first_step": [0],
        "last_step": [np.iinfo(np.int64).max],
        "time_axis": [1],
        "bold_stride": [bold_stride],
    }
    initializers = [int64(name, values) for name, values in constants.items()]
    initializers.append(_one())
    step, leaks = _update(leak, (1, 1, H))
    initializers += leaks
    n_weights = n_main_weights(n_inputs, H, A + B)
    text = f"""
    {HEADER}
    main_network (
        float[people, {n_weights}] weights, float[time, {n_inputs}] stimulus,
        float[people, {H}] state
    ) => (
        float[people, time, {A}] actions, float[people, frames, {B}] bold,
        float[people, {H}] final_state
    ) {{
        flat_W_ih, flat_W_hh, b_ih, b_hh, flat_W_action, flat_W_bold, flat_b_action, flat_b_bold
            = Split <axis = 1> (weights, part_sizes)
        W_ih = Reshape (flat_W_ih, shape_W_ih)
        flat_b_hidden = Add (b_ih, b_hh)
        b_hidden = Reshape (flat_b_hidden, shape_b_hidden)
        drive = Gemm <transB = 1> (stimulus, W_ih, b_hidden)
        drive_rows = Reshape (drive, shape_drive)
        W_hh = Reshape (flat_W_hh, shape_W_hh)
        W_hh_T = Transpose <perm = [0, 2, 1]> (W_hh)
        first_state = Reshape (state, shape_first)
        last_state, hidden_rows = Scan <num_scan_inputs = 1, body = step (
            float[people, 1, {H}] h, float[people, 1, {H}] drive_row
        ) => (float[people, 1, {H}] h_new, float[people, 1, {H}] h_kept) {{
            from_others = MatMul (h, W_hh_T)
            drive_h = Add (from_others, drive_row)
            {step}
            h_kept = Identity (h_new)
        }}> (first_state, drive_rows)
        final_state = Reshape (last_state, shape_state)
        hidden_by_time = Reshape (hidden_rows, shape_hidden)
        hidden = Transpose <perm = [1, 0, 2]> (hidden_by_time)
        W_action = Reshape (flat_W_action, shape_W_action)
        W_action_T = Transpose <perm = [0, 2, 1]> (W_action)
        b_action = Reshape (flat_b_action, shape_b_action)
        from_hidden = MatMul (hidden, W_action_T)
        action_logits = Add (from_hidden, b_action)
        {_SIGMOID}
        hidden_at_frames = Slice (hidden, first_step, last_step, time_axis, bold_stride)
        W_bold = Reshape (flat_W_bold, shape_W_bold)
        W_bold_T = Transpose <perm = [0, 2, 1]> (W_bold)
        b_bold = Reshape (flat_b_bold, shape_b_bold)
        bold_change = MatMul (hidden_at_frames, W_bold_T)
        bold = Add (bold_change, b_bold)
    }}
    """
    return checked_model(text, initializers)


def runs_graph(
    *,
    n_inputs: int,
    hidden_size: int,
    n_actions: int,
    n_bold: int,
    bold_stride: int,
    leak: ArrayLike | None = None,
) -> onnx.ModelProto:
    """Write the main network of one person over several runs at once.

    Parameters
    ----------
    n_inputs, hidden_size, n_actions, n_bold, bold_stride, leak
        As of `main_graph`.

    Returns
    -------
    onnx.ModelProto
        Inputs are ``stimuli`` and ``state``, one a run, and the person's weights but W_hh, in
        parts: ``input_weights`` W_ih, ``hidden_bias`` b_ih + b_hh, ``readout_weights`` W_ho and
        ``readout_bias`` b_ho. W_hh is the array `RECURRENT_ARRAY`, zeros here.

    Notes
    -----
    ONNX Runtime packs an array for its `Gemm` when it opens the file, an input at every step: with
    400 units and two runs, one call takes 35 ms instead of twice 39 (docs/decisions). Nothing but
    the `Gemm` may use the array, or an engine could compute with the zeros when it opens the file.
    """
    H, A, B = hidden_size, n_actions, n_bold
    constants = {
        "readout_sizes": [A, B],
        "first_step": [0],
        "last_step": [np.iinfo(np.int64).max],
        "time_axis": [0],
        "bold_stride": [bold_stride],
    }
    initializers = [int64(name, values) for name, values in constants.items()]
    initializers.append(_one())
    initializers.append(numpy_helper.from_array(np.zeros((H, H), np.float32), RECURRENT_ARRAY))
    step, leaks = _update(leak, (1, H))
    text = f"""
    {HEADER}
    main_network_of_one_person (
        float[runs, time, {n_inputs}] stimuli, float[runs, {H}] state,
        float[{H}, {n_inputs}] input_weights, float[{H}] hidden_bias,
        float[{A + B}, {H}] readout_weights, float[{A + B}] readout_bias
    ) => (
        float[runs, time, {A}] actions, float[runs, frames, {B}] bold, float[runs, {H}] final_state
    ) {{
        by_time = Transpose <perm = [1, 0, 2]> (stimuli)
        W_ih_T = Transpose <perm = [1, 0]> (input_weights)
        from_input = MatMul (by_time, W_ih_T)
        drive_rows = Add (from_input, hidden_bias)
        final_state, hidden = Scan <num_scan_inputs = 1, body = step (
            float[runs, {H}] h, float[runs, {H}] drive_row
        ) => (float[runs, {H}] h_new, float[runs, {H}] h_kept) {{
            drive_h = Gemm <transB = 1> (h, {RECURRENT_ARRAY}, drive_row)
            {step}
            h_kept = Identity (h_new)
        }}> (state, drive_rows)
        W_action, W_bold = Split <axis = 0> (readout_weights, readout_sizes)
        b_action, b_bold = Split <axis = 0> (readout_bias, readout_sizes)
        W_action_T = Transpose <perm = [1, 0]> (W_action)
        from_hidden = MatMul (hidden, W_action_T)
        logits_by_time = Add (from_hidden, b_action)
        action_logits = Transpose <perm = [1, 0, 2]> (logits_by_time)
        {_SIGMOID}
        hidden_at_frames = Slice (hidden, first_step, last_step, time_axis, bold_stride)
        W_bold_T = Transpose <perm = [1, 0]> (W_bold)
        bold_change = MatMul (hidden_at_frames, W_bold_T)
        bold_by_time = Add (bold_change, b_bold)
        bold = Transpose <perm = [1, 0, 2]> (bold_by_time)
    }}
    """
    return checked_model(text, initializers + leaks)


def _one() -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones(1, np.float32), "one")


def _update(leak: ArrayLike | None, shape: tuple[int, ...]) -> tuple[str, list[onnx.TensorProto]]:
    """Return the nodes from ``drive_h`` and ``h`` to ``h_new``, and the array they need."""
    leaks = None if leak is None else np.asarray(leak, dtype=np.float32)
    if leaks is None or np.all(leaks == 1):
        return "h_new = Tanh (drive_h)", []
    step = """
        h_target = Tanh (drive_h)
        h_change = Sub (h_target, h)
        h_step = Mul (leak, h_change)
        h_new = Add (h, h_step)
    """
    return step, [numpy_helper.from_array(leaks.reshape(shape), "leak")]
