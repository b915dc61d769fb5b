"""Who may ask the service: tokens in a file, and which addresses need them."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DataError, UsageError
from .tables import check_is_file, file_label, one_line, read_text

if TYPE_CHECKING:
    from typing import Self

SHORTEST_TOKEN = 16
"""Characters; 16 random ones out of 64 cannot be guessed over a network."""
MOST_TOKENS = 1000
_MAX_BYTES = 1_000_000
_SCHEME = b"bearer "


@dataclass(frozen=True, slots=True)
class Tokens:
    """Secrets of which every request must bring one."""

    digests: tuple[bytes, ...]
    """SHA-256 of each: all of one length, so that comparing them tells nothing of any."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file with one token a line; blank lines and those that begin with ``#`` are none.

        Parameters
        ----------
        path : pathlib.Path
            Only its owner may read it. One that belongs to root may also be readable by a group,
            as secrets that are mounted into a container are.

        Raises
        ------
        DataError
            The file is missing, not text or open to others; a token is short, or holds blanks or
            what is not ASCII; there is none.
        """
        check_is_file(path, DataError)
        _check_private(path)
        lines = read_text(path, DataError, _MAX_BYTES).splitlines()
        digests = []
        for number, line in enumerate(lines, start=1):
            token = line.strip()
            if not token or token.startswith("#"):
                continue
            if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
                raise DataError(
                    f"{file_label(path)}, line {number}: a token has at least {SHORTEST_TOKEN} "
                    "printable ASCII characters. Make one with: openssl rand -hex 32"
                )
            if " " in token:
                raise DataError(
                    f"{file_label(path)}, line {number}: a token holds no blanks. Write one token "
                    "a line."
                )
            digests.append(_digest(token.encode()))
        if not digests or len(digests) > MOST_TOKENS:
            raise DataError(
                f"{file_label(path)} holds {len(digests)} tokens, expected 1 to {MOST_TOKENS}, one "
                "a line."
            )
        return cls(tuple(digests))

    def allow(self, authorization: bytes | None) -> bool:
        """Whether a header ``Authorization: Bearer <token>`` brings one of them.

        Takes equally long whichever token it is, and whether it is one.
        """
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            return False
        given = _digest(authorization[len(_SCHEME) :].strip())
        # Every one is compared, without a way out at the first that fits.
        return sum(hmac.compare_digest(given, known) for known in self.digests) > 0


def check_exposure(host: str, *, has_tokens: bool, insecure: bool) -> None:
    """Refuse to let anybody on a network ask without a token.

    Raises
    ------
    UsageError
        The address is not this machine's own, and there are neither tokens nor the word of
        whoever starts it.
    """
    if is_loopback(host) or has_tokens or insecure:
        return
    raise UsageError(
        f"On {one_line(host)} anybody on the network could ask. Give --token-file with one token a "
        "line, serve on 127.0.0.1, or say --insecure where something else keeps strangers out."
    )


def is_loopback(host: str) -> bool:
    """Whether an address can only be reached from this machine. Names but localhost cannot tell."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _check_private(path: Path) -> None:
    if os.name != "posix":  # others have no such bits
        return
    status = path.stat()
    others = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP
    if status.st_uid != 0 or os.geteuid() == 0:
        others |= stat.S_IRGRP
    if status.st_mode & others:
        raise DataError(
            f"{file_label(path)} can be read or written by others (mode "
            f"{stat.S_IMODE(status.st_mode):04o}). Make it its owner's alone: chmod 600"
        )
