"""The presets as checked settings: what a network is, before it has weights.

``paper`` follows Takahashi et al. 2026 (Methods, "Model overview") exactly; ``compact`` is the
default: an encoder small enough to ship, a latent z, a linear decoder, a smaller main network with
leaky units, and BOLD of every region of the parcellation at TR. ``direct`` is the paper's control,
a network without hypernetwork; it is trained to be compared with, and is never exported.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from dtb_runtime.errors import CheckpointError, UsageError

Preset = Literal["paper", "compact", "direct"]
ActionReading = Literal["hazard", "density"]

PAPER_HIDDEN = 400
PAPER_HYPERNETWORK = (200, 200)
PAPER_BOLD = 20
CLOCK_TAU_S = (60.0, 300.0)
"""Time constants of the clock units: practice within minutes, and over a whole run."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Shape of a hypernetwork and of the main network it writes.

    Raises
    ------
    UsageError
        If a size is not positive, the leak does not have one value in (0, 1] per hidden unit, or
        the sizes do not fit the preset.
    """

    preset: Preset
    n_edges: int
    """Length of the hypernetwork input: ``n_regions * (n_regions - 1) / 2`` for a connectome."""
    n_bold: int
    """BOLD outputs of the main network."""
    hidden_size: int
    latent_size: int
    """Numbers of z; 0 for the paper preset, which has no latent."""
    bold_latents: int
    """The last numbers of z, which change BOLD alone; the first ones change actions as well."""
    n_components: int
    """Rows of the edge basis in front of the compact encoder; 0 for the paper preset."""
    hypernetwork_sizes: tuple[int, ...]
    """Units of the hypernetwork's hidden layers."""
    leak: tuple[float, ...]
    """Share of each hidden unit that is renewed per step; 1 is the paper's plain tanh unit."""
    personal_units: int = 0
    """Compact: the first hidden units, whose weights differ between people (`acting_part`)."""
    clock_units: int = 0
    """Compact: the last hidden units, which only tell the time since the run began."""
    n_inputs: int = 9
    n_actions: int = 3
    dropout: float = 0.1
    bold_stride: int = 10
    """Steps between two BOLD readouts: 10 steps of 80 ms are one TR of 0.8 s."""
    action_reading: ActionReading = "hazard"
    component_limit: float = 4.0
    """Scores on the edge basis (compact), in SDs of the training people, are squashed to
    ``limit * tanh(score / limit)``: a connectome from another scanner, 20 SDs away, then gives an
    extreme twin and not an absurd one. Its strangeness is reported beside it."""

    def __post_init__(self) -> None:
        for name in ("n_edges", "n_bold", "hidden_size", "n_inputs", "n_actions", "bold_stride"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, found {getattr(self, name)}.")
        if self.preset not in get_args(Preset):
            raise UsageError(f"preset must be one of {get_args(Preset)}, found {self.preset!r}.")
        if self.action_reading not in get_args(ActionReading):
            raise UsageError(
                f"action_reading must be one of {get_args(ActionReading)}, "
                f"found {self.action_reading!r}."
            )
        if len(self.leak) != self.hidden_size or not all(0 < a <= 1 for a in self.leak):
            raise UsageError(
                f"leak must hold {self.hidden_size} values in (0, 1], one per hidden unit; "
                f"found {len(self.leak)} values."
            )
        if self.component_limit <= 0:
            raise UsageError(f"component_limit must be above 0, found {self.component_limit}.")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"dropout must be in [0, 1), found {self.dropout}.")
        has_latent = self.latent_size > 0 and self.n_components > 0 and self.personal_units > 0
        if (self.preset == "compact") != has_latent:
            raise UsageError(
                "the compact preset needs latent_size, n_components and personal_units above 0, "
                f"others have none of them; found preset {self.preset!r} with "
                f"{self.latent_size}, {self.n_components} and {self.personal_units}."
            )
        if not 0 <= self.bold_latents < max(self.latent_size, 1):
            raise UsageError(
                "some of the latent numbers must be left for actions: bold_latents must be at "
                f"least 0 and below latent_size, found {self.bold_latents} of {self.latent_size}."
            )
        if not 0 <= self.clock_units <= min(len(CLOCK_TAU_S), self.hidden_size):
            raise UsageError(
                f"clock_units must be 0 to {len(CLOCK_TAU_S)}, found {self.clock_units}."
            )
        if self.personal_units + self.clock_units > self.hidden_size:
            raise UsageError(
                f"personal_units and clock_units must fit into {self.hidden_size} hidden units, "
                f"found {self.personal_units} and {self.clock_units}."
            )

    @property
    def action_latents(self) -> int:
        """The first numbers of z, which change how a person acts."""
        return self.latent_size - self.bold_latents

    @property
    def n_outputs(self) -> int:
        """Rows of W_ho: actions first, then BOLD."""
        return self.n_actions + self.n_bold

    @property
    def n_weights(self) -> int:
        """Weights and biases of one main network (173,623 in the paper)."""
        h = self.hidden_size
        return h * self.n_inputs + h * h + 2 * h + self.n_outputs * h + self.n_outputs

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> NetworkConfig:
        """Read what `to_json` wrote.

        Raises
        ------
        CheckpointError
            If keys are missing or unknown.
        """
        expected = set(cls.__dataclass_fields__)
        if set(values) != expected:
            raise CheckpointError(
                "network settings must have exactly the keys "
                f"{', '.join(sorted(expected))}; differing: "
                f"{', '.join(sorted(expected ^ set(values)))}."
            )
        fixed = dict(values)
        fixed["leak"] = tuple(values["leak"])
        fixed["hypernetwork_sizes"] = tuple(values["hypernetwork_sizes"])
        return cls(**fixed)


def paper_config(
    n_edges: int,
    n_bold: int = PAPER_BOLD,
    *,
    hidden_size: int = PAPER_HIDDEN,
    hypernetwork_sizes: tuple[int, ...] = PAPER_HYPERNETWORK,
    bold_stride: int = 10,
    dropout: float = 0.1,
    action_reading: ActionReading = "density",
) -> NetworkConfig:
    """Return the paper's network for connectomes of `n_edges` edges, trained by its unmasked loss.

    The sizes are settable so that the authors' small public model, which has the same structure,
    is the same class.
    """
    return NetworkConfig(
        preset="paper",
        n_edges=n_edges,
        n_bold=n_bold,
        hidden_size=hidden_size,
        latent_size=0,
        bold_latents=0,
        n_components=0,
        hypernetwork_sizes=hypernetwork_sizes,
        leak=(1.0,) * hidden_size,
        bold_stride=bold_stride,
        dropout=dropout,
        action_reading=action_reading,
    )


PERSONAL_LEAKS = (1.0, 0.5, 0.25, 0.1)
"""Leaks of the personal units, in turn: from no memory of their own to 0.8 s."""


def direct_config(
    n_edges: int, n_bold: int, *, hidden_size: int = 64, dropout: float = 0.1
) -> NetworkConfig:
    """Return the control network that takes the connectome as an additional input."""
    return NetworkConfig(
        preset="direct",
        n_edges=n_edges,
        n_bold=n_bold,
        hidden_size=hidden_size,
        latent_size=0,
        bold_latents=0,
        n_components=0,
        hypernetwork_sizes=(),
        leak=(1.0,) * hidden_size,
        dropout=dropout,
    )


def compact_leak(personal_units: int, slow_units: int, clock_units: int) -> tuple[float, ...]:
    """Return one leak per hidden unit of the compact preset.

    A tanh unit renewed every 80 ms cannot hold the 5 to 20 s of a hemodynamic response without a
    finely tuned recurrence, which segments of training find late or never. Slow units with time
    constants from 0.3 to 8 s (leak ``dt / tau``) give the readout a basis of slow filters.
    """
    personal = [PERSONAL_LEAKS[i % len(PERSONAL_LEAKS)] for i in range(personal_units)]
    slowest, fastest = 0.08 / 8.0, 0.08 / 0.3
    ratio = slowest / fastest
    slow = [fastest * ratio ** (i / max(slow_units - 1, 1)) for i in range(slow_units)]
    clocks = [-math.expm1(-0.08 / tau_s) for tau_s in CLOCK_TAU_S[:clock_units]]
    # Clocks keep all digits: their course is also written down as a formula (`acting_part`).
    return tuple([round(a, 6) for a in personal + slow] + clocks)


def compact_config(
    n_edges: int,
    n_bold: int,
    *,
    personal_units: int = 40,
    slow_units: int = 30,
    clock_units: int = len(CLOCK_TAU_S),
    latent_size: int = 12,
    bold_latents: int = 6,
    n_components: int = 32,
    action_reading: ActionReading = "hazard",
) -> NetworkConfig:
    """Return the compact network for connectomes of `n_edges` edges and `n_bold` regions."""
    return NetworkConfig(
        preset="compact",
        n_edges=n_edges,
        n_bold=n_bold,
        hidden_size=personal_units + slow_units + clock_units,
        latent_size=latent_size,
        bold_latents=bold_latents,
        n_components=n_components,
        hypernetwork_sizes=(),
        leak=compact_leak(personal_units, slow_units, clock_units),
        personal_units=personal_units,
        clock_units=clock_units,
        dropout=0.0,
        action_reading=action_reading,
    )
