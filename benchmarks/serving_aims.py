"""What was aimed at with the service, and whether it was reached: computed from the figures."""

from __future__ import annotations

import serving_hostile
import serving_load
import serving_survival
from page_aims import Aim, AimRow, Sections, judged
from results_claims import Verdict
from speed_words import Figures, digits

OVERHEAD_MS = 3.0
OF_SCORE = 0.8
GROWTH_TIMES = 1.1
REFUSED_S = 2.0
GENERATED = 10_000
MAX_BATCH = 16
"""Requests that one worker may have."""


def aims(sections: Sections) -> list[Aim]:
    """Return every aim with its verdict."""
    return judged(_AIMS, sections)


def _overhead(figures: Figures) -> Verdict:
    return _extra(figures, serving_load.HTTP, serving_load.HERE)


def _overhead_of_all(figures: Figures) -> Verdict:
    return _extra(figures, serving_load.HTTP_ALL, serving_load.API)


def _extra(figures: Figures, asked: str, done: str) -> Verdict:
    extra = serving_load.overhead_ms(figures, asked, done)
    detail = f"{extra.median:.2f} [{extra.low:.2f}, {extra.high:.2f}] ms"
    return Verdict(_OVERHEAD, extra.median < OVERHEAD_MS, detail)


def _throughput(figures: Figures) -> Verdict:
    share = serving_load.share_of_score(figures)
    return Verdict(_THROUGHPUT, share >= OF_SCORE, f"{share:.2f}")


def _errors(figures: Figures) -> Verdict:
    n_errors = serving_survival.errors(figures)
    n_asked = sum(figures["statuses"].values())
    return Verdict(_NO_ERRORS, n_errors == 0, f"{n_errors} of {n_asked:,}")


def _memory(figures: Figures) -> Verdict:
    times = serving_survival.growth(figures)
    return Verdict(_FLAT, times <= GROWTH_TIMES, f"{times:.2f} times")


def _end(figures: Figures) -> Verdict:
    broken = figures["statuses"].get("broken", 0)
    n_answered = figures["statuses"].get("200", 0)
    detail = f"{n_answered:,} answered, {broken} not; exit code {figures['exit_code']}"
    return Verdict(_ENDS, broken == 0 and figures["exit_code"] == 0, detail)


def _kill(figures: Figures) -> Verdict:
    statuses = figures["statuses"]
    lost = statuses.get("503", 0)
    others = sum(n for status, n in statuses.items() if status not in ("200", "503"))
    is_whole = figures["n_after"] == figures["workers"]
    goes_on = figures["n_kept"] == figures["workers"] - 1
    detail = f"{lost} with 503, {others} otherwise; {figures['n_after']} workers at the end"
    return Verdict(_KILL, lost <= MAX_BATCH and others == 0 and is_whole and goes_on, detail)


def _hostile(figures: Figures) -> Verdict:
    n_refused = sum(map(serving_hostile.is_refused, figures["rows"]))
    slowest = serving_hostile.slowest_s(figures)
    detail = f"{n_refused} of {len(figures['rows'])} kinds, the slowest in {digits(slowest)} s"
    is_reached = n_refused == len(figures["rows"]) and slowest <= REFUSED_S
    return Verdict(_HOSTILE, is_reached, detail)


def _hostile_memory(figures: Figures) -> Verdict:
    times = serving_hostile.memory_growth(figures)
    return Verdict(_FLAT, times <= GROWTH_TIMES, f"{times:.2f} times")


def _generated(figures: Figures) -> Verdict:
    is_reached = figures["passed"] and figures["generated"] >= GENERATED
    n_errors = sum(n for status, n in figures["statuses"].items() if status.startswith("5"))
    detail = (
        f"{figures['generated']:,} requests, {len(figures['failures'])} failures, {n_errors} 5xx"
    )
    return Verdict(_GENERATED, is_reached and n_errors == 0, detail)


_OVERHEAD = f"less than {OVERHEAD_MS:g} ms"
_THROUGHPUT = f"at least {OF_SCORE:g}"
_NO_ERRORS = "none but 429"
_FLAT = f"at most {GROWTH_TIMES:g} times"
_ENDS = "all; exit code 0"
_KILL = "what it had alone gets 503, others an answer; replaced"
_HOSTILE = f"each with its status, within {REFUSED_S:g} s"
_GENERATED = f"at least {GENERATED:,}, no 5xx, nothing against the document"
_AIMS: tuple[AimRow, ...] = (
    (
        "One client: a request for indicators beside the same work in its own process",
        "overhead",
        _OVERHEAD,
        _overhead,
    ),
    (
        "One client: a request for all that is forecast (2 MB of BOLD) beside the Python API",
        "overhead",
        _OVERHEAD,
        _overhead_of_all,
    ),
    ("Most clients: people a second beside `score`", "throughput", _THROUGHPUT, _throughput),
    ("Minutes of load: errors", "sustained", _NO_ERRORS, _errors),
    (
        "Minutes of load: memory in the last third beside the first (medians)",
        "sustained",
        _FLAT,
        _memory,
    ),
    ("SIGTERM in the middle: accepted requests are answered", "end", _ENDS, _end),
    ("SIGKILL to a worker in the middle", "kill", _KILL, _kill),
    ("Hostile requests are refused", "hostile", _HOSTILE, _hostile),
    ("Hostile requests: memory after them", "hostile", _FLAT, _hostile_memory),
    ("Generated requests", "generated", _GENERATED, _generated),
)
