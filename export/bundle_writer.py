"""From a checkpoint to a bundle folder: all of it, checked, or nothing."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from dtb_models.checkpoint import Checkpoint, load_checkpoint
from dtb_runtime import load_bundle
from dtb_runtime.bundle_layout import MANIFEST_FILE, MODEL_CARD_FILE, NORMS_FILE, graphs_of
from dtb_runtime.errors import CheckpointError, OutputError
from dtb_runtime.inference import import_onnxruntime
from dtb_runtime.manifest import Manifest
from dtb_runtime.manifest_sections import FileEntry, Normalization, Training
from dtb_runtime.tasks import DT_S

from .contract import check_graphs
from .evaluation_figures import read_all_figures
from .model_card import model_card
from .network_graphs import network_graphs
from .parity import check_parity

_BUNDLE_FILES = frozenset(
    {MANIFEST_FILE, MODEL_CARD_FILE, NORMS_FILE}
    | {spec.file for latent_size in (0, 1) for spec in graphs_of(latent_size).values()}
)


def export_bundle(
    checkpoint: Checkpoint | Path | str,
    out_dir: Path | str,
    *,
    name: str | None = None,
    figures: Sequence[Path] = (),
    force: bool = False,
) -> Path:
    """Write the bundle of a checkpoint.

    Parameters
    ----------
    checkpoint : Checkpoint, Path or str
        Or the folder of one.
    out_dir : Path or str
        The bundle's folder, made by this call.
    name : str, optional
        Name of the bundle, by default the checkpoint's.
    figures : sequence of Path
        ``metrics.json`` of evaluations whose figures the bundle is to carry, each of another kind.
    force : bool
        Replace a bundle that is there; a folder that holds anything else is never replaced.

    Returns
    -------
    Path
        The folder. The same checkpoint, exported with the same library versions, gives the same
        bytes.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be read.
    BundleError
        If PyTorch and ONNX Runtime disagree, or the graphs break the contract. Nothing is left
        behind then.
    DataError
        If a file of `figures` is none, judges people whom its bundle may know, or is of the same
        kind as another.
    OutputError
        If the folder exists already or cannot be written.
    """
    target = Path(out_dir)
    check_target(target, force=force)
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = load_checkpoint(checkpoint)
    measured = {**checkpoint.measured, **read_all_figures(figures)}
    checkpoint = replace(checkpoint, measured=measured)
    contents = bundle_contents(checkpoint, name=name)
    try:
        with _staging(target) as staging:
            fresh = staging / "bundle"
            fresh.mkdir()
            for file, data in contents.items():
                (fresh / file).write_bytes(data)
            # The last check is the first thing every user does.
            load_bundle(fresh, device="cpu")
            _put_in_place(fresh, target, staging / "replaced")
    except OSError as error:
        raise OutputError(
            f"The bundle cannot be written to {target}: {error.strerror or error}. "
            "Choose a folder you can write to."
        ) from error
    return target


def bundle_contents(checkpoint: Checkpoint, *, name: str | None = None) -> dict[str, bytes]:
    """Return a bundle's files by name, after contract and parity were checked.

    Raises
    ------
    BundleError
        See `export_bundle`.
    """
    graphs = network_graphs(checkpoint.network)
    manifest = bundle_manifest(checkpoint, graphs, name=name)
    check_graphs(graphs, manifest)
    check_parity(checkpoint.network, graphs, manifest)
    contents = {manifest.graphs[role].file: data for role, data in graphs.items()}
    contents[NORMS_FILE] = norms_bytes(checkpoint.norms)
    contents[MODEL_CARD_FILE] = model_card(manifest).encode("utf-8")
    manifest = replace(manifest, files={f: _entry(data) for f, data in contents.items()})
    return contents | {MANIFEST_FILE: manifest.to_bytes()}


def norms_bytes(norms: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of norms.npz: arrays in order of their names, no pickle, no dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(norms):
            # A ZipInfo of its own is dated 1980; by name, zipfile would stamp the time of day.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as file:
                np.lib.format.write_array(file, np.asarray(norms[name]), allow_pickle=False)
    return buffer.getvalue()


def check_target(target: Path, *, force: bool) -> None:
    """Refuse a place where a bundle cannot go, before any work is done.

    Raises
    ------
    OutputError
        If something is there and `force` is not set, or it is no bundle.
    """
    if not os.path.lexists(target):
        return
    if not target.is_dir() or target.is_symlink():
        raise OutputError(f"A bundle is a folder, but {target} is a file. Choose another place.")
    found = {path.name for path in target.iterdir()}
    if not found:
        return
    if not force:
        raise OutputError(
            f"{target} exists already and is not overwritten. Pass --force (force=True) to "
            "replace it, or choose another place."
        )
    strangers = sorted(found - _BUNDLE_FILES)
    if strangers or MANIFEST_FILE not in found:
        holds = f"it holds {strangers[0]}" if strangers else f"it lacks {MANIFEST_FILE}"
        raise OutputError(
            f"{target} is not only a bundle ({holds}), so it is not replaced as a whole. "
            "Choose another place."
        )


def bundle_manifest(
    checkpoint: Checkpoint, graphs: Mapping[str, bytes], *, name: str | None = None
) -> Manifest:
    """Return the manifest of a bundle to be.

    Norms and model card are not written yet: their digests in it are those of empty files.
    """
    config = checkpoint.config
    n_files = {f"{role}.onnx": _entry(data) for role, data in graphs.items()}
    return Manifest(
        name=checkpoint.name if name is None else name,
        preset=config.preset,
        created_with=_versions(),
        parcellation=checkpoint.parcellation,
        n_edges=config.n_edges,
        n_weights=config.n_weights,
        latent_size=config.latent_size,
        hidden_size=config.hidden_size,
        n_inputs=config.n_inputs,
        actions=tuple(f"action_{i}" for i in range(config.n_actions)),
        bold_regions=checkpoint.bold_regions,
        bold_stride=config.bold_stride,
        dt_s=DT_S,
        tr_s=round(config.bold_stride * DT_S, 6),
        action_reading=config.action_reading,
        tasks=checkpoint.tasks,
        normalization=Normalization(
            bold_mean=tuple(float(v) for v in checkpoint.bold_mean),
            bold_sd=tuple(float(v) for v in checkpoint.bold_sd),
        ),
        training=_training(checkpoint.training),
        measured=checkpoint.measured,
        files=n_files | {NORMS_FILE: _entry(b""), MODEL_CARD_FILE: _entry(b"")},
    )


def _training(facts: Mapping[str, Any]) -> Training:
    participants = facts.get("participants")
    known = {} if participants is None else {"participants": tuple(participants)}
    try:
        return Training(**{**facts, **known})
    except TypeError as error:
        raise CheckpointError(
            "The checkpoint's training facts must be those of a bundle's manifest: "
            f"{error}. Train again with this release."
        ) from error


def _versions() -> dict[str, str]:
    return {
        "dtb-runtime": metadata.version("dtb-runtime"),
        "numpy": np.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": str(import_onnxruntime().__version__),
        "torch": torch.__version__,
    }


def _entry(data: bytes) -> FileEntry:
    return FileEntry(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """Make a folder beside the target, on its file system; remove it in the end.

    Folders that had to be made above the target are removed again if the export fails.
    """
    missing = [p for p in (target.parent, *target.parent.parents) if not p.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as staging:
            yield Path(staging)
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # another process has put something into it
                folder.rmdir()
        raise


def _put_in_place(fresh: Path, target: Path, replaced: Path) -> None:
    """Move the new bundle into place; the old one goes with the staging folder."""
    if target.exists():
        target.rename(replaced)
    try:
        fresh.rename(target)
    except BaseException:
        if replaced.exists():
            replaced.rename(target)
        raise
