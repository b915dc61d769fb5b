"""Twins of the connectomes that requests hold: made several at once, and kept for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .bundle import Bundle
from .connectome import Connectome
from .twin import Twin
from .twin_cache import TwinCache, connectome_key

SOURCE = "connectome"
"""What messages call a connectome: it comes from no file."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenConnectome:
    """A connectome as a request has it, which nobody has checked."""

    values: NDArray[Any]
    """Shape (n_regions, n_regions): r, or Fisher z."""
    labels: tuple[str, ...] | None = None
    fisher_z: bool = False
    impute: bool = False
    """Whether regions without data may be taken from the bundle's cohort."""

    def connectome(self) -> Connectome:
        """The same, checked; raises `ConnectomeError`."""
        return Connectome.from_matrix(
            self.values,
            labels=self.labels,
            fisher_z=self.fisher_z,
            source=SOURCE,
            may_impute=self.impute,
        )

    def key(self, bundle_digest: str) -> str:
        """What its twin is kept under."""
        return connectome_key(
            bundle_digest, self.values, self.labels, fisher_z=self.fisher_z, impute=self.impute
        )


class TwinMaker:
    """Makes twins with one bundle.

    Parameters
    ----------
    bundle : Bundle
    cache : TwinCache
        May be shared by several bundles.
    """

    def __init__(self, bundle: Bundle, cache: TwinCache) -> None:
        self.bundle = bundle
        self._cache = cache

    def twins(self, given: Sequence[GivenConnectome]) -> list[Twin | Exception]:
        """The twin of each, or why there is none."""
        keys = [each.key(self.bundle.digest) for each in given]
        found: dict[str, Twin | Exception] = {}
        connectomes: dict[str, Connectome] = {}
        for key, each in zip(keys, given, strict=True):
            kept = self._cache.get(key)
            if kept is not None:
                found[key] = kept
            elif key not in found and key not in connectomes:
                try:
                    connectomes[key] = each.connectome()
                except Exception as error:
                    found[key] = error
        made = self._made([*connectomes.values()]) if connectomes else []
        for key, twin in zip(connectomes, made, strict=True):
            found[key] = twin
            if isinstance(twin, Twin):
                self._cache.put(key, twin)
        return [found[key] for key in keys]

    def twin(self, given: GivenConnectome) -> Twin:
        """The twin of one; raises as `Bundle.personalize` does."""
        (made,) = self.twins([given])
        if isinstance(made, Exception):
            raise made
        return made

    def _made(self, connectomes: Sequence[Connectome]) -> Sequence[Twin | Exception]:
        try:
            return self.bundle.personalize_several(connectomes)
        except Exception as error:
            if len(connectomes) == 1:
                return [error]
        # One of them; who, shows one by one.
        return [self._made([each])[0] for each in connectomes]
