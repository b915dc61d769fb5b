"""How networks are trained, as options that `train` and `evaluate` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from dtb_models.checkpoint import Checkpoint
    from dtb_models.cohorts import Cohort
    from dtb_models.config import NetworkConfig
    from dtb_models.population_settings import PopulationSettings
    from dtb_models.settings import TrainingSettings
    from dtb_runtime.parcellation import Parcellation


class Preset(StrEnum):
    """Which family of networks."""

    COMPACT = "compact"
    PAPER = "paper"


class Loss(StrEnum):
    """How action outputs are read, which decides the form of their loss."""

    HAZARD = "hazard"
    DENSITY = "density"


PresetOption = Annotated[Preset, typer.Option("--preset", help="Family of networks.")]
LossOption = Annotated[
    Loss | None,
    typer.Option(
        "--loss",
        show_default=False,
        help="hazard: steps after a press do not count (default of compact); density: the "
        "paper's unmasked form (default of paper).",
    ),
]
HiddenSizeOption = Annotated[
    int | None,
    typer.Option(
        "--hidden-size", min=1, show_default=False, help="Paper: units of the main network."
    ),
]
PersonalUnitsOption = Annotated[
    int | None,
    typer.Option(
        "--personal-units",
        min=1,
        show_default=False,
        help="Compact: units whose weights differ between people.",
    ),
]
LatentSizeOption = Annotated[
    int | None,
    typer.Option(
        "--latent-size", min=1, show_default=False, help="Compact: numbers of the latent."
    ),
]
BoldRegionsOption = Annotated[
    str | None,
    typer.Option(
        "--bold-regions",
        metavar="LABEL,LABEL,...",
        show_default=False,
        help="BOLD outputs; default: every region (compact), the paper's areas (paper).",
    ),
]
UpdatesOption = Annotated[
    int | None,
    typer.Option(
        "--updates", min=1, show_default=False, help="Compact: updates of the population fit."
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", min=1, show_default=False, help="Paper: epochs, at most."),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option("--batch-size", min=1, show_default=False, help="Paper: people per batch."),
]
LearningRateOption = Annotated[
    float | None,
    typer.Option("--learning-rate", show_default=False, help="First learning rate."),
]
PatienceOption = Annotated[
    int | None,
    typer.Option(
        "--patience",
        min=1,
        show_default=False,
        help="Paper: epochs without a better validation loss to wait for.",
    ),
]

OnProgress: TypeAlias = Callable[[int, int, str], bool | None]


@dataclass(frozen=True, slots=True)
class TrainingChoice:
    """What the command line says of a training; may be sent to another process."""

    preset: Preset
    loss: Loss | None
    hidden_size: int | None
    personal_units: int | None
    latent_size: int | None
    bold_regions: str | None
    updates: int | None
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    patience: int | None
    seed: int
    device: str
    reuse: Path | None = None
    """State of a finished population fit, whose network and settings are taken."""

    @property
    def learns_from_trials(self) -> bool:
        """Whether twins of such a network can be calibrated."""
        return self.preset is Preset.COMPACT and self.loss is not Loss.DENSITY

    def check(self, **others: float | None) -> None:
        """Refuse options that the preset would not listen to.

        Parameters
        ----------
        **others
            Further options of the compact preset, by name.

        Raises
        ------
        UsageError
        """
        from dtb_runtime.errors import UsageError

        if self.preset is Preset.COMPACT:
            names = ("epochs", "batch_size", "patience")
            unused = {name: getattr(self, name) for name in names}
        else:
            unused = {"updates": self.updates, **others}
        given = [
            f"--{name.replace('_', '-')}" for name, value in unused.items() if value is not None
        ]
        if given:
            raise UsageError(
                f"The {self.preset.value} preset has no {' and no '.join(given)}. Leave "
                f"{'it' if len(given) == 1 else 'them'} out, or choose the other preset."
            )

    def network(self, parcellation: Parcellation) -> tuple[NetworkConfig, tuple[str, ...]]:
        """Return the network, and the labels of its BOLD outputs."""
        from dtb_models.training import preset_config

        if self.reuse is not None:
            return _reused(self.reuse)[0], parcellation.labels
        config, labels = preset_config(
            self.preset.value,
            parcellation,
            bold_regions=None if self.bold_regions is None else self.bold_regions.split(","),
            hidden_size=self.hidden_size,
            personal_units=self.personal_units,
            latent_size=self.latent_size,
        )
        if self.loss is not None:
            config = replace(config, action_reading=self.loss.value)
        return config, labels

    def settings(
        self, config: NetworkConfig, held_out: float | None
    ) -> PopulationSettings | TrainingSettings:
        """Return how it is trained.

        Parameters
        ----------
        config : NetworkConfig
        held_out : float, optional
            Share of the people held out to be measured; default: that of the preset.
        """
        if self.reuse is not None:
            return _reused(self.reuse)[1]
        if self.preset is Preset.COMPACT:
            return self._population_settings(config, held_out)
        return self._training_settings(config, held_out)

    def _population_settings(
        self, config: NetworkConfig, held_out: float | None
    ) -> PopulationSettings:
        from dtb_models.population_settings import PopulationSettings

        settings = PopulationSettings(masked=config.action_reading == "hazard", seed=self.seed)
        if self.updates is not None:
            settings = replace(settings, updates=self.updates)
        if held_out is not None:
            settings = replace(settings, held_out_fraction=held_out)
        if self.learning_rate is not None:
            ratio = settings.final_learning_rate / settings.learning_rate
            settings = replace(
                settings,
                learning_rate=self.learning_rate,
                final_learning_rate=self.learning_rate * ratio,
            )
        return settings

    def _training_settings(self, config: NetworkConfig, held_out: float | None) -> TrainingSettings:
        from dtb_models.settings import paper_settings

        settings = paper_settings(seed=self.seed, masked=config.action_reading == "hazard")
        if held_out is not None:
            validation = settings.validation_fraction
            settings = replace(settings, train_fraction=1 - held_out - validation)
        if self.learning_rate is not None:
            ratio = settings.final_learning_rate / settings.learning_rate
            settings = replace(
                settings,
                learning_rate=self.learning_rate,
                final_learning_rate=self.learning_rate * ratio,
            )
        return replace(
            settings,
            epochs=self.epochs or settings.epochs,
            batch_size=self.batch_size or settings.batch_size,
            patience=self.patience or settings.patience,
        )

    def n_steps(self, settings: PopulationSettings | TrainingSettings) -> int:
        """Return how many steps its progress counts."""
        from dtb_models.population_settings import PopulationSettings

        if isinstance(settings, PopulationSettings):
            return settings.updates + settings.slow_epochs
        return settings.epochs

    def train(
        self,
        cohort: Cohort,
        parcellation: Parcellation,
        folder: Path,
        name: str,
        *,
        held_out: float | None,
        resume: bool,
        on_progress: OnProgress | None,
    ) -> Checkpoint:
        """Train a network and write its checkpoint."""
        from dtb_models.training import train as train_network

        config, labels = self.network(parcellation)
        return train_network(
            cohort,
            folder,
            name=name,
            preset=self.preset.value,
            config=config,
            bold_regions=labels,
            settings=self.settings(config, held_out),
            resume=resume,
            device=self.device,
            on_progress=on_progress,
        )


def _reused(state: Path) -> tuple[NetworkConfig, PopulationSettings]:
    """Return network and settings of the training that is gone on from."""
    from dtb_models.config import NetworkConfig
    from dtb_models.population_settings import PopulationSettings
    from dtb_models.state_file import read_identity

    identity = read_identity(state)
    return (
        NetworkConfig.from_json(identity["config"]),
        PopulationSettings.from_json(identity["settings"]),
    )
