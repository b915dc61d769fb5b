"""Requests that are made to do harm, and requests that a program makes up by the thousand."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from results_claims import table
from serving_client import read_answer
from serving_inputs import INFER, Inputs
from serving_served import Served, serving
from speed_timing import rounded
from speed_words import Figures, digits

CHECKS = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")
"""Of schemathesis; whether numbers are a connectome is not for a schema to say."""
FIXED = 1200
"""About so many requests it makes up of every schema, beside those that are drawn."""
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Hostile:
    """One way to ask what must not be answered."""

    what: str
    status: int
    """What it must be refused with."""
    send: Callable[[socket.socket], None]


def hostile_requests(inputs: Inputs) -> list[Hostile]:
    """Every way, for a bundle's regions."""
    values = inputs.connectome.astype("<f4")
    n = len(values)
    not_finite = values.copy()
    not_finite[0, 1] = not_finite[1, 0] = np.nan
    data = values.tobytes()
    deep = b"[" * 1_000_000
    bomb = zlib.compress(bytes(100_000_000), 9)

    def tensor(content: bytes, datatype: str = "FP32", shape: Any = None, **more: Any) -> bytes:
        given = {"name": "connectome", "datatype": datatype, "shape": shape or [1, n, n]}
        given["parameters"] = {"binary_data_size": len(data), **more}
        head = json.dumps({"inputs": [given]}).encode()
        line = f"Inference-Header-Content-Length: {len(head)}\r\n".encode()
        return _post(head + content, line)

    def endless(connection: socket.socket) -> None:
        connection.sendall(_head(b"Transfer-Encoding: chunked\r\n"))
        for _ in range(100):
            connection.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    plain = {
        "a NaN": (400, tensor(not_finite.tobytes())),
        "another datatype": (400, tensor(data, "INT32")),
        "another shape": (400, tensor(data, shape=[1, n, n + 1])),
        "a shape whose product is beyond 64 bits": (400, tensor(data, shape=[2**62, n, n])),
        "a binary tensor cut short": (400, tensor(data[: len(data) // 2])),
        "more binary data than there are tensors": (400, tensor(data + data)),
        "a size that no tensor has": (400, tensor(data, binary_data_size=2**63)),
        "1,000,000 lists within each other": (400, _post(deep)),
        "a number beyond float64": (400, _post(b'{"inputs": [1e999]}')),
        "what is no UTF-8": (400, _post(b'{"id": "\xff\xfe"}')),
        "2 GB announced": (413, _head(b"Content-Length: 2000000000\r\n")),
        "100 MB packed in 100 kB": (415, _post(bomb, b"Content-Encoding: gzip\r\n")),
        "1 MB of headers": (431, _head(b"X: " + bytes(1_000_000).replace(b"\0", b"a"))),
        "what is no HTTP": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        "a body that stops coming": (408, _head(b"Content-Length: 1000\r\n") + b"a"),
    }
    found = [
        Hostile(what, status, lambda to, sent=sent: to.sendall(sent))  # type: ignore[misc]
        for what, (status, sent) in plain.items()
    ]
    return [*found, Hostile("chunks without end", 411, endless)]


def measure_hostile(inputs: Inputs) -> dict[str, Any]:
    """Send everything once, then again and again while the memory is looked at."""
    sizes = inputs.sizes
    with serving(inputs, None, "--max-body-seconds", f"{sizes.body_s:g}") as served:
        requests = hostile_requests(inputs)
        rows = {one.what: {"expected": one.status, "found": [], "seconds": []} for one in requests}
        _send_all(served, requests, rows)
        before = served.memory_mb()
        for _ in range(sizes.repeats):
            _send_all(served, requests, rows)
        after = served.memory_mb()
    return {
        "repeats": sizes.repeats + 1,
        "body_s": sizes.body_s,
        "rows": [{"what": what, **row} for what, row in rows.items()],
        "before_mb": {name: rounded(mb) for name, mb in before.items()},
        "after_mb": {name: rounded(mb) for name, mb in after.items()},
    }


def is_refused(row: Figures) -> bool:
    """Whether every request of one kind was refused as it must be."""
    return set(row["found"]) == {row["expected"]}


def slowest_s(figures: Figures) -> float:
    """The longest that a refusal took, but for what is waited for."""
    return max(max(row["seconds"]) for row in figures["rows"] if row["expected"] != 408)


def memory_growth(figures: Figures) -> float:
    """How many times the memory of before there is after, in front or in the workers."""
    return max(figures["after_mb"][name] / mb for name, mb in figures["before_mb"].items())


def write_hostile(figures: Figures) -> str:
    """Return the section about hostile requests."""
    rows = [
        [
            row["what"],
            ", ".join(map(str, sorted(set(row["found"])))) + ("" if is_refused(row) else " (NO)"),
            digits(max(row["seconds"])),
        ]
        for row in figures["rows"]
    ]
    memory = ", ".join(
        f"{name} {digits(mb)} MB before, {digits(figures['after_mb'][name])} MB after"
        for name, mb in figures["before_mb"].items()
    )
    said = (
        f"Each {figures['repeats']} times. A body that stops coming is waited for "
        f"{figures['body_s']:g} s here (`--max-body-seconds`). Memory: {memory}."
    )
    return f"{said}\n\n{table(['sent', 'status', 'longest until it is refused, s'], rows)}"


def measure_generated(inputs: Inputs) -> dict[str, Any]:
    """Let schemathesis make up requests from the OpenAPI document."""
    n_wanted = inputs.sizes.generated
    n_paths = 6  # that draw all they may; of addresses without a body there is little to draw
    drawn = max(1, -(-(n_wanted - FIXED) // n_paths))
    phases = "fuzzing" if n_wanted < FIXED else "coverage,fuzzing"
    with serving(inputs) as served:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json"]
        command += [*CHECKS, "--phases", phases, "--max-examples", str(drawn), "--no-color"]
        command += ["--generation-deterministic", "--continue-on-failure"]
        begin_s = time.perf_counter()
        done = subprocess.run(
            command, cwd=inputs.folder, capture_output=True, text=True, check=False
        )
        taken_s = time.perf_counter() - begin_s
        statuses = _statuses(served)
    generated = re.search(r"(\d[\d,]*) generated", done.stdout)
    if generated is None:
        raise RuntimeError(f"schemathesis failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    failures = re.findall(r"^- (ST\d+ .*)$", done.stdout, flags=re.MULTILINE)
    return {
        "generated": int(generated[1].replace(",", "")),
        "seconds": rounded(taken_s),
        "failures": failures,
        "passed": done.returncode == 0,
        "statuses": statuses,
    }


def write_generated(figures: Figures) -> str:
    """Return the section about generated requests."""
    rows = [[status, str(n)] for status, n in figures["statuses"].items()]
    failed = "; ".join(figures["failures"]) or "none"
    said = (
        f"`schemathesis` made up {figures['generated']:,} requests from `/openapi.json`, good and "
        f"bad ones, and held each answer against it (all its checks but that what a schema allows "
        f"must be accepted: whether numbers are a connectome is not for a schema to say). "
        f"Failures: {failed}."
    )
    return f"{said}\n\n{table(['answered', 'requests'], rows)}"


def _statuses(served: Served) -> dict[str, int]:
    """Requests by status, as the service counts them."""
    with socket.create_connection(served.address, _TIMEOUT_S) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(2**16), b"")).decode()
    found: dict[str, int] = {}
    pattern = r'^dtb_requests_total\{.*status="(\w+)"\} (\S+)$'
    for status, n in re.findall(pattern, text, flags=re.MULTILINE):
        found[status] = found.get(status, 0) + int(float(n))
    return dict(sorted(found.items()))


def _send_all(served: Served, requests: list[Hostile], rows: dict[str, dict[str, Any]]) -> None:
    for one in requests:
        with socket.create_connection(served.address, _TIMEOUT_S) as connection:
            begin_s = time.perf_counter()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                one.send(connection)
            try:
                status, _ = read_answer(connection)
            except OSError:
                status = 0
            rows[one.what]["seconds"].append(rounded(time.perf_counter() - begin_s))
            rows[one.what]["found"].append(status)


def _head(lines: bytes) -> bytes:
    ending = b"" if lines.startswith(b"X: ") else b"\r\n"
    return f"POST {INFER} HTTP/1.1\r\nHost: a\r\n".encode() + lines + ending


def _post(body: bytes, lines: bytes = b"") -> bytes:
    return _head(lines + f"Content-Length: {len(body)}\r\n".encode()) + body
