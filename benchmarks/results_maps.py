"""Contrast maps on the results page: of simulated people, and of real brains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results_claims import NOT_THERE, Claim, ClaimTable, Verdict, at_least, interval, number
from results_figures import TASK_NAMES, Report, figure_of
from results_sections import Part, Section, warnings, what_is_real, who_was_judged

LEAST_GROUP_T_R = 0.95
"""Simulated people: group t over task x region."""
LEAST_GROUP_MAP_R = 0.84
"""Real brains, the paper's figure."""
SIGNIFICANT = 0.05
_OTHERS = "mean of the others' measured maps"
_ALIKE = "as many others' measured maps"
_PLANTED = "planted, without noise"
_SAME_FOR_ALL = "the same for everybody, no t"
_EXCHANGED = "shuffled connectomes"
_ANYBODY = "population twin"


def contrast_parts(report: Report) -> list[Part]:
    """Return the table of contrast maps of people with trials; nothing without BOLD."""
    maps: Mapping[str, Any] | None = report["maps"]
    if maps is None:
        return []
    claims = _group_claims(maps, (report["planted"] or {}).get("noiseless_group_t_r"))
    for task, people in maps["people"].items():
        own = figure_of(people["twin_r"])
        found = maps["identification"].get(task)
        if found is None:  # several networks, so that maps cannot be held against each other
            continue
        claims.append(
            Claim(
                f"map of each person, mean r, {TASK_NAMES[task]}",
                NOT_THERE if own is None else str(own.n),
                interval(own),
                {_OTHERS: interval(figure_of(people["rule/mean_of_others_r"]))},
                {
                    _EXCHANGED: number(people["control/shuffled_r"]),
                    "own map closer than another's": _rate(found["maps"]),
                },
            )
        )
    notes = (
        "Of the group, shuffling connectomes changes nothing: a statistic over people does not "
        "know who is who. So the control is scans of draws of the whole population. A high figure "
        "says that the task's map was learned, not that connectomes tell anything.",
        "A t over people is a mean over their spread, and in scans most of the spread is noise. "
        "So one scan of each twin is taken: one draw of what is not known of the person, with "
        "noise as in a scan. Forecasts as they are, the paper's way, are held against the same "
        "aim; beside them stands what they would reach without a fault: the responses that were "
        "planted, without noise.",
    )
    return [Part("Contrast maps", ClaimTable(tuple(claims)), notes)]


def _group_claims(
    maps: Mapping[str, Any], noiseless: Mapping[str, float | None] | None
) -> list[Claim]:
    """Return the rows of the group; what was planted is known of simulated people alone."""
    reliable = {task: number(r) for task, r in maps["group_reliability"].items()}
    names = {"scanned_group_t_r": "group t over task x region, one scan of each twin, r"}
    names |= {f"scanned_group_t_r:{task}": f"the same, {TASK_NAMES[task]}, r" for task in reliable}
    names["group_t_r"] = "group t over task x region, forecasts as they are, r"
    names |= {f"group_t_r:{task}": f"the same, {TASK_NAMES[task]}, r" for task in reliable}
    names |= {
        f"group_estimate_r:{task}": f"mean estimate, {TASK_NAMES[task]}, r" for task in reliable
    }
    claims = []
    for name, label in names.items():
        own = figure_of(maps["group"].get(name))
        value = None if own is None else own.value
        task = name.partition(":")[2]
        aims: tuple[Verdict, ...] = ()
        if noiseless is not None and name in ("scanned_group_t_r", "group_t_r"):
            aims = (at_least(value, LEAST_GROUP_T_R),)
        n = maps["n_people"][task] if task else max(maps["n_people"].values())
        beside = {_ALIKE: reliable[task] if task else ", ".join(reliable.values())}
        if noiseless is not None and name in noiseless:
            beside[_PLANTED] = number(noiseless[name])
        anybody = figure_of(maps["group"].get(f"control/population:{name}"))
        controls = {_ANYBODY: interval(anybody) or _SAME_FOR_ALL}
        claims.append(Claim(label, str(n), interval(own), beside, controls, aims))
    return claims


def real_brains(report: Report) -> Section:
    """Return the section about people with real connectomes and activations."""
    maps = report["maps"]
    claims = (_own_maps(maps["people"]), *_group_maps(maps))
    notes = (
        f"{_OTHERS}: what a forecast that knows nothing of the person would be. Each person's twin "
        "comes from a network that was made without that person's activations.",
        "The mean over all of maps left out one by one is circular beside the mean of the same "
        "people: for the mean of the others it is that mean itself, whatever the maps are, and "
        "each network knows all but one of the people it is judged on. The same holds in part for "
        "halves. Only the rows of people who are unknown to one network say how a new group would "
        "be forecast.",
        _bound_sentence(maps["group"]),
    )
    return Section(
        "Real brains: face > shape maps from real connectomes",
        what_is_real(report),
        (who_was_judged(report),),
        (
            Part(f"Maps of {maps['n_regions']} regions", ClaimTable(claims), notes),
            Part(
                "Is the own connectome's map the closest?",
                ClaimTable(_identification(maps)),
                (identification_answer(maps["identification"]),),
            ),
        ),
        warnings(report),
        report["command"],
    )


def identification_answer(found: Mapping[str, Any]) -> str:
    """Return the answer to the individual question in plain words."""
    maps, away = found["maps"], found["departures_from_the_mean"]
    question = (
        "**Is the own connectome's map closer to the own activation than the maps of other "
        "people's connectomes?**"
    )
    if maps is None or away is None:
        return f"{question} No: the forecast is the same for everybody."
    is_closer = [_is_closer(each) for each in (maps, away)]
    numbers = (
        f"of the maps, the own one is closer than another person's in {maps['pairwise_rate']:.0%} "
        f"of the pairs (chance 50%, p = {maps['pairwise_p']:.2g}), and the closest of all "
        f"{maps['n_people']} in {maps['top_rate']:.0%} (chance {maps['top_chance']:.0%}, p = "
        f"{maps['top_p']:.2g}); of their departures from the group's mean, in "
        f"{away['pairwise_rate']:.0%} (p = {away['pairwise_p']:.2g})"
    )
    if all(is_closer):
        return f"{question} Yes: {numbers}."
    if any(is_closer):
        return f"{question} Not clearly: {numbers}. Only one of the two is above chance."
    return (
        f"{question} No: {numbers}. In these {maps['n_people']} people the forecast is that of "
        "the group; what is individual in it has not been shown to be right."
    )


def _own_maps(people: Mapping[str, Any]) -> Claim:
    own, minus = figure_of(people["twin_r"]), figure_of(people["difference"])
    return Claim(
        "map of each person, mean r",
        NOT_THERE if own is None else str(own.n),
        interval(own),
        {_OTHERS: interval(figure_of(people["rule/mean_of_others_r"]))},
        {
            "other people's connectomes": interval(
                figure_of(people["control/other_connectomes_r"])
            ),
            _ANYBODY: interval(figure_of(people["control/population_r"])),
        },
        beside_best=interval(minus),
    )


def _group_maps(maps: Mapping[str, Any]) -> list[Claim]:
    group, n = maps["group"], len(maps["people"]["by_person"])
    aimed = (at_least(group["all_r"], LEAST_GROUP_MAP_R),)
    claims = [
        Claim(
            "mean of all maps, with the mean of the same people (circular), r",
            str(n),
            number(group["all_r"]),
            {_OTHERS: "1 by construction"},
            {_ANYBODY: number(group["control/population_all_r"])},
            aimed,
            bound=number(group["bound"]),
        ),
        Claim(
            "mean of half, with the other half's mean (circular in part), r",
            str(n),
            number(group["half_against_other_half_r"]),
            {_OTHERS: number(group["rule/half_against_other_half_r"])},
            {_ANYBODY: number(group["control/population_half_against_other_half_r"])},
        ),
    ]
    for half in group["unseen_half_r"]:
        claims.append(
            Claim(
                f"mean of {len(half['unseen'])} people unknown to one network, with theirs, r",
                str(len(half["unseen"])),
                number(half["r"]),
                {_OTHERS: number(half["rule/mean_of_known_r"])},
                {_ANYBODY: number(half["control/population_r"])},
                (at_least(half["r"], LEAST_GROUP_MAP_R),),
            )
        )
    return claims


def _identification(maps: Mapping[str, Any]) -> tuple[Claim, ...]:
    claims = []
    for name, found in maps["identification"].items():
        if found is None:
            continue
        for kind, label in (("pairwise", "closer than another's"), ("top", "closest of all")):
            aim = f"above chance, p below {SIGNIFICANT:g}"
            verdicts = (Verdict(aim, _is_closer(found), NOT_THERE),) if kind == "pairwise" else ()
            claims.append(
                Claim(
                    f"{name.replace('_', ' ')}: own {label}, rate",
                    str(found["n_people"]),
                    number(found[f"{kind}_rate"]),
                    {"chance": number(found[f"{kind}_chance"])},
                    {"people exchanged: p": number(found[f"{kind}_p"])},
                    verdicts,
                )
            )
    return tuple(claims)


def _is_closer(found: Mapping[str, Any]) -> bool:
    above = found["pairwise_rate"] > found["pairwise_chance"]
    return bool(above and found["pairwise_p"] < SIGNIFICANT)


def _rate(found: Mapping[str, Any]) -> str:
    return f"{found['pairwise_rate']:.0%} (chance 50%, p = {found['pairwise_p']:.2g})"


def _bound_sentence(group: Mapping[str, Any]) -> str:
    return (
        "bound: the r that a perfect forecast would have, since the mean of so many measured maps "
        f"is noisy, too (reliability {number(group['reliability'])})."
    )
