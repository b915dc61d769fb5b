"""Variants of the networks' settings, and how one is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dtb_export.bundle_writer import export_bundle
from dtb_models.bold_regions import paper_bold_regions
from dtb_models.checkpoint import JSON_FILE
from dtb_models.cohorts import Cohort
from dtb_models.config import compact_config, paper_config
from dtb_models.direct_input import direct_settings, train_direct_input
from dtb_models.population_settings import PopulationSettings
from dtb_models.settings import TrainingSettings, paper_settings
from dtb_models.training import train
from dtb_runtime.parcellation import Parcellation

CHECKPOINT, BUNDLE, MINUTES_FILE = "checkpoint", "bundle", "minutes.txt"
NEVER = 1_000_000_000
PAPER_HIDDEN, PAPER_HYPERNETWORK, PAPER_RATE = 64, (64, 64), 1e-3
"""A size of the paper's network, and a rate, that learn on two processors within minutes."""
VALIDATION_SHARE = 0.15
_Tell = Callable[[int, int, str], bool | None]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to make networks."""

    name: str
    meaning: str
    """What it is, for tables."""
    preset: str = "compact"
    config: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the compact network."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the compact training."""

    @property
    def learns(self) -> bool:
        """Whether its twins can learn from trials."""
        return self.preset == "compact" and "action_reading" not in self.config


@dataclass(frozen=True, slots=True)
class Length:
    """How long variants are trained."""

    updates: int = 1000
    """Of the compact preset."""
    paper_epochs: int = 20
    direct_epochs: int = 60


def _latents(of_actions: int, of_bold: int = 6) -> dict[str, int]:
    return {"latent_size": of_actions + of_bold, "bold_latents": of_bold}


VARIANTS = (
    Variant("base", "the compact preset as it is, trained shorter"),
    Variant("latents_4", "4 latents of actions instead of 6", config=_latents(4)),
    Variant("latents_8", "8 latents of actions", config=_latents(8)),
    Variant("latents_12", "12 latents of actions", config=_latents(12)),
    Variant("personal_24", "24 personal units instead of 40", config={"personal_units": 24}),
    Variant("personal_64", "64 personal units", config={"personal_units": 64}),
    Variant("no_clocks", "no units that tell the time", config={"clock_units": 0}),
    Variant("no_imagined", "no imagined people in training", settings={"imagined_share": 0.0}),
    Variant("no_whitening", "latents whitened at the end only", settings={"whiten_every": NEVER}),
    Variant("no_decay", "no weight decay of directions", settings={"direction_decay": 0.0}),
    Variant(
        "density",
        "the paper's unmasked likelihood of presses; cannot learn from trials",
        config={"action_reading": "density"},
        settings={"masked": False},
    ),
    Variant(
        "paper",
        f"the paper's network, {PAPER_HIDDEN} units and a hypernetwork of 64-64, end to end",
        preset="paper",
    ),
    Variant(
        "direct_input",
        "the paper's control: one network for all, the connectome as input",
        preset="direct",
    ),
)
"""Every variant; differences are taken from the first."""


def train_variant(
    variant: Variant,
    cohort: Cohort,
    parcellation: Parcellation,
    folder: Path,
    length: Length,
    *,
    seed: int,
    on_progress: _Tell | None = None,
) -> float:
    """Train a variant, unless that is done, and return how many minutes it took.

    Parameters
    ----------
    variant : Variant
    cohort : Cohort
        The people to train on.
    parcellation : Parcellation
    folder : Path
        For checkpoint and bundle; direct input has no bundle.
    length : Length
    seed : int
    on_progress : callable, optional
    """
    noted, checkpoint = folder / MINUTES_FILE, folder / CHECKPOINT
    if noted.is_file():
        return float(noted.read_text(encoding="utf-8"))
    begin = time.monotonic()
    if variant.preset == "direct":
        settings = direct_settings(epochs=length.direct_epochs, seed=seed)
        train_direct_input(cohort, checkpoint, settings, resume=True, on_progress=on_progress)
    elif not (checkpoint / JSON_FILE).exists():
        _train(variant, cohort, parcellation, checkpoint, length, seed, on_progress)
    minutes = (time.monotonic() - begin) / 60
    if variant.preset != "direct":
        export_bundle(checkpoint, folder / BUNDLE, force=True)
    folder.mkdir(parents=True, exist_ok=True)
    noted.write_text(f"{minutes:.3f}\n", encoding="utf-8")
    return minutes


def _train(
    variant: Variant,
    cohort: Cohort,
    parcellation: Parcellation,
    folder: Path,
    length: Length,
    seed: int,
    on_progress: _Tell | None,
) -> None:
    labels = paper_bold_regions(parcellation)
    n_regions = parcellation.n_regions
    n_edges = n_regions * (n_regions - 1) // 2
    settings: TrainingSettings | PopulationSettings
    if variant.preset == "paper":
        config = paper_config(
            n_edges,
            len(labels),
            hidden_size=PAPER_HIDDEN,
            hypernetwork_sizes=PAPER_HYPERNETWORK,
        )
        settings = replace(
            paper_settings(epochs=length.paper_epochs, seed=seed),
            learning_rate=PAPER_RATE,
            final_learning_rate=PAPER_RATE,
            train_fraction=1 - VALIDATION_SHARE,
            validation_fraction=VALIDATION_SHARE,
        )
    else:
        config = compact_config(n_edges, len(labels), **variant.config)
        settings = PopulationSettings(
            **{"updates": length.updates, "held_out_fraction": 0.0, "seed": seed}
            | dict(variant.settings)
        )
    train(
        cohort,
        folder,
        name=variant.name,
        preset="paper" if variant.preset == "paper" else "compact",
        config=config,
        bold_regions=labels,
        settings=settings,
        resume=True,
        device="cpu",
        on_progress=on_progress,
    )
