"""Messages on the pipes between the service and its workers.

`multiprocessing.Connection.recv_bytes` makes room for a whole message at every read of a pipe and
throws away what it did not need: 3 ms for the 2 MB of a person's BOLD, where reading into one place
takes 0.7. So connections carry messages of our own where the system can read so; elsewhere theirs.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from multiprocessing.connection import Connection

PIPE_BYTES = 2**20
"""What a pipe takes before whoever writes must wait: a person of 434 regions at a time."""
_LENGTH = struct.Struct("<Q")  # of the message that follows
_READS_INTO = hasattr(os, "readv") and hasattr(os, "writev")


def send(connection: Connection, message: bytes) -> None:
    """Send a message; waits while the pipe is full. Raises OSError where nobody reads any more."""
    if not _READS_INTO:
        connection.send_bytes(message)
        return
    left = [memoryview(_LENGTH.pack(len(message))), memoryview(message)]
    while left:
        written = os.writev(connection.fileno(), left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if left:
            left[0] = left[0][written:]


def receive(connection: Connection) -> bytes | bytearray:
    """Wait for a message.

    Raises
    ------
    EOFError
        Nobody writes any more, or not to the end.
    OSError
        The connection is closed.
    """
    if not _READS_INTO:
        return connection.recv_bytes()
    (length,) = _LENGTH.unpack(_read(connection, _LENGTH.size))
    return _read(connection, length)


def _read(connection: Connection, n_bytes: int) -> bytearray:
    message = bytearray(n_bytes)
    left = memoryview(message)
    while left:
        n_read = os.readv(connection.fileno(), [left])
        if n_read == 0:
            raise EOFError
        left = left[n_read:]
    return message


def widen(end: Connection) -> None:
    """Let a pipe take more at a time: each time it is full, its two processes take turns."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # a user's pipes together have a bound as well
            fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
