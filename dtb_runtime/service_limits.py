"""What one request may ask of the service, and how much may wait."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UsageError


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Bounds of the service; each is refused with a sentence where it is exceeded.

    Raises
    ------
    UsageError
        One of them is not above 0, or all bodies together may be smaller than a single one.
    """

    body_bytes: int = 64 * 2**20
    """Of a request's body: a person of 2,000 regions in float64 needs half of it."""
    held_bytes: int = 512 * 2**20
    """Of all bodies and answers that the service holds at a time; a body beyond is refused."""
    header_bytes: int = 32 * 2**10
    """Of a request's line and headers."""
    header_s: float = 10.0
    """Until they have arrived."""
    body_s: float = 30.0
    """Until a body has arrived."""
    request_s: float = 60.0
    """For the work on a request, and for waiting before it; a worker that takes longer is ended."""
    answer_s: float = 30.0
    """For which a client may take nothing of its answer."""
    connections: int = 1024
    queue: int = 256
    """Requests that wait for a worker; one more is answered with 429."""
    max_batch: int = 16
    """Requests that go to a worker together."""
    people_per_request: int = 64
    n_regions: int = 2000
    draws: int = 256
    """Of a latent, for one person."""
    n_trials: int = 5000
    """Of own schedules and of trials to learn from, for one person."""
    learned_s: float = 2400.0
    """Of runs to learn from together, for one person: with the compact bundle that takes 20 s."""
    slow_at_once: int | None = None
    """Calibrations and plans that are worked on at a time, so that forecasts need not wait for
    them; by default one fewer than there are workers, at least 1."""
    twins_cached: int = 64
    """Twins that each worker keeps, by the digest of their connectome."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"The service's limit {name} must be above 0, found {value}.")
        if self.held_bytes < self.body_bytes:
            raise UsageError(
                f"The service may hold {self.held_bytes} bytes, but a single body may have "
                f"{self.body_bytes}. Raise --max-memory-mb (held_bytes), or lower --max-body-mb "
                "(body_bytes)."
            )
