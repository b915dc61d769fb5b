"""How a network is trained end to end: every number that changes the result, in one object.

This is the paper's training, from connectomes to actions and BOLD in one loop; the compact preset
is trained in parts (`population_settings`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from dtb_runtime.errors import CheckpointError, UsageError
from dtb_runtime.tasks import STEPS_PER_TR


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Settings of one training run; the same settings and cohort give the same network.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    epochs: int
    """Passes over the training people, at most; early stopping may end it before."""
    batch_size: int
    """People per batch."""
    segment_steps: int
    """Steps of 80 ms through which gradients run (262 in the paper)."""
    learning_rate: float
    final_learning_rate: float
    """The rate falls from the first to this one along half a cosine over the epochs."""
    action_weight: float
    bold_weight: float
    masked: bool
    """True: the hazard form of the action loss; False: the paper's unmasked form."""
    carry_state: bool
    """Whether a segment starts from the state that the one before it ended in, or from zero."""
    interpolate_bold: bool
    """Whether BOLD counts at every step after cubic interpolation (paper) or at TR."""
    patience: int
    """Epochs without a better validation loss before training stops."""
    clip_norm: float
    """Longest gradient; 0 switches clipping off."""
    train_fraction: float
    validation_fraction: float
    """Of the people; what is left over is held out and only measured at the end."""
    seed: int

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "segment_steps", "patience"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, found {getattr(self, name)}.")
        if not 0 < self.final_learning_rate <= self.learning_rate:
            raise UsageError(
                "learning rates must satisfy 0 < final_learning_rate <= learning_rate, found "
                f"{self.final_learning_rate} and {self.learning_rate}."
            )
        shares = (self.train_fraction, self.validation_fraction)
        if min(shares) <= 0 or sum(shares) > 1:
            raise UsageError(
                "train_fraction and validation_fraction must be above 0 and sum to at most 1, "
                f"found {shares[0]} and {shares[1]}."
            )
        if not self.interpolate_bold and self.segment_steps % STEPS_PER_TR:
            raise UsageError(
                f"segment_steps must be a multiple of {STEPS_PER_TR} (one TR) where BOLD is read "
                f"at TR, found {self.segment_steps}."
            )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainingSettings:
        """Read what `to_json` wrote.

        Raises
        ------
        CheckpointError
            If keys are missing or unknown.
        """
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            raise CheckpointError(
                "training settings must have exactly the keys "
                f"{', '.join(sorted(expected))}; differing: "
                f"{', '.join(sorted(expected ^ set(values)))}."
            )
        return cls(**values)


def paper_settings(*, epochs: int = 800, seed: int = 0, masked: bool = False) -> TrainingSettings:
    """Return the paper's settings (Methods, "Hyperparameter settings").

    Adam at a constant 1e-6, batches of 50 people, segments of 262 steps that each start from a zero
    state, weights 1 and 1, at most 800 epochs.
    """
    return TrainingSettings(
        epochs=epochs,
        batch_size=50,
        segment_steps=262,
        learning_rate=1e-6,
        final_learning_rate=1e-6,
        action_weight=1.0,
        bold_weight=1.0,
        masked=masked,
        carry_state=False,
        interpolate_bold=True,
        patience=20,
        clip_norm=0.0,
        train_fraction=0.7,
        validation_fraction=0.15,
        seed=seed,
    )
