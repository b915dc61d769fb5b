"""Bundles by name or folder: which ones ship, and how one is found, verified and loaded."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from .bundle import Bundle
from .bundle_files import read_bundle_files, read_manifest
from .bundle_graphs import BundleGraphs
from .bundle_layout import MANIFEST_FILE, MODEL_CARD_FILE, NORMS_FILE
from .errors import BundleError, UsageError
from .inference import Device, check_device
from .manifest import Manifest
from .norms_file import read_norms

DEFAULT_BUNDLE = "tcp434"
"""Name of the bundle to begin with."""
SHIPPED_BUNDLES = Path(__file__).parent / "bundles"
"""Folder of the bundles inside the installed package."""


@dataclass(frozen=True, slots=True)
class BundleInfo:
    """A shipped bundle, as its manifest describes it."""

    name: str
    folder: Path
    manifest: Manifest
    digest: str
    size: int
    """Bytes of all its files."""


def load_bundle(
    name_or_path: str | Path = DEFAULT_BUNDLE,
    *,
    device: Device = "auto",
    threads: int | None = None,
) -> Bundle:
    """Load and verify a bundle.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        Name of a shipped bundle (`available_bundles`), or a bundle folder. A text without a
        path separator that names a shipped bundle is always that one.
    device : {"auto", "cpu", "cuda"}
        Where the networks run. ``auto`` takes CUDA where the installed ONNX Runtime can use it,
        else the CPU; `Bundle.provider` says which.
    threads : int, optional
        Threads of the hypernetwork. By default as many as this process may use where it is large
        (the paper's: 215 MB), else one. The main network always runs in one: a step is too small
        to share. To forecast many people, call from several threads or processes instead.

    Raises
    ------
    UsageError
        There is no such bundle, or no such device.
    BundleError
        The bundle is incomplete, changed, unsafe or of another version.
    MissingDependencyError
        ONNX Runtime is not installed, or CUDA was asked for and cannot be used.
    """
    check_device(device, 1 if threads is None else threads)
    files = read_bundle_files(find_bundle(name_or_path))
    manifest, contents = files.manifest, files.contents
    graphs = BundleGraphs.open(manifest, contents, device=device, threads=threads)
    try:
        model_card = contents[MODEL_CARD_FILE].decode()
    except UnicodeDecodeError as cause:
        raise BundleError(f"{files.folder / MODEL_CARD_FILE} is not UTF-8 text.") from cause
    return Bundle(
        manifest=manifest,
        digest=files.digest,
        provider=graphs.provider,
        norms=read_norms(contents[NORMS_FILE], manifest),
        model_card=model_card,
        folder=files.folder.absolute(),
        _graphs=graphs,
    )


def available_bundles() -> tuple[BundleInfo, ...]:
    """Bundles inside the installed package, by name; reads their manifests only."""
    infos = []
    for name in _shipped_names():
        folder = SHIPPED_BUNDLES / name
        manifest, digest = read_manifest(folder)
        size = (folder / MANIFEST_FILE).stat().st_size
        size += sum(entry.size for entry in manifest.files.values())
        infos.append(BundleInfo(name, folder, manifest, digest, size))
    return tuple(infos)


def _shipped_names() -> list[str]:
    return sorted(path.parent.name for path in SHIPPED_BUNDLES.glob(f"*/{MANIFEST_FILE}"))


def find_bundle(name_or_path: str | Path) -> Path:
    names = _shipped_names()
    if name_or_path in names:
        return SHIPPED_BUNDLES / name_or_path
    folder = Path(name_or_path)
    try:
        is_there = folder.exists()
    except OSError as cause:  # a name too long, a folder without permission
        raise UsageError(f"{folder} cannot be read: {cause.strerror or cause}.") from cause
    if isinstance(name_or_path, Path) or is_there:
        return folder
    near = difflib.get_close_matches(name_or_path, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UsageError(
        f"There is no bundle {name_or_path!r}: it is neither a folder nor one of the shipped "
        f"bundles ({', '.join(names) or 'none'}).{hint}"
    )
