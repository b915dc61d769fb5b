"""A service that is being measured: begun, asked, looked at, ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving_inputs import Inputs, Request

CLIENT = Path(__file__).with_name("serving_client.py")


class Served:
    """`dtb-run serve`, in a process of its own.

    Parameters
    ----------
    inputs : Inputs
    workers : int
    options : str
        More of its options.
    """

    def __init__(self, inputs: Inputs, workers: int, *options: str) -> None:
        words = ["serve", "--bundle", inputs.bundle, "--port", "0", "--json"]
        words += ["--workers", str(workers), *options]
        self._folder = inputs.folder
        self._errors = (inputs.folder / "serve.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dtb_cli.app", *words],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline() if self.process.stdout is not None else ""
            if not line:
                self._errors.seek(0)
                raise SystemExit(f"The service did not begin: {self._errors.read().strip()}")
            text += line
        self.url: str = json.loads(text)["url"]
        host, _, port = self.url.partition("//")[2].rpartition(":")
        self.address = (host, int(port))

    def workers(self) -> list[int]:
        """Processes of its workers."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                is_worker = b"spawn_main" in (folder / "cmdline").read_bytes()
                if is_worker and int(fields[1]) == self.process.pid and fields[0] != "Z":
                    found.append(int(folder.name))
        return sorted(found)

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of the process in front, and of its workers together."""
        return {
            "front": _resident_mb(self.process.pid),
            "workers": sum(map(_resident_mb, self.workers())),
        }

    def ask(self, request: Request, clients: int, **task: Any) -> subprocess.Popen[str]:
        """Let clients ask, in a process of their own; `answers` waits for them."""
        message = request.message(self._folder / "body")
        message |= {"host": self.address[0], "port": self.address[1], "clients": clients}
        message |= {"goes_on": True, **task}
        client = subprocess.Popen(
            [sys.executable, str(CLIENT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if client.stdin is not None:
            client.stdin.write(json.dumps(message))
            client.stdin.close()
            client.stdin = None
        return client

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; return its exit code and how long that took."""
        begin_s = time.perf_counter()
        self.process.send_signal(number)
        code = self.process.wait()
        taken_s = time.perf_counter() - begin_s
        self._errors.close()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code, taken_s


@contextlib.contextmanager
def serving(inputs: Inputs, workers: int | None = None, *options: str) -> Iterator[Served]:
    """Have a service, by default with a worker a core; it is ended if nobody has."""
    served = Served(inputs, workers or inputs.n_cores, *options)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.end()


def answers(client: subprocess.Popen[str]) -> dict[str, Any]:
    """What came of clients.

    Raises
    ------
    RuntimeError
        They failed themselves.
    """
    text, _ = client.communicate()
    if client.returncode != 0:
        raise RuntimeError(f"{CLIENT.name} failed.")
    found: dict[str, Any] = json.loads(text)
    return found


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # it has ended meanwhile
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
