"""Figures of a run of the speed benchmark that never was, all aims reached."""

from __future__ import annotations

from typing import Any


def timing(*seconds: float) -> dict[str, Any]:
    """Return a timing as its file has it; the summary in it is not what pages are made of."""
    return {"median_s": -1.0, "q1_s": -1.0, "q3_s": -1.0, "seconds": list(seconds)}


def constant(seconds: float) -> dict[str, Any]:
    """Return the timing of a method that always takes the same."""
    return timing(seconds, seconds, seconds)


def made_figures() -> dict[str, Any]:
    """Return figures of every section."""
    methods = {"paper": 0.08, "paper_cores": 0.05, "compact": 0.03, "compact_cores": 0.02}
    methods |= {"paper_way_1": 2.0, "paper_way_all": 2.5, "rnn_1": 0.3, "rnn_all": 0.4}
    batches = {"paper_way_batch_1": 2.0, "paper_way_batch_8": 0.6, "paper_way_batch_64": 0.9}
    batches |= {"linear_batch_1": 1.0, "linear_batch_8": 0.2, "linear_batch_64": 0.4}
    cohort = {"paper": 0.04, "compact": 0.02, "rnn": 0.3, **batches}
    hyper = {"paper_1": 0.015, "paper_50": 0.0025, "compact_1": 0.004, "compact_50": 0.002}
    hyper |= {"torch_1": 0.016, "torch_50": 0.003}
    return {
        "date": "2031-02-03",
        "load": 0.1,
        "plan": "full",
        "machine": {
            "processor": "Abacus 9",
            "usable_cores": 2,
            "memory_gb": 8.0,
            "system": "Linux x86_64",
        },
        "versions": {"python": "3.11.0", "torch": "2.13.0"},
        "sections": {
            "person": {
                "timings": {name: constant(seconds) for name, seconds in methods.items()},
                "difference": 2e-06,
                "n_steps": [4930, 5100],
            },
            "cohort": {
                "timings": {name: constant(seconds) for name, seconds in cohort.items()},
                "n_people": 64,
                "cores": 2,
                "paper_way_threads": 1,
            },
            "hypernetwork": {
                "timings": {name: constant(seconds) for name, seconds in hyper.items()},
                "n_batch": 50,
                "n_bytes": {"paper": 219_000_000, "compact": 7_000_000},
            },
            "recurrence": {
                "timings": {
                    "runtime": constant(0.028),
                    "runtime_two": constant(0.015),
                    "floor": constant(0.02),
                    "floor_two": constant(0.018),
                },
                "n_units": 400,
                "n_steps": 4930,
                "left_out": None,
                "differences": {"floor": 2e-06, "floor_two": 2e-06},
                "lanes": 16,
                "flags": ["-O3"],
            },
            "cold_start": {
                "compact": {"wall": timing(0.5, 0.6, 0.7), "peak_mb": [120.0, 121.0, 122.0]},
                "paper": {"wall": timing(1.5, 1.6, 1.7), "peak_mb": [700.0, 701.0, 702.0]},
            },
            "curves": {
                "n_people": 16,
                "n_per_call": 16,
                "task": "hammer",
                "curves": [
                    _curve("people", "paper", {1: 0.05, 256: 0.04, 2048: 0.041}),
                    _curve("people", "compact", {1: 0.005, 256: 0.002, 2048: 0.0021}),
                    _curve("stimulus", "paper", {50: 0.005, 800: 0.08}),
                    _curve("stimulus", "compact", {50: 0.0005, 800: 0.008}),
                    _curve("regions", "compact", {100: 0.001, 1000: 0.006}),
                    _curve("units", "paper", {32: 0.002, 400: 0.04}),
                ],
            },
            "threads": {
                "pinned": [1, 1],
                "free": [2, 1],
                "side_by_side": [[0.97, 0.98, 0.99], [0.95, 0.96, 0.97]],
            },
            "scoring": {
                "jobs": 2,
                "n_people": 2048,
                "files": {
                    ".npy": {"wall": timing(0.007, 0.008, 0.009), "peak_mb": [350.0, 360.0]},
                    ".tsv": {"wall": timing(0.019, 0.02, 0.021), "peak_mb": [340.0, 341.0]},
                },
                "memory": {
                    "1000": {"wall_s": 8.0, "peak_mb": 350.0, "largest_mb": 140.0},
                    "10000": {"wall_s": 80.0, "peak_mb": 364.0, "largest_mb": 141.0},
                },
            },
            "kills": {
                "people": 500,
                "broken": 50,
                "ways": 10,
                "kills": 3,
                "done_at_kills": [0, 120, 310],
                "same_bytes": {"cohort.tsv": True, "cohort.json": True},
                "good_rows": 450,
                "right_reasons": 50,
            },
            "cluster": {
                "people": 400,
                "done_at_kill": 200,
                "good_rows": 400,
                "same_bytes": {"cohort.tsv": True},
            },
        },
    }


def _curve(axis: str, preset: str, seconds: dict[int, float]) -> dict[str, Any]:
    return {
        "axis": axis,
        "preset": preset,
        "values": list(seconds),
        "main": [constant(0.9 * value) for value in seconds.values()],
        "together": [constant(value) for value in seconds.values()],
    }
