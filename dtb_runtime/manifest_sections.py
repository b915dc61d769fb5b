"""The sections of a bundle's manifest that have fields of their own, typed and read strictly."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from .edges import FISHER_CLIP
from .errors import BundleError
from .json_object import JsonObject

TrainingKind = Literal["simulated", "semi-synthetic", "real"]

_PARTICIPANT_DIGEST = re.compile("[0-9a-f]{16}")


def participant_digest(participant_id: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a BIDS id, e.g. of ``"sub-01"``.

    By it an evaluation sees that somebody was in the training, without a list of names.
    """
    return hashlib.sha256(participant_id.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Normalization:
    """How numbers inside the bundle relate to measured ones."""

    bold_mean: tuple[float, ...]
    """Mean of each BOLD region in the training data, in its units."""
    bold_sd: tuple[float, ...]
    """SD of each BOLD region in the training data; forecasts are in these."""

    @classmethod
    def from_json(cls, document: JsonObject) -> Normalization:
        """Read what `to_json` gave; raises BundleError, as every reader here."""
        clip = document.number("fisher_clip")
        if clip != FISHER_CLIP:
            raise BundleError(
                f"{document.where}, fisher_clip: expected {FISHER_CLIP}, found {clip}. "
                "Export the bundle again with this version of dtb-runtime."
            )
        normalization = cls(document.numbers("bold_mean"), document.numbers("bold_sd"))
        document.close()
        return normalization

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values, and the clip of Fisher's z, which is no choice."""
        return {
            "fisher_clip": FISHER_CLIP,
            "bold_mean": list(self.bold_mean),
            "bold_sd": list(self.bold_sd),
        }


@dataclass(frozen=True, slots=True)
class Training:
    """What the bundle was trained on and how."""

    description: str
    """In words: which data, how many people, what was simulated."""
    kind: TrainingKind
    warning: str | None
    """Sentence that every output of the bundle carries; must be there unless `kind` is real."""
    n_train: int
    n_validation: int
    n_test: int
    split: str
    """How people were assigned, in words."""
    seed: int
    epochs: int
    settings: Mapping[str, Any]
    """Remaining settings of the training run, as they were."""
    participants: tuple[str, ...] | None = None
    """`participant_digest` of every real person whose data went into it; None if it does not say,
    as for people who do not exist."""

    @classmethod
    def from_json(cls, document: JsonObject) -> Training:
        """Read what `to_json` gave."""
        training = cls(
            description=document.text("description"),
            kind=document.one_of("kind", get_args(TrainingKind)),
            warning=document.optional_text("warning"),
            n_train=document.integer("n_train", minimum=0),
            n_validation=document.integer("n_validation", minimum=0),
            n_test=document.integer("n_test", minimum=0),
            split=document.text("split"),
            seed=document.integer("seed", minimum=0),
            epochs=document.integer("epochs", minimum=0),
            settings=MappingProxyType(dict(document.child("settings").rest())),
            participants=_participants(document),
        )
        document.close()
        return training

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values; `participants` only where it is known."""
        known = {} if self.participants is None else {"participants": list(self.participants)}
        return {
            "description": self.description,
            "kind": self.kind,
            "warning": self.warning,
            "n_train": self.n_train,
            "n_validation": self.n_validation,
            "n_test": self.n_test,
            "split": self.split,
            "seed": self.seed,
            "epochs": self.epochs,
            "settings": dict(self.settings),
        } | known


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size and digest of one file of the bundle."""

    sha256: str
    size: int

    @classmethod
    def from_json(cls, document: JsonObject) -> FileEntry:
        """Read what `to_json` gave."""
        entry = cls(document.text("sha256"), document.integer("size", minimum=0))
        document.close()
        return entry

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {"sha256": self.sha256, "size": self.size}


def _participants(document: JsonObject) -> tuple[str, ...] | None:
    if "participants" not in document.remaining_keys():
        return None
    digests = document.texts("participants", unique=True)
    wrong = next((text for text in digests if not _PARTICIPANT_DIGEST.fullmatch(text)), None)
    if wrong is not None:
        raise BundleError(
            f"{document.where}, participants: expected 16 hexadecimal digits each, found "
            f"{wrong!r}. Export the bundle again."
        )
    return digests
