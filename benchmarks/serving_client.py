"""Clients that ask a service again and again, as cheaply as they can, in a process of their own.

Reads from stdin what to ask, how many clients and how long (JSON), and prints what came of it.
Every request is of another person, so that no twin is taken from a cache.
"""

from __future__ import annotations

import itertools
import json
import socket
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

TIMEOUT_S = 120.0
_NUMBERS = itertools.count(1)  # the next person; shared by all clients


class Client(threading.Thread):
    """One client with a connection of its own."""

    def __init__(self, task: dict[str, Any], left: Left) -> None:
        super().__init__(daemon=True)
        self.statuses: Counter[str] = Counter()
        self.latencies_s: list[float] = []
        self._task = task
        self._left = left
        self._address = (task["host"], task["port"])
        body = Path(task["body"]).read_bytes()
        head = f"POST {task['path']} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
        if task["header_length"] is None:
            head += "Content-Type: application/json\r\n"
        else:
            head += f"Inference-Header-Content-Length: {task['header_length']}\r\n"
            head += "Content-Type: application/octet-stream\r\n"
        self._request = bytearray(f"{head}\r\n".encode() + body)
        self._places = [len(head) + 2 + place for place in task["places"]]
        self._connection: socket.socket | None = None

    def run(self) -> None:
        """Ask until there is nothing left to ask, or the service takes no more."""
        while self._left.take():
            self._write_person(next(_NUMBERS))
            try:
                if self._connection is None:
                    self._connection = socket.create_connection(self._address, TIMEOUT_S)
                    self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except ConnectionRefusedError:
                self.statuses["refused"] += 1
                return
            begin_s = time.perf_counter()
            try:
                self._connection.sendall(self._request)
                status, is_last = read_answer(self._connection)
            except OSError:
                self.statuses["broken"] += 1
                self._close()
                if not self._task["goes_on"]:
                    return
                continue
            if status == 200:
                self.latencies_s.append(time.perf_counter() - begin_s)
            self.statuses[str(status)] += 1
            if is_last:
                self._close()
                if not self._task["goes_on"]:
                    return
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write_person(self, number: int) -> None:
        for place in self._places:
            if self._task["header_length"] is None:
                self._request[place : place + 8] = f"0.{number % 400_000:06d}".encode()
            else:
                struct.pack_into("<f", self._request, place, (number % 400_000) * 1e-6)


class Left:
    """How many requests are left, or how much time."""

    def __init__(self, n_requests: int | None, seconds: float | None) -> None:
        self._n_requests = n_requests
        self._end_s = None if seconds is None else time.perf_counter() + seconds
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more is to be sent."""
        if self._end_s is not None and time.perf_counter() >= self._end_s:
            return False
        if self._n_requests is None:
            return True
        with self._lock:
            self._n_requests -= 1
            return self._n_requests >= 0


def read_answer(connection: socket.socket) -> tuple[int, bool]:
    """Read an answer; return its status and whether the connection ends with it.

    Raises
    ------
    ConnectionError
        It ended before.
    """
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        part = connection.recv(2**18)
        if not part:
            raise ConnectionError("the connection ended without an answer")
        data += part
    head = data[:end].lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    left = length - (len(data) - end - 4)
    while left > 0:
        part = connection.recv(2**18)
        if not part:
            raise ConnectionError("the connection ended within an answer")
        left -= len(part)
    return int(head[9:12]), b"connection: close" in head


def main() -> None:
    """Run the program."""
    task: dict[str, Any] = json.load(sys.stdin)
    left = Left(task.get("n_requests"), task.get("seconds"))
    clients = [Client(task, left) for _ in range(task["clients"])]
    begin_s = time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    wall_s = time.perf_counter() - begin_s
    statuses: Counter[str] = sum((client.statuses for client in clients), Counter())
    latencies = sorted(itertools.chain.from_iterable(client.latencies_s for client in clients))
    found: dict[str, Any] = {"wall_s": wall_s, "statuses": dict(sorted(statuses.items()))}
    for name, share in (("p50_s", 0.5), ("p99_s", 0.99)):
        place = min(len(latencies) - 1, int(share * len(latencies)))
        found[name] = latencies[place] if latencies else None
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
