"""What makes the fields of a manifest go together: one sentence for each way to fail."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from .bundle_layout import (
    MANIFEST_FILE,
    MAX_BUNDLE_BYTES,
    MODEL_CARD_FILE,
    NORMS_FILE,
    n_main_weights,
)
from .errors import BundleError
from .raw_array import MAX_REGIONS
from .tables import listed_names, shown
from .tasks import DT_S, N_INPUTS, TASKS, TR_S

if TYPE_CHECKING:
    from .manifest import Manifest

MAX_WEIGHTS = 2**24
"""Numbers that describe one main network; the paper's network has 173,623."""
MAX_LATENT = 4096
"""Length of a latent; those of the shipped bundles have some dozens."""
_MAX_EDGES = MAX_REGIONS * (MAX_REGIONS - 1) // 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_manifest(manifest: Manifest) -> None:
    """Refuse fields that contradict each other; the message names both.

    Raises
    ------
    BundleError
        With the first contradiction found.
    """
    _check_sizes(manifest)
    _check_regions(manifest)
    _check_tasks(manifest)
    _check_training(manifest)
    _check_files(manifest)


def _require(fits: bool, sentence: str) -> None:
    if not fits:
        raise BundleError(f"{MANIFEST_FILE}: {sentence} Export the bundle again.")


def _check_sizes(m: Manifest) -> None:
    _require(
        _NAME.fullmatch(m.name) is not None,
        f"name must be letters, digits, '.', '_' or '-', found {shown(m.name)}.",
    )
    _require(m.n_actions > 0, "actions must name at least one output.")
    _require(m.dt_s > 0 and m.tr_s > 0, "dt_s and tr_s must be above 0.")
    n_outputs = m.n_actions + m.n_bold
    n_weights = n_main_weights(m.n_inputs, m.hidden_size, n_outputs)
    _require(
        m.n_weights == n_weights,
        f"n_weights is {m.n_weights}, but {m.n_inputs} inputs, {m.hidden_size} hidden units and "
        f"{n_outputs} outputs make {n_weights}.",
    )
    for key, size, most in (
        ("n_weights", m.n_weights, MAX_WEIGHTS),
        ("latent_size", m.latent_size, MAX_LATENT),
        ("n_edges", m.n_edges, _MAX_EDGES),
    ):
        _require(size <= most, f"{key} is {size}, more than the {most} it may be.")
    for key, values in (
        ("bold_mean", m.normalization.bold_mean),
        ("bold_sd", m.normalization.bold_sd),
    ):
        _require(
            len(values) == m.n_bold,
            f"normalization, {key} has {len(values)} values for {m.n_bold} bold_regions.",
        )
    _require(min(m.normalization.bold_sd, default=1.0) > 0, "every bold_sd must be above 0.")


def _check_regions(m: Manifest) -> None:
    if m.parcellation is None:
        _require(not m.tasks, "a bundle with tasks needs a parcellation, found null.")
        return
    labels = set(m.parcellation.labels)
    n_edges = len(labels) * (len(labels) - 1) // 2
    _require(
        m.n_edges == n_edges,
        f"n_edges is {m.n_edges}, but {len(labels)} regions make {n_edges}.",
    )
    named = {"bold_regions": m.bold_regions, **m.parcellation.structures}
    for key, regions in named.items():
        unknown = [label for label in regions if label not in labels]
        _require(
            not unknown,
            f"{shown(key)[1:-1]} names {listed_names(unknown)}, which the parcellation does not "
            "have.",
        )


def _check_tasks(m: Manifest) -> None:
    for name in m.tasks:
        if name not in TASKS:
            raise BundleError(
                f"{MANIFEST_FILE}: task {shown(name)} is not known to this dtb-runtime (it knows "
                f"{', '.join(TASKS)}). Update dtb-runtime."
            )
        n_options = len(TASKS[name].options)
        _require(
            m.n_actions >= n_options,
            f"task {name!r} needs {n_options} actions, found {m.n_actions}.",
        )
    if m.tasks:
        _require(
            m.n_inputs == N_INPUTS and m.dt_s == DT_S and m.tr_s == TR_S,
            f"tasks need n_inputs {N_INPUTS}, dt_s {DT_S} and tr_s {TR_S}, "
            f"found {m.n_inputs}, {m.dt_s} and {m.tr_s}.",
        )
        _require(
            math.isclose(m.bold_stride * m.dt_s, m.tr_s),
            f"bold_stride {m.bold_stride} x dt_s {m.dt_s} s is not tr_s {m.tr_s} s.",
        )


def _check_training(m: Manifest) -> None:
    _require(
        m.training.kind == "real" or m.training.warning is not None,
        f"training kind is {m.training.kind!r}, so training must hold the warning that every "
        "output carries, but it is null.",
    )


def _check_files(m: Manifest) -> None:
    expected = {spec.file for spec in m.graphs.values()} | {NORMS_FILE, MODEL_CARD_FILE}
    _require(
        set(m.files) == expected,
        f"files must list exactly {', '.join(sorted(expected))}, "
        f"found {listed_names(sorted(m.files))}.",
    )
    for name, entry in m.files.items():
        _require(
            _SHA256.fullmatch(entry.sha256) is not None,
            f"files, {name}: sha256 must be 64 lower-case hex digits.",
        )
    total = sum(entry.size for entry in m.files.values())
    _require(
        total <= MAX_BUNDLE_BYTES,
        f"the files are {total / 1e6:.0f} MB, more than the limit of "
        f"{MAX_BUNDLE_BYTES / 1e6:.0f} MB.",
    )
