"""Participant ids replaced by keyed hashes, in everything that is written or said of a cohort.

The id becomes ``sub-`` and the first 16 hexadecimal digits of HMAC-SHA256(key, id). A hash without
a key would hide nothing: ids are short, and whoever tries all of them finds each hash again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .cohort_entry import CohortEntry
from .cohort_listing import CohortListing, Sealed
from .errors import CohortError, UsageError
from .hidden_names import SHORTEST_LABEL, HiddenNames
from .tables import check_is_file, file_label

N_DIGITS = 16
"""Hexadecimal digits of an id: two of a million people share one by a chance of 3 in 10**8."""
MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 4096
_LEAST_DIFFERENT = 8  # bytes of a key: less was not drawn at random
_MAKE_ONE = (
    "Make one with: python3 -c 'import secrets; print(secrets.token_hex(32))' > FILE, where only "
    "those can read it who may know who is who, and keep it: the same key gives the same ids."
)


def hashed(listing: CohortListing, key: bytes) -> CohortListing:
    """The same cohort under other ids, with nothing in its outputs that tells who is who.

    Parameters
    ----------
    listing : CohortListing
        From `list_cohort`.
    key : bytes
        The secret, from `read_key`; the same gives the same ids, in any cohort.

    Returns
    -------
    CohortListing
        Sorted by the new ids. Sessions and the cohort's own columns stay as they are. Rows made of
        its entries (`ScoredPerson`), journals, tables and ``run.json`` have neither ids nor paths:
        errors and notes are told without them, the column ``path`` is empty, and what identifies a
        file (its path, size and time) is sealed with the key.

    Raises
    ------
    UsageError
        The key is too short, or the ids are hashed already.
    CohortError
        Two ids give one hash.
    """
    check_key(key, "The key")
    if listing.sealed is not None:
        raise UsageError("The ids of this cohort are hashed already.")
    before: dict[str, str] = {}
    entries = []
    for entry in listing.entries:
        shown = hashed_id(entry.participant_id, key)
        if before.setdefault(shown, entry.participant_id) != entry.participant_id:
            raise CohortError(
                f"Two participants of {listing.source} have the same hash, {shown}, with this "
                "key. Take another key."
            )
        entries.append(_hidden(entry, shown, key))
    sealed = Sealed(
        cohort=_seal(key, f"cohort\0{listing.path}").hex()[:N_DIGITS],
        key=key_fingerprint(key),
    )
    by_key = tuple(sorted(entries, key=lambda entry: entry.key))
    return replace(listing, entries=by_key, sealed=sealed)


def hashed_id(participant_id: str, key: bytes) -> str:
    """``sub-<16 hexadecimal digits>`` in place of a participant id.

    Parameters
    ----------
    participant_id : str
        With ``sub-``, as in the outputs without hashing.
    key : bytes
    """
    digest = hmac.new(key, participant_id.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"sub-{digest.hexdigest()[:N_DIGITS]}"


def key_fingerprint(key: bytes) -> str:
    """Tells a key from another one, and nothing of what it is."""
    return _seal(key, "key").hex()[:N_DIGITS]


def read_key(path: str | Path, *, apart_from: Path | None = None) -> bytes:
    """Read the secret.

    Parameters
    ----------
    path : str or pathlib.Path
        Its file; a line break at the end does not count.
    apart_from : pathlib.Path, optional
        Folder of the outputs, in which it must not lie.

    Raises
    ------
    UsageError
        There is no such file, it lies with the outputs, or is no secret (shorter than
        `MIN_KEY_BYTES`, or of few different bytes).
    """
    path = Path(path)
    try:
        check_is_file(path, CohortError)
        if apart_from is not None and path.resolve().is_relative_to(apart_from.resolve()):
            raise UsageError(
                f"The key {file_label(path)} lies in the folder of the results, and whoever gets "
                "them could tell who is who. Keep it elsewhere."
            )
        if path.stat().st_size > MAX_KEY_BYTES:
            raise UsageError(
                f"{file_label(path)} has more than {MAX_KEY_BYTES} bytes, which is no key. "
                f"{_MAKE_ONE}"
            )
        key = path.read_bytes().rstrip(b"\r\n")
    except OSError as cause:
        raise UsageError(
            f"The key {file_label(path)} cannot be read: {cause.strerror or cause}. {_MAKE_ONE}"
        ) from cause
    except CohortError as cause:
        raise UsageError(f"There is no key: {cause} {_MAKE_ONE}") from cause
    check_key(key, file_label(path))
    return key


def check_key(key: bytes, name: str) -> None:
    """Raise `UsageError` unless a key may be a secret; messages call it `name`."""
    if len(key) < MIN_KEY_BYTES:
        raise UsageError(
            f"{name} has {len(key)} bytes, expected at least {MIN_KEY_BYTES}: a short key can be "
            f"found by trying. {_MAKE_ONE}"
        )
    if len(set(key)) < _LEAST_DIFFERENT:
        raise UsageError(f"{name} repeats a few bytes, so it is no secret. {_MAKE_ONE}")


def ids_in_columns(listing: CohortListing) -> Mapping[str, int]:
    """Own columns of a cohort with cells that give participant ids away, and how many.

    Parameters
    ----------
    listing : CohortListing
        Before `hashed`.
    """
    ids = {entry.participant_id.lower() for entry in listing.entries}
    labels = {each.removeprefix("sub-") for each in ids}
    telling = ids | {label for label in labels if len(label) >= SHORTEST_LABEL}
    found: Counter[str] = Counter()
    for entry in listing.entries:
        own_id = entry.participant_id.lower()
        for name, cell in entry.own.items():
            found[name] += cell.lower() in telling or own_id in cell.lower()
    return {name: n for name, n in found.items() if n}


def _hidden(entry: CohortEntry, shown: str, key: bytes) -> CohortEntry:
    salt = _seal(key, f"entry\0{entry.participant_id}\0{entry.session}")
    hidden = HiddenNames.of(entry, shown, salt)
    problem = None if entry.problem is None else hidden.told(entry.problem)
    return replace(entry, participant_id=shown, problem=problem, named=(), hidden=hidden)


def _seal(key: bytes, text: str) -> bytes:
    # No id begins like this, so no seal is the hash of an id.
    data = f"dtb-runtime\0{text}".encode("utf-8", "surrogatepass")
    return hmac.new(key, data, hashlib.sha256).digest()
