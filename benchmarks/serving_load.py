"""How much the service does, and how much it costs beside the Python API and `dtb-run score`."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from results_claims import table
from serving_client import read_answer
from serving_inputs import Inputs, Request
from serving_served import answers, serving
from speed_timing import Method, Spread, Timing, rounded, take_turns
from speed_words import Figures, digits

from dtb_runtime.service_jobs import Job
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_worker import ServiceWorker

HTTP, HERE = "http", "here"
HTTP_ALL, API = "http_all", "api"


def measure_load(inputs: Inputs) -> dict[str, Any]:
    """Let more and more clients ask."""
    rows = []
    with serving(inputs) as served:
        cases = [("binary", n, inputs.binary()) for n in inputs.sizes.clients]
        cases += [("JSON", 1, inputs.json())]
        for form, clients, request in cases:
            answers(served.ask(request, clients, n_requests=2 * clients))  # all is warm
            found = answers(served.ask(request, clients, seconds=inputs.sizes.load_s))
            rows.append(
                {
                    "form": form,
                    "clients": clients,
                    "per_s": rounded(found["statuses"].get("200", 0) / found["wall_s"]),
                    "p50_ms": _milliseconds(found["p50_s"]),
                    "p99_ms": _milliseconds(found["p99_s"]),
                    "statuses": found["statuses"],
                }
            )
    n_bytes = len(inputs.binary().body)
    return {
        "workers": inputs.n_cores,
        "seconds": inputs.sizes.load_s,
        "n_bytes": n_bytes,
        "rows": rows,
    }


def write_load(figures: Figures) -> str:
    """Return the section about load."""
    rows = [
        [
            str(row["clients"]),
            row["form"],
            digits(row["per_s"]),
            _shown(row["p50_ms"]),
            _shown(row["p99_ms"]),
            ", ".join(f"{n} x {status}" for status, n in row["statuses"].items()),
        ]
        for row in figures["rows"]
    ]
    said = (
        f"Clients in a second process, each with one connection, ask for {figures['seconds']:g} s "
        f"for the indicators of one person after the other ({figures['n_bytes'] / 1e3:.0f} kB with "
        f"a binary tensor); {figures['workers']} workers. The clients take some of the same cores."
    )
    columns = ["clients", "form", "people a second", "p50 ms", "p99 ms", "answers"]
    return f"{said}\n\n{table(columns, rows)}"


def measure_overhead(inputs: Inputs) -> dict[str, Any]:
    """Ask for one person after the other, and do the same in this process in turn."""
    request, everything, bundle = inputs.binary(), inputs.binary(None), inputs.loaded
    worker = ServiceWorker([bundle], ServiceLimits())
    people = _People(inputs)

    def work() -> None:
        body = request.of(next(people))
        job = Job("infer", body, header_length=request.header_length, model="twin")
        (answer,) = worker.answer([job])
        if answer.status != 200:
            raise RuntimeError(f"The worker answered {answer.status}.")

    with serving(inputs, 1) as served:
        asker, other = (_Asker(served.address, each) for each in (request, everything))
        methods = {
            HTTP: Method(lambda: asker.ask(next(people))),
            HERE: Method(work),
            HTTP_ALL: Method(lambda: other.ask(next(people))),
            API: Method(lambda: bundle.personalize(people.connectome()).forecast_tasks(draws=1)),
        }
        found = take_turns(methods, inputs.sizes.rounds, least_s=inputs.sizes.least_s)
        asker.close()
        other.close()
    return {"timings": {name: timing.to_json() for name, timing in found.items()}}


def overhead_ms(figures: Figures, asked: str, done: str) -> Spread:
    """How much longer a request takes than the same without a service."""
    found = {name: Timing.from_json(of) for name, of in figures["timings"].items()}
    pairs = zip(found[asked].seconds, found[done].seconds, strict=True)
    return Spread.of([1e3 * (http - here) for http, here in pairs])


def write_overhead(figures: Figures) -> str:
    """Return the section about one client."""
    found = {name: Timing.from_json(of) for name, of in figures["timings"].items()}
    in_ms = {name: Spread.of([1e3 * s for s in of.seconds]) for name, of in found.items()}
    rows = [
        ("a request for a person's indicators", in_ms[HTTP]),
        ("the same work in the client's process", in_ms[HERE]),
        ("the difference, round by round", overhead_ms(figures, HTTP, HERE)),
        ("a request for all that is forecast, BOLD of all regions with it", in_ms[HTTP_ALL]),
        ("`personalize` and `forecast_tasks(draws=1)`", in_ms[API]),
        ("the difference, round by round", overhead_ms(figures, HTTP_ALL, API)),
    ]
    said = (
        "One worker, one thread on either side, somebody else each time. Answers with BOLD have 2 "
        "MB, those with indicators 1 kB. What those with BOLD take longer is mostly the way: a "
        "connectome there and BOLD back, through two processes beside the client's."
    )
    cells = [[name, f"{of.median:.2f} [{of.low:.2f}, {of.high:.2f}]"] for name, of in rows]
    return f"{said}\n\n{table(['', 'ms [quartiles]'], cells)}"


def measure_throughput(inputs: Inputs) -> dict[str, Any]:
    """Score a cohort of files, and let clients ask for as many people."""
    few, many = inputs.sizes.score_people
    seconds = [_scored_s(inputs, n_people) for n_people in (few, many)]
    clients = max(inputs.sizes.clients)
    with serving(inputs) as served:
        answers(served.ask(inputs.binary(), clients, n_requests=few))
        found = answers(served.ask(inputs.binary(), clients, n_requests=many))
    return {
        "cores": inputs.n_cores,
        "n_people": [few, many],
        "score_s": [rounded(each) for each in seconds],
        "clients": clients,
        "serve_s": rounded(found["wall_s"]),
        "statuses": found["statuses"],
    }


def share_of_score(figures: Figures) -> float:
    """How many people the service forecasts while `score` scores one."""
    few, many = figures["n_people"]
    short_s, long_s = figures["score_s"]
    score = (many - few) / (long_s - short_s)
    return float(figures["statuses"].get("200", 0) / figures["serve_s"] / score)


def write_throughput(figures: Figures) -> str:
    """Return the section about throughput."""
    few, many = figures["n_people"]
    short_s, long_s = figures["score_s"]
    rows = [
        [
            f"`dtb-run score` with {figures['cores']} processes: the further people of {many:,} "
            f"instead of {few:,} files",
            digits((many - few) / (long_s - short_s)),
        ],
        [
            f"`dtb-run serve` with {figures['cores']} workers, {figures['clients']} clients on the "
            f"same cores: {many:,} people",
            digits(figures["statuses"].get("200", 0) / figures["serve_s"]),
        ],
        ["share", f"{share_of_score(figures):.2f}"],
    ]
    return table(["", "people a second"], rows)


class _People:
    """Somebody else each time: one connection of one person, written anew."""

    def __init__(self, inputs: Inputs) -> None:
        self._values = inputs.connectome.copy()
        self._number = 0

    def __next__(self) -> float:
        self._number += 1
        return (self._number % 400_000) * 1e-6

    def connectome(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        self._values[0, 1] = self._values[1, 0] = -next(self)  # whom no request is of
        return self._values


class _Asker:
    """A client in this process."""

    def __init__(self, address: tuple[str, int], request: Request) -> None:
        head = (
            f"POST /v2/models/twin/infer HTTP/1.1\r\nHost: a\r\n"
            f"Inference-Header-Content-Length: {request.header_length}\r\n"
            f"Content-Length: {len(request.body)}\r\n\r\n"
        ).encode()
        self._request = bytearray(head + request.body)
        self._places = [len(head) + place for place in request.places]
        self._connection = socket.create_connection(address)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, value: float) -> None:
        for place in self._places:
            struct.pack_into("<f", self._request, place, value)
        self._connection.sendall(self._request)
        status, _ = read_answer(self._connection)
        if status != 200:
            raise RuntimeError(f"The service answered {status}.")

    def close(self) -> None:
        self._connection.close()


def _scored_s(inputs: Inputs, n_people: int) -> float:
    cohort, out = (inputs.folder / f"{name}_{n_people}" for name in ("cohort", "scores"))
    cohort.mkdir()
    for number in range(n_people):
        values = inputs.connectome.copy()
        values[0, 1] = values[1, 0] = number * 1e-6
        np.save(cohort / f"sub-{number:05d}.npy", values)
    words = ["score", str(cohort), "--out", str(out), "--bundle", inputs.bundle, "--json"]
    words += ["--jobs", str(inputs.n_cores), "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "dtb_cli.app", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"dtb-run score failed: {done.stderr.strip()}")
    _remove(cohort)
    return float(json.loads(done.stdout)["seconds"])


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else rounded(1e3 * seconds)


def _shown(value: float | None) -> str:
    return "" if value is None else digits(value)
