"""What befalls the service: minutes of load, an end in the middle, a worker that is killed."""

from __future__ import annotations

import os
import signal
import time
from statistics import median
from typing import Any

from results_claims import table
from serving_inputs import Inputs
from serving_served import answers, serving
from speed_timing import rounded
from speed_words import Figures, digits

_LOOKS = 10
_REPLACED_S = 60.0


def measure_sustained(inputs: Inputs) -> dict[str, Any]:
    """Let many clients ask for minutes, and look at the memory again and again."""
    sizes = inputs.sizes
    with serving(inputs) as served:
        request = inputs.binary()
        answers(
            served.ask(request, sizes.sustained_clients, n_requests=4 * sizes.sustained_clients)
        )
        client = served.ask(request, sizes.sustained_clients, seconds=sizes.sustained_s)
        memory = []
        for _ in range(_LOOKS):
            time.sleep(sizes.sustained_s / _LOOKS)
            memory.append({name: rounded(mb) for name, mb in served.memory_mb().items()})
        found = answers(client)
    return {
        "clients": sizes.sustained_clients,
        "seconds": sizes.sustained_s,
        "statuses": found["statuses"],
        "memory_mb": memory,
    }


def errors(figures: Figures) -> int:
    """How many requests had another end than an answer or 429."""
    return sum(n for status, n in figures["statuses"].items() if status not in ("200", "429"))


def growth(figures: Figures) -> float:
    """How many times the memory of the first looks the last ones find, in front or in workers.

    Medians of a third of the looks: what workers hold at a moment is more or less of a batch.
    """
    looks = figures["memory_mb"]
    third = -(-len(looks) // 3)
    return max(
        median(look[name] for look in looks[-third:]) / median(look[name] for look in looks[:third])
        for name in looks[0]
    )


def write_sustained(figures: Figures) -> str:
    """Return the section about minutes of load."""
    first, last = figures["memory_mb"][0], figures["memory_mb"][-1]
    most = {name: max(look[name] for look in figures["memory_mb"]) for name in first}
    rows = [[f"answered {status}", str(n)] for status, n in figures["statuses"].items()] + [
        [
            f"memory of {name}, MB: after a tenth of the time, at the end, most",
            ", ".join(digits(of[name]) for of in (first, last, most)),
        ]
        for name in first
    ]
    said = (
        f"{figures['clients']} clients ask for {digits(figures['seconds'] / 60)} minutes. What a "
        "worker holds at a moment goes up and down with its batch, so the aim compares medians of "
        f"the looks: the last third has {growth(figures):.2f} times the memory of the first."
    )
    return f"{said}\n\n{table(['', 'found'], rows)}"


def measure_end(inputs: Inputs) -> dict[str, Any]:
    """Send SIGTERM while clients ask; each goes on until it is told that there is no more."""
    sizes = inputs.sizes
    with serving(inputs) as served:
        client = served.ask(inputs.binary(), sizes.sustained_clients, seconds=600.0, goes_on=False)
        time.sleep(sizes.before_kill_s)
        code, taken_s = served.end()
        found = answers(client)
    return {
        "clients": sizes.sustained_clients,
        "exit_code": code,
        "seconds": rounded(taken_s),
        "statuses": found["statuses"],
    }


def write_end(figures: Figures) -> str:
    """Return the section about the end."""
    statuses = figures["statuses"]
    rows = [
        ["requests answered", str(statuses.get("200", 0))],
        ["told that the service is being stopped (503)", str(statuses.get("503", 0))],
        ["connections refused after the end", str(statuses.get("refused", 0))],
        ["requests without an answer", str(statuses.get("broken", 0))],
        ["exit code", str(figures["exit_code"])],
        ["seconds from the signal to the end", digits(figures["seconds"])],
    ]
    said = f"SIGTERM while {figures['clients']} clients ask without a pause."
    return f"{said}\n\n{table(['', 'found'], rows)}"


def measure_kill(inputs: Inputs) -> dict[str, Any]:
    """Kill a worker while clients ask."""
    sizes = inputs.sizes
    n_workers = max(2, inputs.n_cores)
    clients = 4 * n_workers
    with serving(inputs, n_workers) as served:
        client = served.ask(inputs.binary(), clients, seconds=4 * sizes.before_kill_s)
        time.sleep(sizes.before_kill_s)
        before = served.workers()
        os.kill(before[0], signal.SIGKILL)
        begin_s = time.perf_counter()
        while time.perf_counter() - begin_s < _REPLACED_S:
            now = served.workers()
            if len(now) == n_workers and before[0] not in now:
                break
            time.sleep(0.01)
        replaced_s = time.perf_counter() - begin_s
        found = answers(client)
        after = served.workers()
    return {
        "workers": n_workers,
        "clients": clients,
        "statuses": found["statuses"],
        "replaced_s": rounded(replaced_s),
        "n_kept": len(set(before[1:]) & set(after)),
        "n_after": len(after),
    }


def write_kill(figures: Figures) -> str:
    """Return the section about a worker that is killed."""
    statuses = figures["statuses"]
    rows = [
        ["requests answered", str(statuses.get("200", 0))],
        ["requests that the worker had, answered with 503", str(statuses.get("503", 0))],
        ["requests without an answer", str(statuses.get("broken", 0))],
        ["others", str(sum(n for s, n in statuses.items() if s not in ("200", "503", "broken")))],
        ["workers that went on", f"{figures['n_kept']} of {figures['workers'] - 1}"],
        ["workers at the end", f"{figures['n_after']} of {figures['workers']}"],
        ["seconds until another process was there", digits(figures["replaced_s"])],
    ]
    said = (
        f"SIGKILL to one of {figures['workers']} workers while {figures['clients']} clients ask. "
        "Requests that it had together are tried once more: 503 is left for one that it had alone."
    )
    return f"{said}\n\n{table(['', 'found'], rows)}"
