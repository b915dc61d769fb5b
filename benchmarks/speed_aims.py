"""What was aimed at, and whether it was reached: computed from the figures, never typed."""

from __future__ import annotations

from collections.abc import Callable

import speed_scoring
from cold_start import LIMIT_S
from page_aims import Aim, Sections
from results_claims import NOT_THERE, Verdict
from speed_curves import PEOPLE, TOGETHER, curve_timings
from speed_parts import FLOOR, RUNTIME, RUNTIME_TWO
from speed_people import PAPER, best_linear, best_paper_way, best_runtime
from speed_threads import most_computing, slower_of_two
from speed_timing import Spread, Timing, ratio
from speed_words import digits, times, timings

PERSON_TIMES = 25.0
COHORT_TIMES = 10.0
FLOOR_TIMES = 1.5
FEW_PEOPLE, MANY_PEOPLE = 256, 2048
LINEAR_WITHIN = 0.10
BESIDE_EACH_OTHER = 0.9
NPY_PER_S, TSV_PER_S = 100.0, 40.0
MOST_MB = 400.0
GROWTH_TIMES = 1.1


def aims(sections: Sections) -> list[Aim]:
    """Return every aim with its verdict; without figures, nothing is said to be reached."""
    return [judge(sections) for judge in _JUDGES]


def _person(sections: Sections) -> Aim:
    what = "`paper`, one person, both tasks, connectome to forecast, beside the paper's way"
    aim = f"at least {PERSON_TIMES:g} times faster"
    if "person" not in sections:
        return what, _not_measured(aim)
    found = timings(sections["person"])
    slow = found[best_paper_way(found)]
    best, plain = ratio(slow, found[best_runtime(found)]), ratio(slow, found[PAPER])
    detail = f"{times(best)}, both on the cores that suit them; {times(plain)} with one thread"
    return what, Verdict(aim, best.median >= PERSON_TIMES, detail)


def _cohort(sections: Sections) -> Aim:
    what = "`paper`, a cohort on all cores, per person, beside the paper's best batch"
    aim = f"at least {COHORT_TIMES:g} times faster"
    if "cohort" not in sections:
        return what, _not_measured(aim)
    found = timings(sections["cohort"])
    measured = ratio(found[best_paper_way(found)], found[PAPER])
    beside_linear = ratio(found[best_linear(found)], found[PAPER])
    detail = (
        f"{times(measured)}: {sections['cohort']['n_people']} people, "
        f"{sections['cohort']['cores']} cores; {times(beside_linear)} beside a cell that `vmap` "
        "can batch"
    )
    return what, Verdict(aim, measured.median >= COHORT_TIMES, detail)


def _floor(sections: Sections) -> Aim:
    what = "`paper`, main network, one sequence, one core, beside the floor in C"
    aim = f"within {FLOOR_TIMES:g} times"
    found = timings(sections["recurrence"]) if "recurrence" in sections else {}
    if FLOOR not in found:
        return what, _not_measured(aim)
    measured = ratio(found[RUNTIME], found[FLOOR])
    both = ratio(found[RUNTIME_TWO], found[FLOOR])
    detail = f"{times(measured)}; two sequences together, each: {times(both)}"
    return what, Verdict(aim, measured.median <= FLOOR_TIMES, detail)


def _cold(sections: Sections) -> Aim:
    what, aim = "`compact`, `dtb-run predict` in a fresh process", f"under {LIMIT_S:.1f} s"
    found = sections.get("cold_start", {}).get("compact")
    if found is None:
        return what, _not_measured(aim)
    wall = Timing.from_json(found["wall"]).spread
    detail = f"{digits(wall.median)} s [{digits(wall.low)}, {digits(wall.high)}]"
    return what, Verdict(aim, wall.median < LIMIT_S, detail)


def _linear(sections: Sections) -> Aim:
    what = f"time a person of {MANY_PEOPLE:,} people, beside that of {FEW_PEOPLE}"
    aim = f"within {LINEAR_WITHIN:.0%}"
    found = _growth(sections)
    if not found:
        return what, _not_measured(aim)
    detail = ", ".join(f"`{preset}` {times(spread)}" for preset, spread in found.items())
    is_reached = all(abs(spread.median - 1) <= LINEAR_WITHIN for spread in found.values())
    return what, Verdict(aim, is_reached, detail)


def _growth(sections: Sections) -> dict[str, Spread]:
    """Return for each preset how much longer a person takes among many than among few."""
    growth = {}
    for curve in sections.get("curves", {}).get("curves", ()):
        found = curve_timings(curve, TOGETHER)
        if curve["axis"] == PEOPLE and {FEW_PEOPLE, MANY_PEOPLE} <= set(found):
            growth[curve["preset"]] = ratio(found[MANY_PEOPLE], found[FEW_PEOPLE])
    return growth


def _one_thread(sections: Sections) -> Aim:
    what, aim = "threads that compute in a process pinned to one core", "1"
    n = most_computing(sections.get("threads", {}))
    return what, _not_measured(aim) if n is None else Verdict(aim, n == 1, str(n))


def _side_by_side(sections: Sections) -> Aim:
    what = "two processes, a core each: speed of the slower beside itself alone"
    aim = f"at least {BESIDE_EACH_OTHER:g} times"
    spread = slower_of_two(sections.get("threads", {}))
    if spread is None:
        return what, _not_measured(aim)
    return what, Verdict(aim, spread.median >= BESIDE_EACH_OTHER, times(spread))


def _npy(sections: Sections) -> Aim:
    return _throughput(sections, speed_scoring.NPY, NPY_PER_S)


def _tsv(sections: Sections) -> Aim:
    return _throughput(sections, speed_scoring.TSV, TSV_PER_S)


def _throughput(sections: Sections, ending: str, least: float) -> Aim:
    what = f"`compact`, `dtb-run score` of `{ending}` files on all cores, people a second"
    aim = f"at least {least:g}"
    if "scoring" not in sections:
        return what, _not_measured(aim)
    speed = speed_scoring.rate(sections["scoring"], ending)
    detail = (
        f"{digits(speed.median)} [{digits(speed.low)}, {digits(speed.high)}]: "
        f"{sections['scoring']['n_people']:,} people, {sections['scoring']['jobs']} processes"
    )
    return what, Verdict(aim, speed.median >= least, detail)


def _memory(sections: Sections) -> Aim:
    what, aim = "`dtb-run score`, most memory of all its processes", f"under {MOST_MB:g} MB"
    if "scoring" not in sections:
        return what, _not_measured(aim)
    peak = speed_scoring.peak_mb(sections["scoring"])
    return what, Verdict(aim, peak < MOST_MB, f"{digits(peak)} MB")


def _flat(sections: Sections) -> Aim:
    what = "the same for the largest cohort, beside that of the smallest"
    aim = f"at most {GROWTH_TIMES:g} times"
    growth = speed_scoring.growth(sections["scoring"]) if "scoring" in sections else None
    if growth is None:
        return what, _not_measured(aim)
    sizes = " and ".join(f"{int(n):,}" for n in sections["scoring"]["memory"])
    return what, Verdict(aim, growth <= GROWTH_TIMES, f"{digits(growth)} times: {sizes} people")


def _kills(sections: Sections) -> Aim:
    what, aim = "a cohort killed again and again: bytes of its tables", "as without a kill"
    if "kills" not in sections:
        return what, _not_measured(aim)
    found = sections["kills"]
    is_same = bool(found["same_bytes"]) and all(found["same_bytes"].values())
    detail = f"{'same' if is_same else 'others'} after {found['kills']} kills"
    return what, Verdict(aim, is_same, f"{detail}, {found['people']} people")


def _broken(sections: Sections) -> Aim:
    what, aim = "a cohort with broken files", "good rows, and the right reasons"
    if "kills" not in sections:
        return what, _not_measured(aim)
    found = sections["kills"]
    n_good, n_right = found["people"] - found["broken"], found["broken"]
    is_right = found["good_rows"] == n_good and found["right_reasons"] == n_right
    detail = (
        f"{found['good_rows']} good rows of {n_good}, {found['right_reasons']} right reasons of "
        f"{n_right}, {found['ways']} ways to be broken"
    )
    return what, Verdict(aim, is_right, detail)


def _cluster(sections: Sections) -> Aim:
    what, aim = "two Dask workers, one killed midway: rows", "everybody, as by processes"
    found = sections.get("cluster", {})
    if "same_bytes" not in found:
        return what, _not_measured(aim)
    is_same = found["good_rows"] == found["people"] and all(found["same_bytes"].values())
    detail = f"{found['good_rows']} of {found['people']}, killed after {found['done_at_kill']}"
    return what, Verdict(aim, is_same, detail)


def _not_measured(aim: str) -> Verdict:
    return Verdict(aim, None, NOT_THERE)


_JUDGES: tuple[Callable[[Sections], Aim], ...] = (
    _person,
    _cohort,
    _floor,
    _cold,
    _linear,
    _npy,
    _tsv,
    _memory,
    _flat,
    _kills,
    _broken,
    _cluster,
    _one_thread,
    _side_by_side,
)
