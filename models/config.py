"""The two presets as checked settings: what a network is, before it has weights.

``paper`` follows Takahashi et al. 2026 (Methods, "Model overview") exactly; ``compact`` is the
default: an encoder small enough to ship, a latent z, a linear decoder, a smaller main network with
leaky units, and BOLD of every region of the parcellation at TR.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from dtb_runtime.errors import CheckpointError, UsageError

Preset = Literal["paper", "compact"]
ActionReading = Literal["hazard", "density"]

PAPER_HIDDEN = 400
PAPER_HYPERNETWORK = (200, 200)
PAPER_BOLD = 20


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
    n_components: int
    """Rows of the edge basis in front of the compact encoder; 0 for the paper preset."""
    hypernetwork_sizes: tuple[int, ...]
    """Units of the hypernetwork's hidden layers."""
    leak: tuple[float, ...]
    """Share of each hidden unit that is renewed per step; 1 is the paper's plain tanh unit."""
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
        has_latent = self.latent_size > 0 and self.n_components > 0
        if (self.preset == "compact") != has_latent:
            raise UsageError(
                "the compact preset needs latent_size and n_components above 0, the paper preset "
                f"has neither; found preset {self.preset!r} with latent_size {self.latent_size} "
                f"and n_components {self.n_components}."
            )

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
        n_components=0,
        hypernetwork_sizes=hypernetwork_sizes,
        leak=(1.0,) * hidden_size,
        bold_stride=bold_stride,
        dropout=dropout,
        action_reading=action_reading,
    )


def graded_leak(hidden_size: int) -> tuple[float, ...]:
    """Return one leak per unit: half fast for actions, half slow for BOLD.

    A tanh unit renewed every 80 ms cannot hold the 5 to 20 s of a hemodynamic response without a
    finely tuned recurrence, which segments of training find late or never. Units with time
    constants from 0.3 to 8 s (leak ``dt / tau``) give the readout a basis of slow filters.
    """
    n_slow = hidden_size // 2
    fast = [1.0 if i % 2 == 0 else 0.5 for i in range(hidden_size - n_slow)]
    slowest, fastest = 0.08 / 8.0, 0.08 / 0.3
    ratio = slowest / fastest
    slow = [fastest * ratio ** (i / max(n_slow - 1, 1)) for i in range(n_slow)]
    return tuple(round(a, 6) for a in fast + slow)


def compact_config(
    n_edges: int,
    n_bold: int,
    *,
    hidden_size: int = 64,
    latent_size: int = 16,
    n_components: int = 16,
    encoder_size: int = 64,
    dropout: float = 0.3,
    action_reading: ActionReading = "hazard",
) -> NetworkConfig:
    """Return the compact network for connectomes of `n_edges` edges and `n_bold` regions."""
    return NetworkConfig(
        preset="compact",
        n_edges=n_edges,
        n_bold=n_bold,
        hidden_size=hidden_size,
        latent_size=latent_size,
        n_components=n_components,
        hypernetwork_sizes=(encoder_size,),
        leak=graded_leak(hidden_size),
        dropout=dropout,
        action_reading=action_reading,
    )
