"""How many processors this process may really use: affinity and control groups, not the machine.

A container on a 64-core host that is granted two cores still sees 64; threads beyond the grant only
wait for each other.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables from which libraries take how many threads they compute with."""
OWN_GROUPS = Path("/proc/self/cgroup")
"""Where Linux says which control groups a process is in."""


def usable_processors(cgroup_root: Path = Path("/sys/fs/cgroup")) -> dict[str, float | int | None]:
    """Return the machine's processors and how many of them this process may really use.

    Parameters
    ----------
    cgroup_root
        Where the control groups are mounted.

    Returns
    -------
    dict
        ``processors`` of the machine, ``affinity`` (those this process may be put on),
        ``cgroup_limit`` (processors' worth of time that a container grants, None without a limit),
        ``usable`` (the least of them, at least 1).
    """
    processors = os.cpu_count() or 1
    # sched_getaffinity is missing on macOS and Windows.
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else processors
    limit = cgroup_limit(cgroup_root)
    usable = affinity if limit is None else max(1, min(affinity, math.floor(limit)))
    return {
        "processors": processors,
        "affinity": affinity,
        "cgroup_limit": limit,
        "usable": usable,
    }


def n_usable() -> int:
    """Return how many processors this process may really use."""
    return int(usable_processors()["usable"] or 1)


def limit_libraries(
    environment: MutableMapping[str, str] = os.environ, *, most: int | None = None
) -> None:
    """Keep numpy's linear algebra to the processors that may really be used.

    OpenBLAS looks at the machine and at affinity, not at what a container grants. It reads the
    environment when numpy is loaded, so this comes before; a number that is set stays.

    Parameters
    ----------
    environment : mutable mapping of str to str
    most : int, optional
        Threads at most, where more do not help.
    """
    n_threads = n_usable() if most is None else min(n_usable(), most)
    environment.setdefault("OPENBLAS_NUM_THREADS", str(n_threads))


@contextlib.contextmanager
def one_thread_each(
    libraries: Sequence[str] = THREADS, environment: MutableMapping[str, str] = os.environ
) -> Iterator[None]:
    """Let processes that are started in here compute with one thread each.

    Libraries read the environment when they are loaded, so it is set while a process begins.

    Parameters
    ----------
    libraries : sequence of str
        What says how many threads each has.
    environment : mutable mapping of str to str
        As it was, in the end.
    """
    before = {name: environment.get(name) for name in libraries}
    environment.update(dict.fromkeys(libraries, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value


def cgroup_limit(root: Path) -> float | None:
    """Return the processors' worth of time that control groups grant, or None without a limit.

    Version 2 (``cpu.max``: quota and period, or "max") and version 1 (``cpu/cpu.cfs_quota_us``,
    -1 without a limit) are read; the tightest limit from this process's group up to the root
    counts. Inside a container the group's own path is often not there; its root then is the limit.
    """
    limits = []
    for folder in _own_groups(root):
        try:
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        except (OSError, ValueError):
            try:
                quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
                period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
            except OSError:
                continue
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            limits.append(int(quota) / int(period))
    return min(limits, default=None)


def _own_groups(root: Path) -> list[Path]:
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    folders = [root, root / "cpu"]
    for line in lines:
        _, colon, rest = line.partition(":")
        controllers, second_colon, path = rest.partition(":")
        if not (colon and second_colon):
            continue
        top = root if controllers == "" else root / "cpu"
        if controllers == "" or "cpu" in controllers.split(","):
            group = top / path.strip("/")
            folders += [group, *(p for p in group.parents if p.is_relative_to(top))]
    return folders
