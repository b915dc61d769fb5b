"""Options that replace participant ids by keyed hashes in everything that a command writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import terminal

if TYPE_CHECKING:
    from dtb_runtime.cohort_listing import CohortListing

HashIdsOption = Annotated[
    bool,
    typer.Option(
        "--hash-ids",
        help="Replace participant ids by keyed hashes wherever anything is written or said "
        "(docs/privacy.md). Needs --hash-key.",
    ),
]
HashKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--hash-key",
        metavar="FILE",
        show_default=False,
        help="Secret of at least 16 bytes, kept apart from the results: the same gives the same "
        "ids.",
    ),
]


def listing_to_use(
    listing: CohortListing, out: Path, *, hash_ids: bool, hash_key: Path | None
) -> CohortListing:
    """Return a cohort as a command shall know it: with hashed ids where this is asked for.

    Parameters
    ----------
    listing : CohortListing
    out : pathlib.Path
        Folder of the results, in which the key must not lie.
    hash_ids, hash_key
        The options.

    Raises
    ------
    UsageError
        One option without the other, or no usable key.
    """
    from dtb_runtime.errors import UsageError
    from dtb_runtime.hashed_ids import hashed, ids_in_columns, read_key

    if not hash_ids:
        if hash_key is not None:
            raise UsageError("--hash-key is for --hash-ids. Add that, or leave out the key.")
        return listing
    if hash_key is None:
        raise UsageError(
            "--hash-ids needs a key (--hash-key FILE): ids are short, so hashes without a secret "
            "can be undone by trying all ids. Make one with: python3 -c 'import secrets; "
            "print(secrets.token_hex(32))' > FILE, and keep it apart from the results."
        )
    key = read_key(hash_key, apart_from=out)
    if os.name == "posix" and hash_key.stat().st_mode & 0o077:
        terminal.message(
            f"Warning: others on this machine may read {hash_key.name}. chmod 600 keeps them out."
        )
    for column, n in ids_in_columns(listing).items():
        terminal.message(
            f"Warning: {n} cells of the column {column!r} hold participant ids, and your own "
            "columns are kept as they are. Leave the column out of the cohort's table."
        )
    return hashed(listing, key)
