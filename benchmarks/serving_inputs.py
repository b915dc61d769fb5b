"""What the service is measured with: sizes, people, and requests as bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.processors import n_usable

SEED = 20261201
INFER = "/v2/models/twin/infer"
OUTPUTS = ("indicators", "strangeness")
"""What a row of `dtb-run score` holds."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    name: str
    """``full`` or ``quick``."""
    clients: tuple[int, ...]
    load_s: float
    """For which each number of clients asks."""
    rounds: int
    """Of requests and calls of the Python API, in turn."""
    least_s: float
    """How long each lasts in a round, at least."""
    score_people: tuple[int, int]
    """Of two cohorts; what the second takes longer is the time of its further people."""
    sustained_s: float
    sustained_clients: int
    before_kill_s: float
    """For which clients ask before something is ended."""
    repeats: int
    """Of each hostile request."""
    body_s: float
    """The service's limit for bodies that come slowly, in that section."""
    generated: int
    """Requests that schemathesis makes up, at least."""


FULL = Sizes(
    name="full",
    clients=(1, 8, 64),
    load_s=20.0,
    rounds=15,
    least_s=0.5,
    score_people=(256, 2048),
    sustained_s=300.0,
    sustained_clients=64,
    before_kill_s=5.0,
    repeats=20,
    body_s=5.0,
    generated=10_000,
)
QUICK = Sizes(
    name="quick",
    clients=(1, 4),
    load_s=0.3,
    rounds=2,
    least_s=0.0,
    score_people=(2, 4),
    sustained_s=0.5,
    sustained_clients=4,
    before_kill_s=0.5,
    repeats=1,
    body_s=0.5,
    generated=20,
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one person's indicators; written anew for each person at some places."""

    body: bytes
    header_length: int | None
    """Of the JSON before binary tensors; None where all is JSON."""
    places: tuple[int, int]
    """Where in the body the connection of two regions stands, in both of its triangles."""

    def of(self, value: float) -> bytes:
        """The body with that connection, where it is binary."""
        body = bytearray(self.body)
        for place in self.places:
            struct.pack_into("<f", body, place, value)
        return bytes(body)

    def message(self, path: Path) -> dict[str, Any]:
        """What `serving_client.py` is told of it; the body is written to a file."""
        path.write_bytes(self.body)
        return {
            "path": INFER,
            "body": str(path),
            "header_length": self.header_length,
            "places": list(self.places),
        }


class Inputs:
    """Everything that sections are measured with.

    Parameters
    ----------
    sizes : Sizes
    bundle : str
        Name or folder.
    folder : pathlib.Path
        For files that are needed meanwhile.
    """

    def __init__(self, sizes: Sizes, bundle: str, folder: Path) -> None:
        self.sizes = sizes
        self.bundle = bundle
        self.folder = folder
        self.n_cores = n_usable()

    @cached_property
    def loaded(self) -> Bundle:
        """The bundle in this process, to run in one thread."""
        return load_bundle(self.bundle, device="cpu", threads=1)

    @cached_property
    def connectome(self) -> NDArray[np.float32]:
        """Somebody's: noise with factors, of the bundle's regions."""
        parcellation = self.loaded.manifest.parcellation
        if parcellation is None:
            raise SystemExit(f"Bundle {self.loaded.name!r} takes no connectomes. Take another one.")
        n_regions = len(parcellation.labels)
        rng = np.random.default_rng(SEED)
        series = rng.standard_normal((300, 10)) @ rng.standard_normal((10, n_regions))
        series += 2 * rng.standard_normal(series.shape)
        return np.corrcoef(series.T).astype(np.float32)

    def binary(self, outputs: Sequence[str] | None = OUTPUTS) -> Request:
        """A request with a binary tensor; without names of outputs, for all of them."""
        values = self.connectome.astype("<f4")
        n = len(values)
        parameters = {"binary_data_size": values.nbytes}
        head = self._head([n, n], outputs, binary=True, parameters=parameters)
        places = tuple(len(head) + 4 * place for place in (1, n))
        return Request(head + values.tobytes(), len(head), (places[0], places[1]))

    def json(self) -> Request:
        """The same in JSON."""
        n = len(self.connectome)
        cells = [f"{value:.6f}" for value in self.connectome.ravel()]
        cells[1] = cells[n] = "0.000000"
        empty = self._head([n, n], OUTPUTS, binary=False, data=[])
        before, _, after = empty.partition(b'"data": []')
        before += b'"data": ['
        places = []
        text = ",".join(cells).encode()
        for place in (1, n):
            places.append(len(before) + len(",".join(cells[:place])) + 1)
        body = before + text + b"]" + after
        return Request(body, None, (places[0], places[1]))

    def _head(
        self, shape: list[int], outputs: Sequence[str] | None, *, binary: bool, **tensor: Any
    ) -> bytes:
        connectome = {"name": "connectome", "datatype": "FP32", "shape": [1, *shape], **tensor}
        message: dict[str, Any] = {"inputs": [connectome]}
        message["parameters"] = {"binary_data_output": binary}
        if outputs is not None:
            message["outputs"] = [{"name": name} for name in outputs]
        return json.dumps(message).encode()
