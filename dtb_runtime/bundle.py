"""A bundle: everything that turns connectomes into twins and twins into forecasts."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .bundle_files import read_bundle_files, read_manifest
from .bundle_layout import MANIFEST_FILE, MODEL_CARD_FILE, NORMS_FILE
from .connectome import Connectome
from .errors import BundleError, DataError, UsageError
from .inference import Device, OrtGraph, check_device
from .manifest import Manifest
from .norms import Norms, read_norms
from .twin import NO_CONNECTOME, Twin, checked_participant_id, why_no_prior

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


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A loaded and verified bundle. Immutable; may be used from several threads at once.

    Made by `load_bundle`.
    """

    manifest: Manifest
    digest: str
    """SHA-256 of the manifest: two bundles with one digest are the same."""
    provider: str
    """Execution provider that runs it, e.g. ``"CPUExecutionProvider"``."""
    norms: Norms
    """Distributions over the people it was trained on."""
    model_card: str
    """What it was trained on and how good it is, as Markdown."""
    _hypernetwork: OrtGraph
    _decoder: OrtGraph | None
    _main: OrtGraph

    @property
    def name(self) -> str:
        """Name in the manifest."""
        return self.manifest.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that everything made with this bundle carries."""
        return self.manifest.warnings

    def __repr__(self) -> str:
        return f"Bundle({self.name!r}, digest={self.digest[:12]!r}, provider={self.provider!r})"

    def personalize(
        self, connectome: Connectome | ArrayLike, *, participant_id: str | None = None
    ) -> Twin:
        """Make the twin of one person.

        Parameters
        ----------
        connectome : Connectome, or array_like of shape (n_regions, n_regions)
            Correlations r, symmetric, with diagonal 1. A labeled `Connectome` is put into the
            order of the bundle's parcellation; an array must be in that order.
        participant_id : str, optional
            BIDS label of the person, with or without ``sub-``.

        Raises
        ------
        ConnectomeError
            It is no connectome, or one of another parcellation.
        UsageError
            This bundle does not take connectomes, or `participant_id` is no BIDS label.
        """
        parcellation = self.manifest.parcellation
        if parcellation is None:
            raise UsageError(
                f"Bundle {self.name!r} was not trained on connectomes. Give it its own kind of "
                f"edges, {self.manifest.n_edges} numbers a person: personalize_edges."
            )
        if not isinstance(connectome, Connectome):
            connectome = Connectome.from_matrix(connectome)
        aligned = connectome.aligned(parcellation.labels, parcellation.name)
        return self._twins(
            aligned.edges()[np.newaxis],
            [checked_participant_id(participant_id)],
            notes=connectome.notes,
            connectome_digest=aligned.digest(),
        )[0]

    def personalize_edges(
        self, edges: ArrayLike, *, participant_ids: Sequence[str | None] | None = None
    ) -> list[Twin]:
        """Make the twins of several people at once, from edges instead of connectomes.

        Parameters
        ----------
        edges : array_like, shape (people, n_edges)
            Hypernetwork inputs; for a bundle with a parcellation the Fisher z of the upper
            triangle, row by row.
        participant_ids : sequence of str, optional
            One BIDS label a person.

        Raises
        ------
        DataError
            Another shape, or a value that is not finite.
        UsageError
            Another number of participant ids than people, or one that is no BIDS label.
        """
        given = np.asarray(edges)
        if given.dtype.kind not in "fiub" or np.ma.is_masked(edges):
            found = "masked values" if np.ma.is_masked(edges) else f"type {given.dtype}"
            raise DataError(f"Edges must be real numbers, found {found}.")
        values = np.ascontiguousarray(given, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != self.manifest.n_edges:
            raise DataError(
                f"Bundle {self.name!r} needs edges of shape (people, {self.manifest.n_edges}), "
                f"found {values.shape}."
            )
        if not np.isfinite(values).all():
            person, edge = np.argwhere(~np.isfinite(values))[0]
            raise DataError(
                f"Edges must be finite, but edge {edge} of person {person} is "
                f"{values[person, edge]} (counted from 0)."
            )
        ids = [None] * len(values) if participant_ids is None else participant_ids
        if len(ids) != len(values):
            raise UsageError(f"There are {len(values)} people but {len(ids)} participant ids.")
        if not len(values):
            return []
        return self._twins(values, [checked_participant_id(name) for name in ids])

    def population_twin(self, *, participant_id: str | None = None) -> Twin:
        """Make the twin of a person whose connectome is not known.

        Its latent is the population's mean, its uncertainty that of drawing anybody. Calibrate it
        with the person's own trials: `Twin.calibrate`.

        Parameters
        ----------
        participant_id : str, optional
            BIDS label of the person, with or without ``sub-``.

        Raises
        ------
        UsageError
            This bundle does not say how people's latents are distributed, or `participant_id` is
            no BIDS label.
        """
        prior = self.norms.prior
        if prior is None:
            raise UsageError(f"{why_no_prior(self)} So it needs a connectome.")
        latent = prior.population.mean.astype(np.float32)
        return Twin(
            bundle=self,
            latent=latent,
            weights=self.decode(latent),
            participant_id=checked_participant_id(participant_id),
            strangeness=None,
            notes=(NO_CONNECTOME,),
            prior=prior.population,
        )

    def load_twin(self, path: str | Path) -> Twin:
        """Read a twin that `Twin.save` wrote.

        Raises
        ------
        TwinError
            The file is missing or damaged, or the twin belongs to another bundle.
        """
        from .twin_file import read_twin  # late: most programs have no saved twins

        return read_twin(Path(path), self)

    def decode(self, latent: NDArray[np.float32]) -> NDArray[np.float32]:
        """Main-network weights of one latent, or of several at once.

        Parameters
        ----------
        latent : numpy.ndarray, shape (latent_size,) or (people, latent_size), float32

        Returns
        -------
        numpy.ndarray, shape (n_weights,) or (people, n_weights), float32
            Several at once may differ from one at a time in the last digit.

        Raises
        ------
        UsageError
            This bundle has no latent.
        """
        if self._decoder is None:
            raise UsageError(f"Bundle {self.name!r} has no latent, so there is nothing to decode.")
        (weights,) = self._decoder.run(np.atleast_2d(latent))
        return weights if latent.ndim == 2 else weights.reshape(-1)

    def run_main(
        self,
        weights: NDArray[np.float32],
        stimulus: NDArray[np.float32],
        state: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Run the main networks of one or several people over one stimulus.

        Parameters
        ----------
        weights : numpy.ndarray, shape (n_weights,) or (people, n_weights)
            `Twin.weights`, or several people's.
        stimulus : numpy.ndarray, shape (n_steps, n_inputs)
            Already delayed by one step (`stimulus.network_input`), at least one step.
        state : numpy.ndarray, shape (hidden_size,) or (people, hidden_size), optional
            Hidden state before the first step, zeros by default.

        Returns
        -------
        actions : numpy.ndarray, shape (n_steps, n_actions)
            In [0, 1].
        bold : numpy.ndarray, shape (ceil(n_steps / bold_stride), n_bold)
            At steps 0, bold_stride, ...; in SDs of the training data.
        state : numpy.ndarray, shape (hidden_size,)
            After the last step: run on from here with the next part of the stimulus.

            Of several people, all three have people along another axis before these. Together or
            alone, a person's numbers are the same to the last digit; `inference.PEOPLE_PER_CALL` at
            a time are fastest.

        Raises
        ------
        DataError
            Another shape.
        BundleError
            The graph gives another shape, or numbers that are not finite.
        """
        manifest = self.manifest
        lead = (max(len(weights), 1),) if np.ndim(weights) == 2 else ()
        if state is None:
            state = np.zeros((*lead, manifest.hidden_size), dtype=np.float32)
        arrays = []
        for name, array, shape in (
            ("weights", weights, (*lead, manifest.n_weights)),
            ("stimulus", stimulus, (max(len(stimulus), 1), manifest.n_inputs)),
            ("state", state, (*lead, manifest.hidden_size)),
        ):
            arrays.append(np.ascontiguousarray(array, dtype=np.float32))
            if arrays[-1].shape != shape:
                raise DataError(
                    f"{name} must have shape {shape} for bundle {self.name!r}, "
                    f"found {np.shape(array)}."
                )
        people = lead or (1,)
        own_weights, own_stimulus, own_state = arrays
        actions, bold, final_state = self._main.run(
            own_weights.reshape(*people, -1), own_stimulus, own_state.reshape(*people, -1)
        )
        n_steps = len(own_stimulus)
        n_frames = -(-n_steps // manifest.bold_stride)
        for name, array, shape in (
            ("actions", actions, (*people, n_steps, manifest.n_actions)),
            ("bold", bold, (*people, n_frames, manifest.n_bold)),
            ("final_state", final_state, (*people, manifest.hidden_size)),
        ):
            if array.shape != shape:
                raise BundleError(
                    f"main.onnx of bundle {self.name!r} gave {name} of shape {array.shape}, "
                    f"expected {shape}. Export the bundle again."
                )
            self._check_finite("main.onnx", name, array)
        if lead:
            return actions, bold, final_state
        return actions[0], bold[0], final_state[0]

    def _check_finite(self, file: str, name: str, array: NDArray[np.float32]) -> None:
        if not np.isfinite(array).all():
            raise BundleError(
                f"{file} of bundle {self.name!r} gave {name} that are not finite, so there is no "
                "forecast. Export the bundle again, or check where it came from."
            )

    def _twins(
        self,
        edges: NDArray[np.float32],
        participant_ids: Sequence[str | None],
        *,
        notes: tuple[str, ...] = (),
        connectome_digest: str | None = None,
    ) -> list[Twin]:
        latents: list[NDArray[np.float32] | None] = [None] * len(edges)
        if self._decoder is None:
            (weights,) = self._hypernetwork.run(edges)
        else:
            # The weights come from the decoder graph although the hypernetwork gives them too: a
            # saved twin is a latent, and loading it must give the same numbers to the last digit.
            codes = self._hypernetwork.run(edges)[0]
            latents = list(codes)
            self._check_finite("hypernetwork.onnx", "latents", codes)
            weights = np.stack([self.decode(code) for code in codes])
        self._check_finite("the hypernetwork", "weights", weights)
        prior = self.norms.prior
        return [
            Twin(
                bundle=self,
                latent=latent,
                weights=own,
                participant_id=participant_id,
                strangeness=self.norms.strangeness(row, latent),
                connectome_digest=connectome_digest,
                notes=notes,
                prior=None if prior is None or latent is None else prior.around(latent),
            )
            for row, latent, own, participant_id in zip(
                edges, latents, weights, participant_ids, strict=True
            )
        ]


def load_bundle(
    name_or_path: str | Path = DEFAULT_BUNDLE, *, device: Device = "auto", threads: int = 1
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
    threads : int
        Threads inside one call. To forecast many people, call from several threads instead.

    Raises
    ------
    UsageError
        There is no such bundle, or no such device.
    BundleError
        The bundle is incomplete, changed, unsafe or of another version.
    MissingDependencyError
        ONNX Runtime is not installed, or CUDA was asked for and cannot be used.
    """
    check_device(device, threads)
    files = read_bundle_files(_find(name_or_path))
    manifest, contents = files.manifest, files.contents
    graphs = {
        role: OrtGraph(
            contents[spec.file], spec, manifest.axis_lengths, device=device, threads=threads
        )
        for role, spec in manifest.graphs.items()
    }
    try:
        model_card = contents[MODEL_CARD_FILE].decode()
    except UnicodeDecodeError as cause:
        raise BundleError(f"{files.folder / MODEL_CARD_FILE} is not UTF-8 text.") from cause
    return Bundle(
        manifest=manifest,
        digest=files.digest,
        provider=graphs["main"].provider,
        norms=read_norms(contents[NORMS_FILE], manifest),
        model_card=model_card,
        _hypernetwork=graphs["hypernetwork"],
        _decoder=graphs.get("decoder"),
        _main=graphs["main"],
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


def _find(name_or_path: str | Path) -> Path:
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
