"""How the compact preset is trained: every number that changes the result, in one object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from dtb_runtime.errors import CheckpointError, UsageError
from dtb_runtime.tasks import STEPS_PER_TR


@dataclass(frozen=True, slots=True)
class PopulationSettings:
    """Settings of one training of the compact preset.

    The same settings and cohort give the same network.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    updates: int = 2000
    """Gradient steps of the population fit."""
    people_per_update: int = 256
    """People drawn for each step; everybody where there are fewer."""
    window_steps: int = 200
    """Steps of 80 ms per run that count in one update."""
    burn_in_steps: int = 50
    """Steps run before the window, so that its first hidden state is settled."""
    learning_rate: float = 4e-3
    final_learning_rate: float = 2e-4
    """The rate falls from the first to this one along half a cosine over the updates."""
    latent_rate: float = 10.0
    """Rate of each person's latent as a multiple of the weights' rate: a person's own numbers
    see only that person's trials."""
    latent_effect: float = 0.05
    """How far one SD of a latent moves a weight at the start, in units of the weight's scale."""
    direction_decay: float = 0.1
    """Weight decay of the directions, towards people who do not differ."""
    imagined_share: float = 0.25
    """Imagined people in each update, as a share of the real ones (`imagined_people`)."""
    imagined_sd: float = 1.5
    """SD of their latents; that of people is 1."""
    imagined_weight: float = 1.0
    """How much their wrong choices count."""
    whiten_every: int = 100
    """Updates between two changes of the latent's coordinates that make the people's distribution
    standard normal again, which is what the prior says it is."""
    clip_norm: float = 1.0
    """Longest gradient of the weights."""
    masked: bool = True
    """True: the hazard form of the action loss; False: the paper's unmasked form."""
    slow_epochs: int = 120
    """Passes in which the slow units learn to carry the task's regressors."""
    slow_people: int = 24
    """People whose hidden activity the slow units learn from."""
    slow_learning_rate: float = 1e-2
    slow_segment_steps: int = 500
    held_out_fraction: float = 0.15
    """Of the people; they are only measured at the end. 0 trains on everybody."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "updates",
            "people_per_update",
            "window_steps",
            "whiten_every",
            "slow_epochs",
            "slow_people",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, found {getattr(self, name)}.")
        for name in ("burn_in_steps", "direction_decay", "imagined_weight"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} must be at least 0, found {getattr(self, name)}.")
        if not 0 < self.final_learning_rate <= self.learning_rate:
            raise UsageError(
                "learning rates must satisfy 0 < final_learning_rate <= learning_rate, found "
                f"{self.final_learning_rate} and {self.learning_rate}."
            )
        for name in (
            "latent_rate",
            "latent_effect",
            "imagined_sd",
            "clip_norm",
            "slow_learning_rate",
        ):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be above 0, found {getattr(self, name)}.")
        if self.slow_segment_steps < 1 or self.slow_segment_steps % STEPS_PER_TR:
            raise UsageError(
                f"slow_segment_steps must be a multiple of {STEPS_PER_TR} (one TR), found "
                f"{self.slow_segment_steps}."
            )
        if not 0 <= self.imagined_share <= 1:
            raise UsageError(f"imagined_share must be in [0, 1], found {self.imagined_share}.")
        if not 0 <= self.held_out_fraction < 1:
            raise UsageError(
                f"held_out_fraction must be in [0, 1), found {self.held_out_fraction}."
            )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> PopulationSettings:
        """Read what `to_json` wrote.

        Raises
        ------
        CheckpointError
            If keys are missing or unknown.
        """
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            raise CheckpointError(
                "population settings must have exactly the keys "
                f"{', '.join(sorted(expected))}; differing: "
                f"{', '.join(sorted(expected ^ set(values)))}."
            )
        return cls(**values)
