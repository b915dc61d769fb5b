"""Reports with made-up figures, in the form that evaluations write."""

from __future__ import annotations

from typing import Any

from dtb_models.metric_definitions import METRICS
from dtb_models.rules import RULES


def all_reports() -> dict[str, dict[str, Any]]:
    """Return one of every evaluation, by name."""
    return {
        "tcp_calibrated": people_report("calibrated", "tcp", "none"),
        "tcp_temporal": people_report("temporal", "tcp", "none"),
        "tcp_new_people": people_report("new-people", "tcp", "simulated"),
        "simulated_tcp434": people_report("new-people", "simulated", "simulated")
        | {"planted": planted_report(), "maps": maps_report()},
        "hcp_leave_one_out": hcp_report(),
        "ablations": ablations_report(),
    }


def made_figure(value: float, n: int = 40) -> dict[str, float | int]:
    """Return a figure's JSON object."""
    ends = {"value": value, "low": value - 0.01, "high": value + 0.01}
    return {name: round(end, 6) for name, end in ends.items()} | {"n": n}


def people_report(protocol: str, source: str, connectomes: str) -> dict[str, Any]:
    """Return a report in which the twin is a little better than everything beside it."""
    names = [f"{metric}:{task}" for metric in METRICS for task in ("hammer", "stroop")]
    methods = ["twin", "control/population", *(f"rule/{rule}" for rule in RULES)]
    if connectomes != "none":
        methods += ["control/shuffled", "connectome/components"]
    figures = {
        method: {name: made_figure(_value(name, method)) for name in names} for method in methods
    }
    differences = {
        method: {
            name: made_figure(_value(name, "twin") - _value(name, method))
            for name in names
            if not isinstance(METRICS[name.partition(":")[0]].goal, float)
        }
        for method in methods[1:]
    }
    return {
        "data": {
            "kind": "real",
            "source": source,
            "description": "40 people.",
            "n_people": 40,
            "connectomes": connectomes,
        },
        "protocol": protocol,
        "bundle": None,
        "training": _TRAINING,
        "folds": 5 if source == "tcp" else None,
        "seed": 0,
        "judged": {"hammer": 38, "stroop": 39},
        "left_out": {"hammer": {"accuracy at or below chance": 2}, "stroop": {}},
        "in_sample": 0,
        "methods": {name: {"meaning": name, "figures": found} for name, found in figures.items()},
        "differences": differences,
        "reliability": {"mean_rt:hammer": {"bound_of_truth": 0.98}},
        "planted": None,
        "maps": None,
        "calibration": {
            "seconds_median": 3.2,
            "seconds_max": 4.9,
            "n_trials_median": 91.0,
            "not_converged": 0,
            "effective_draws_median": 166.0,
        },
        "warnings": ["These people are made up."],
        "notes": [],
        "versions": {},
        "command": "dtb-run evaluate --data tcp tcp --protocol calibrated",
        "no_trials": {
            "differences": {
                "rule/trial_type_mean": {f"rt_rmse_s:{t}": made_figure(-0.002) for t in _TASKS},
                "rule/demographics": {},
            },
            "interval_width_s": {
                task: {"twin": 0.6, "control/population": 0.9, "rule/trial_type_mean": 0.8}
                for task in _TASKS
            },
        },
    }


def _value(name: str, method: str) -> float:
    """0.9 or 0.1 for a twin, whichever is better, and less good for everything else."""
    goal = METRICS[name.partition(":")[0]].goal
    if isinstance(goal, float):
        return goal
    away = 0.0 if method == "twin" else 0.02
    return 0.93 - away if goal == "higher" else 0.1 + away


_TASKS = ("hammer", "stroop")
_TRAINING: dict[str, Any] = {
    "preset": "compact",
    "action_reading": "hazard",
    "regions": "tcp434",
    "sizes": {
        "hidden_size": 72,
        "personal_units": 40,
        "latent_size": 12,
        "bold_latents": 6,
        "n_bold": 434,
    },
    "settings": {"updates": 2000},
    "direct_epochs": None,
}


def planted_report() -> dict[str, Any]:
    """Return what was found of planted truth."""
    names = ("reaction_time", "reaction_time:hammer", "contrast_score:hammer", "amygdala:hammer")
    return {
        "window_s": None,
        "n_training": 228,
        "n_new": 200,
        "noiseless_group_t_r": {"group_t_r": 0.18, "group_t_r:hammer": 0.8},
        "targets": {
            name: {
                "ceiling_r": 0.42,
                "ceiling_r_true_factors": 0.5,
                "twin_r": made_figure(0.40, 200),
                "share_of_ceiling": 0.40 / 0.42,
                "control/shuffled_r": 0.01,
                "connectome/edge_sums_r": 0.2,
                "connectome/components_r": 0.3,
            }
            for name in names
        },
        "explained": {
            "scan": {"speed": 0.2, "factor_1": 0.9},
            "connectome": {"speed": 0.15, "factor_1": 0.8},
        },
    }


def maps_report() -> dict[str, Any]:
    """Return contrast maps of people with trials."""
    return {
        "window_s": None,
        "n_regions": 434,
        "n_people": {"hammer": 200},
        "group": {
            "group_t_r": made_figure(0.9, 200),
            "group_t_r:hammer": made_figure(0.9, 200),
            "scanned_group_t_r": made_figure(0.97, 200),
            "scanned_group_t_r:hammer": made_figure(0.97, 200),
            "control/population:scanned_group_t_r": made_figure(0.5, 200),
            "control/population:scanned_group_t_r:hammer": made_figure(0.5, 200),
            "group_estimate_r:hammer": made_figure(0.98, 200),
        },
        "group_reliability": {"hammer": 0.99},
        "people": {
            "hammer": {
                "twin_r": made_figure(0.6, 200),
                "rule/mean_of_others_r": made_figure(0.61, 200),
                "control/shuffled_r": 0.55,
            }
        },
        "between_people": {"hammer": {}},
        "identification": {"hammer": {"maps": rates(0.6, 0.001)}},
    }


def rates(rate: float, p: float) -> dict[str, float | int]:
    """Return an identification of ten people."""
    found = {"n_people": 10, "pairwise_rate": rate, "pairwise_chance": 0.5, "pairwise_p": p}
    return found | {"top_rate": 0.2, "top_chance": 0.1, "top_p": p}


def hcp_report() -> dict[str, Any]:
    """Return a report of real brains."""
    report = people_report("calibrated", "hcp", "real") | {"protocol": None, "calibration": None}
    report |= {"judged": {"hammer": 10}, "left_out": {"hammer": {}}, "methods": {}}
    report["maps"] = {
        "contrast": "face_shape",
        "n_regions": 360,
        "leave_one_out": True,
        "people": {
            "twin_r": made_figure(0.58, 10),
            "rule/mean_of_others_r": made_figure(0.6, 10),
            "difference": made_figure(-0.02, 10),
            "control/other_connectomes_r": made_figure(0.57, 10),
            "control/population_r": made_figure(0.56, 10),
            "by_person": {f"sub-{i}": {} for i in range(10)},
        },
        "group": {
            "all_r": 0.98,
            "control/population_all_r": 0.97,
            "half_against_other_half_r": 0.96,
            "rule/half_against_other_half_r": 0.85,
            "control/population_half_against_other_half_r": 0.95,
            "unseen_half_r": [
                {
                    "unseen": ["a", "b", "c", "d", "e"],
                    "r": 0.8,
                    "rule/mean_of_known_r": 0.84,
                    "control/population_r": 0.81,
                }
            ],
            "reliability": 0.9,
            "bound": 0.95,
        },
        "identification": {
            "maps": rates(0.52, 0.4),
            "departures_from_the_mean": rates(0.51, 0.45),
        },
    }
    return report


def ablations_report() -> dict[str, Any]:
    """Return two variants with rules and controls."""
    names = [f"{m}:{t}" for t in _TASKS for m in ("rt_r", "rt_rmse_s", "choice_log_loss")]
    figures = {name: made_figure(0.5) for name in names}
    modes = ("calibrated", "no_trials", "connectome")
    return {
        "data": people_report("new-people", "tcp", "simulated")["data"],
        "seed": 1,
        "parts": 5,
        "n_trained": 144,
        "updates": 1000,
        "judged": {"hammer": 35, "stroop": 36},
        "variants": {
            "base": {
                "meaning": "as it is",
                "minutes": 5.0,
                "modes": dict.fromkeys(modes, figures),
                "minus_base": {},
            },
            "paper": {
                "meaning": "the paper's",
                "minutes": 9.0,
                "modes": {"connectome": figures},
                "minus_base": {"connectome": {"rt_r:stroop": made_figure(-0.2)}},
            },
        },
        "rules": {mode: {"rule/trial_type_mean": figures} for mode in modes},
        "controls": {mode: {"control/population": figures} for mode in modes},
        "command": "python benchmarks/results.py --only ablations",
    }
