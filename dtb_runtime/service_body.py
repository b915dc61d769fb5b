"""Bodies of requests: read as they come, within bounds that hold for all of them together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .service_limits import ServiceLimits
from .service_refusals import RETRY_AFTER, Disconnected, Receive, Refusal

if TYPE_CHECKING:
    from typing import Self


class HeldBytes:
    """How much the service holds of what came in and goes out.

    Parameters
    ----------
    most : int
        A body that would make it more is refused.
    """

    def __init__(self, most: int) -> None:
        self.n_bytes = 0
        """Held now."""
        self._most = most

    def account(self) -> HeldBody:
        """Begin to hold what belongs to one request; a context manager, which lets go of it."""
        return HeldBody(self)

    @property
    def room(self) -> int:
        """How much more may come in."""
        return self._most - self.n_bytes


class HeldBody:
    """What is held of one request."""

    def __init__(self, held: HeldBytes) -> None:
        self._held = held
        self._n_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hold(0)

    def hold(self, n_bytes: int) -> None:
        """Say how much it is by now."""
        self._held.n_bytes += n_bytes - self._n_bytes
        self._n_bytes = n_bytes

    async def read(self, receive: Receive, limits: ServiceLimits) -> bytes:
        """Read a body to its end.

        Raises
        ------
        Refusal
            It comes too slowly (408), is too long (413), or there is no room for it (429).
        Disconnected
            The client has gone.
        """
        parts: list[bytes] = []
        n_bytes = 0
        try:
            async with asyncio.timeout(limits.body_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Disconnected
                    part = message.get("body", b"")
                    more = message.get("more_body", False)
                    n_bytes += len(part)
                    if n_bytes > limits.body_bytes:
                        raise too_long(limits)
                    if len(part) > self._held.room:
                        raise Refusal(
                            429,
                            "The service holds as much as it may. Try again in a moment.",
                            RETRY_AFTER,
                        )
                    self.hold(n_bytes)
                    parts.append(part)
        except TimeoutError:
            raise Refusal(
                408, f"The body did not arrive within {limits.body_s:g} s. Send less, or faster."
            ) from None
        return b"".join(parts)


def too_long(limits: ServiceLimits) -> Refusal:
    """What a body gets that is longer than any may be."""
    return Refusal(
        413,
        f"The body is too long: at most {limits.body_bytes} bytes are taken. Send fewer people at "
        "a time, or binary tensors instead of JSON.",
    )
