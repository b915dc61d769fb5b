"""Folders as our commands write them, of the tiny bundle, for the tests of reports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from dtb_runtime.arm_settings import TrialSettings
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.cohort_run import score_cohort
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import ConnectomeChange
from dtb_runtime.intervention import try_plan
from dtb_runtime.intervention_outputs import write_intervention
from dtb_runtime.intervention_trial import run_trial
from dtb_runtime.outputs import write_forecasts
from dtb_runtime.plan import Goal, Plan, parcellation_of
from dtb_runtime.report_contents import Report, make_report
from dtb_runtime.scoring import ScoreSettings
from dtb_runtime.seen_trials import seen_trials
from dtb_runtime.summary import summary
from dtb_runtime.tasks import TASKS
from dtb_runtime.trials_seen import read_observed

from .conftest import BUNDLES, make_correlations

TINY = BUNDLES / "tiny"
EXAMPLES = Path(__file__).parents[2] / "examples"
DRAWS = 4
N_PEOPLE, BROKEN = 12, 7
SUMMARY = "sub-01_desc-twin_summary.json"
VOID = {"meta", "img", "source", "br", "link"}


@dataclass(frozen=True, slots=True)
class Folders:
    """Everything once."""

    predicted: Path
    calibrated: Path
    printed: Path
    """What `calibrate --json` prints."""
    intervention: Path
    scores: Path
    trial: Path


@cache
def made_folders(root: Path) -> Folders:
    """Forecasts before and after learning, an intervention, a scored cohort and a trial.

    Made once a process. Not to be changed: take a copy.
    """
    root.mkdir()
    bundle = load_bundle(TINY, device="cpu")
    runs = [read_observed(EXAMPLES / f"sub-example_task-{task}AP_events.tsv") for task in TASKS]
    connectome = Connectome.from_matrix(make_correlations(0))
    before = bundle.personalize(connectome, participant_id="sub-01")
    after = before.calibrate(runs, seed=0)
    folders = Folders(
        *(root / name for name in ("predicted", "calibrated", "printed.json")),
        *(root / name for name in ("intervention", "scores", "trial")),
    )
    summaries = []
    for twin, folder in ((before, folders.predicted), (after, folders.calibrated)):
        forecasts = twin.forecast_tasks(draws=DRAWS)
        write_forecasts(folder, twin, forecasts)
        summaries.append(summary(twin, forecasts))
    kept = ("calibration", "indicators", "indicator_intervals")
    printed = summaries[1] | {
        "before": {name: summaries[0][name] for name in kept},
        "learned": {"spread_left": 0.48},
        "seen": [each.to_json() for each in seen_trials(after, draws=DRAWS)],
    }
    folders.printed.write_text(json.dumps(printed), encoding="utf-8")
    plan = _plan(bundle)
    own = replace(plan, participant_id="sub-01")
    tried = try_plan(bundle, connectome, own, shams=4)
    trade_off = [{"held": 0.0, "size_sd": 0.5, "reaction_time": -0.4}]
    write_intervention(folders.intervention, bundle, tried, trade_off=trade_off)
    _write_cohort(bundle, root, folders, plan)
    return folders


def _plan(bundle: Bundle) -> Plan:
    """A plan that needs no search: edges of the first region weaker."""
    return Plan(
        bundle=bundle.name,
        bundle_digest=bundle.digest,
        parcellation=parcellation_of(bundle).name,
        goals=(Goal("reaction_time", -0.02),),
        holds=("accuracy",),
        method="gradient",
        change=ConnectomeChange(
            "edges", np.array([[0, k] for k in range(1, 6)], np.int64), np.full(5, -0.3)
        ),
        participant_id=None,
        connectome_digest=None,
    )


def _write_cohort(bundle: Bundle, root: Path, folders: Folders, plan: Plan) -> None:
    people = root / "people"
    people.mkdir()
    for number in range(N_PEOPLE):
        np.save(people / f"sub-{number:02d}_connectome.npy", make_correlations(number))
    (people / f"sub-{BROKEN:02d}_connectome.npy").write_bytes(b"nothing")
    settings = ScoreSettings(draws=DRAWS)
    score_cohort(bundle, list_cohort(people), folders.scores, settings, jobs=1)
    trial = TrialSettings(plan.goals, plan.holds, ("common",), plan.to_bytes(bundle))
    run_trial(bundle, list_cohort(people), folders.trial, trial, jobs=1)


@cache
def whole_report(root: Path) -> Report:
    """A page of all of them at once, made once a process."""
    folders = made_folders(root)
    given = (folders.predicted, folders.calibrated, folders.printed, folders.intervention)
    return make_report([*given, folders.scores, folders.trial], bundle=str(TINY))


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change a JSON file in place."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@dataclass(slots=True)
class Element:
    """An element of a page, with what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, *tags: str) -> list[Element]:
        """Elements of these tags in it, in the order of the page."""
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] if child.tag in tags else []
                found += child.all(*tags)
        return found


class PageParser(HTMLParser):
    """Builds the tree, and fails where tags do not match."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        closed = self._open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag}>"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


def parsed(html: bytes) -> Element:
    """The tree of a page."""
    parser = PageParser()
    parser.feed(html.decode("utf-8"))
    parser.close()
    return parser.root


def tables_of(page: Element) -> dict[str, list[list[str]]]:
    """Cells of each table by its caption, the header first."""
    found = {}
    for group in page.all("div"):
        for table in group.all("table"):
            rows = [[cell.text.strip() for cell in row.all("th", "td")] for row in table.all("tr")]
            found[group.attributes["aria-label"]] = rows
    return found


def headings_of(page: Element) -> list[tuple[int, str]]:
    """Level and text of each heading."""
    return [(int(h.tag[1]), h.text.strip()) for h in page.all("h1", "h2", "h3", "h4")]


def numbers_in(text: str) -> list[float]:
    """All numbers of a text."""
    return [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", text)]
