"""What interventions are measured on, how much of it, and where partial results are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dtb_models.simulation import SimulatedCohort
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import UsageError

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    name: str
    people: int
    """Held-out simulated people."""
    shams: int
    edges: int
    """Whose gradients are compared with central differences."""
    few: int
    """People of what takes long or varies little."""
    trial_people: int


FULL = Sizes("full", people=200, shams=100, edges=50, few=20, trial_people=228)
QUICK = Sizes("quick", people=2, shams=2, edges=2, few=1, trial_people=3)


@dataclass(frozen=True)
class Inputs:
    """One run of the measurements."""

    sizes: Sizes
    bundle: str
    """Name or folder of the bundle that simulated people are forecast with."""
    real_bundle: str
    """Of the bundle that real people's connectomes have the regions of."""
    runs: Path
    """Folder where finished people are kept, so that a killed run goes on."""

    @cached_property
    def loaded(self) -> Bundle:
        """The bundle."""
        return load_bundle(self.bundle, device="cpu", threads=1)

    @cached_property
    def cohort(self) -> SimulatedCohort:
        """People whom no training has seen, of the generator that the bundle learned from.

        Their connectomes' factors are those of its training (the same seed); how traits go with
        one another and with factors is the generator's own, not that of the real people whose
        behavior the bundle learned from.
        """
        parcellation = self.loaded.manifest.parcellation
        if parcellation is None:
            raise UsageError(f"Bundle {self.bundle} has no regions, so nobody can be simulated.")
        n_people = max(self.sizes.people, self.sizes.trial_people)
        return SimulatedCohort(parcellation, n_people, self.loaded.manifest.training.seed)

    def each(
        self, section: str, keys: Iterable[str], measure: Callable[[str], Row]
    ) -> Iterator[Row]:
        """Yield everybody's row; rows that an earlier run finished are not measured again.

        Parameters
        ----------
        section : str
        keys : iterable of str
            Who.
        measure : callable
        """
        name = f"{section}_{self.sizes.name}_{self.loaded.digest[:16]}.jsonl"
        path = self.runs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        known: dict[str, Row] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                    known[row["key"]] = row["row"]
                except ValueError:  # cut off by a kill
                    continue
        with path.open("a", encoding="utf-8") as file:
            for key in keys:
                if key not in known:
                    known[key] = measure(key)
                    file.write(json.dumps({"key": key, "row": known[key]}) + "\n")
                    file.flush()
                yield known[key]
