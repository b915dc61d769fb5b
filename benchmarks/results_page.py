"""`docs/RESULTS.md` out of `docs/results/*.json`: every word and number of it.

The page is a function of these files alone. What was aimed at is in the code, and whether it was
reached is computed from the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from results_ablations import ablations
from results_claims import Claim, Verdict, table
from results_figures import CONTROL_NAMES, METRIC_NAMES, RULE_NAMES, Report
from results_maps import real_brains
from results_no_trials import no_trials
from results_people import calibrated, new_people, temporal
from results_planted import calibrated_simulated, simulated
from results_sections import Section
from results_words import in_words

from dtb_models.evaluation import MEANINGS
from dtb_models.metric_definitions import METRICS
from dtb_models.rules import RULES

SECTIONS: Mapping[str, tuple[tuple[str, Callable[[Report], Section]], ...]] = {
    "tcp_calibrated": (
        ("Real people, after their own first half", calibrated),
        ("Real people, no trial seen", no_trials),
    ),
    "tcp_temporal": (("Real people, the paper's split of time", temporal),),
    "tcp_new_people": (("New people, from simulated connectomes", new_people),),
    "simulated_tcp434": (("Simulated people with planted truth, `tcp434`", simulated),),
    "simulated_glasser360": (("Simulated people with planted truth, `glasser360`", simulated),),
    "simulated_calibrated": (
        ("Simulated people, connectome and own trials together", calibrated_simulated),
    ),
    "hcp_leave_one_out": (("Real brains: face > shape maps from real connectomes", real_brains),),
}
"""Name of an evaluation to the sections that are made of it, in the order of the page."""
ABLATIONS = "ablations"
NAMES = (*SECTIONS, ABLATIONS)
"""Every evaluation by the name of its file."""

_HEAD = """\
# Results

What the twins reach, beside what simple rules reach on the same people and trials, and controls.
`make results` runs every evaluation, keeps its figures in `docs/results` and writes this page from
them: no number here is typed by hand, and no figure of a twin is shown without a rule and a control
beside it."""
_READ = """\
## How to read this

- The first line of each section says what in it is real and what was simulated. The aims, which
  come first, are sorted by these sections.
- That an aim is reached does not say that no rule is better: for that see *Beside the best rule*.
- Brackets are 95 % bootstrap intervals over people; n is the people a figure is computed from.
- *minus the best rule* is the twin's figure minus that of whichever rule does best, on what both
  forecast, with the interval of the difference. For errors and losses, less is better.
- *reached?* is computed from the figures themselves, not from their intervals: an aim can be
  reached by chance, which the interval shows.
- *bound*: the highest r that any forecast can have, since what it is compared with is noisy.
- Judged are trials of the second 196.8 s of a run, response times where the answer was right. Of
  simulated people, contrast maps and what was planted are taken over whole runs.
- People at or below chance in a task are left out of it and counted, as in the paper; so are those
  with fewer than 8 right answers in either half, for mean response times.
- The settings of networks and calibration were chosen with cross-validated figures of the same 180
  real people in view; no people were kept that no choice has seen. Their figures are therefore
  somewhat optimistic."""
_REPRODUCE = """\
## Reproduce

`make results` needs the data folder (`DTB_SHARED`) and some hours on two processors. What is
finished is kept, so it goes on after a kill; `make results ARGS="--only tcp_calibrated"` makes one
part, `make results ARGS=--render` only writes this page again. The command below each section is
what was run, in the data folder. Every judged trial and every prediction is left in the work folder
(`runs/results`), from which the figures can be computed again."""


def read_reports(folder: Path) -> dict[str, Report]:
    """Return the evaluations that are in a folder, by name."""
    files = {name: folder / f"{name}.json" for name in NAMES}
    return {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name, file in files.items()
        if file.is_file()
    }


def render(reports: Mapping[str, Report]) -> str:
    """Return the whole page.

    Parameters
    ----------
    reports : mapping of str to mapping
        Name of an evaluation, one of `NAMES`, to its content. Evaluations that are missing are
        named as not run.

    Raises
    ------
    ClaimError
        If a figure has no rule or no control beside it.
    """
    made: list[Section] = []
    bodies: list[str] = []
    for name, makers in SECTIONS.items():
        for title, make in makers:
            if name in reports:
                section = make(reports[name])
                made.append(section)
                bodies.append(section.markdown())
            else:
                bodies.append(_not_run(title, name))
    if ABLATIONS in reports:
        bodies.append(ablations(reports[ABLATIONS]))
    else:
        bodies.append(_not_run("Model choices", ABLATIONS))
    aimed = [
        (section.title, part, claim, verdict)
        for section in made
        for part, claim in section.claims
        for verdict in claim.verdicts
    ]
    summary = (_summary(aimed), _falls_short(aimed)) if aimed else ()
    words = in_words(reports)
    parts = (_HEAD, words, _READ, _legend(), *summary, *bodies, _REPRODUCE)
    return "\n\n".join(part for part in parts if part) + "\n"


_Aimed = tuple[str, str, Claim, Verdict]


def _not_run(title: str, name: str) -> str:
    return f'## {title}\n\nNot run: `make results ARGS="--only {name}"`.'


def _summary(aimed: list[_Aimed]) -> str:
    """Return the tables of everything that was aimed at."""
    n_reached = sum(verdict.is_reached is True for *_, verdict in aimed)
    header = ["figure", "n", "aim", "twin", "rules", "controls", "reached?"]
    blocks = ["## What was aimed at", f"{n_reached} of {len(aimed)} aims are reached."]
    for title in dict.fromkeys(section for section, *_ in aimed):
        rows = [
            [
                _figure_of_part(part, claim),
                claim.n,
                verdict.aim,
                claim.twin,
                _beside(claim.rules),
                _beside(claim.controls),
                verdict.word,
            ]
            for section, part, claim, verdict in aimed
            if section == title
        ]
        blocks += [f"### {title}", table(header, rows)]
    return "\n\n".join(blocks)


def _falls_short(aimed: list[_Aimed]) -> str:
    """Return the list of every aim that is not reached, with its numbers."""
    lines = []
    for section, part, claim, verdict in aimed:
        if verdict.is_reached:
            continue
        where = f"{section}: {_figure_of_part(part, claim)}"
        if verdict.is_reached is None:
            lines.append(f"- {where}: not measured; aim: {verdict.aim}.")
            continue
        detail = f"; {verdict.detail}" if verdict.detail else ""
        lines.append(
            f"- {where}: {claim.twin} (n = {claim.n}); aim: {verdict.aim}{detail}. Rules: "
            f"{_beside(claim.rules)}. Controls: {_beside(claim.controls)}."
        )
    said = "\n".join(lines) or "Nothing: every aim is reached."
    return f"## What falls short\n\n{said}"


def _figure_of_part(part: str, claim: Claim) -> str:
    return f"{part}: {claim.figure}" if part else claim.figure


def _beside(cells: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {cell}" for name, cell in cells.items() if cell)


def _legend() -> str:
    """Return what metrics, rules and controls are."""
    meanings: dict[str, Any] = {f"rule/{rule.name}": rule.meaning for rule in RULES.values()}
    meanings |= {name: method.meaning for name, method in MEANINGS.items()}
    methods = [(label, meanings[name]) for name, label in (RULE_NAMES | CONTROL_NAMES).items()]
    figures = [(label, METRICS[name].meaning) for name, label in METRIC_NAMES.items()]
    return "\n\n".join(
        (
            table(["rule or control", "what it is"], methods),
            table(["figure", "what it is"], figures),
        )
    )
