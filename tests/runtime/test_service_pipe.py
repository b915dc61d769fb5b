"""Messages between the service and its workers arrive whole, whatever their length."""

from __future__ import annotations

import multiprocessing
import os
import threading

import pytest

from dtb_runtime import service_pipe
from dtb_runtime.service_pipe import PIPE_BYTES, receive, send, widen


@pytest.mark.parametrize("reads_into", [True, False])
@pytest.mark.parametrize("length", [0, 1, 4096, PIPE_BYTES - 8, PIPE_BYTES, 3 * PIPE_BYTES + 1])
def test_what_is_sent_arrives(
    length: int, reads_into: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reads_into and not hasattr(os, "readv"):
        pytest.skip("this system cannot read into a place")
    monkeypatch.setattr(service_pipe, "_READS_INTO", reads_into)
    theirs, ours = multiprocessing.Pipe(duplex=False)
    widen(ours)
    messages = [os.urandom(length), b"after", os.urandom(length)]
    with theirs, ours:
        sending = threading.Thread(target=lambda: [send(ours, each) for each in messages])
        sending.start()
        found = [receive(theirs) for _ in messages]
        sending.join()
    assert found == messages


@pytest.mark.parametrize("sent", [b"", b"\x05\0\0", b"\x05\0\0\0\0\0\0\0abc"])
@pytest.mark.skipif(not hasattr(os, "readv"), reason="this system cannot read into a place")
def test_an_end_in_the_middle_is_an_end(sent: bytes) -> None:
    theirs, ours = multiprocessing.Pipe(duplex=False)
    with theirs:
        os.write(ours.fileno(), sent)
        ours.close()
        with pytest.raises(EOFError):
            receive(theirs)
    with pytest.raises(OSError, match="closed"):
        receive(theirs)


def test_nobody_who_reads_is_an_error() -> None:
    theirs, ours = multiprocessing.Pipe(duplex=False)
    theirs.close()
    with ours, pytest.raises(OSError, match=r"(?i)pipe"):
        send(ours, b"abc")
