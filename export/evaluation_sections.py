"""The figures of evaluations in a model card: who was judged, how, and a table of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dtb_models.evaluation import MEANINGS
from dtb_models.metric_definitions import METRICS
from dtb_models.rules import RULES

from .evaluation_figures import CARD_METHODS, SEMI_SYNTHETIC, SIMULATED, evaluations_in
from .map_figures import MAPS, figures_and_methods, maps_table

_TITLES: Mapping[str, str] = {
    "calibrated": "after their own first half",
    "new-people": "no trial seen",
    "temporal": "trained on their first halves",
    MAPS: "face > shape maps",
}
_HOW: Mapping[str, str] = {
    "calibrated": (
        "Each twin saw its person's trials of the first half of the runs and was judged on those "
        "of the second half."
    ),
    "new-people": (
        "Each twin was made from the connectome alone and judged on the trials of the second half "
        "of its person's runs."
    ),
    "temporal": (
        "The network was trained, in the same way as this bundle's, on the first halves of these "
        "people's runs. Each twin was judged on the second half of its person's runs."
    ),
    MAPS: (
        "Maps forecast from resting connectomes beside the same people's measured ones: r over "
        "regions. The networks were trained in the same way as this bundle's, without the measured "
        "map of the person judged: so each knew nearly all of the maps in the mean map of all. For "
        "the mean map of a half they were trained without the maps of that half. Mean of others: "
        "the mean measured map of the other people, or of the other half, instead of a forecast. "
        "Forecasts of others: what the same network forecasts of them, instead of the person's own."
    ),
}
_AROUND = (
    "**Real people, simulated connectomes.** Choices and response times are those of real people; "
    "the connectomes that their twins were made from were simulated around all of their trials, "
    "the judged ones included. These figures say nothing about real connectomes."
)

_OF_TRIALS, _OF_MAPS = "choices and response times", "resting connectomes and measured maps"


def evaluation_sections(measured: Mapping[str, float]) -> list[str]:
    """Return a card's paragraphs about the evaluations in a manifest's ``measured``.

    Parameters
    ----------
    measured : mapping of str to float
        Of a manifest.

    Returns
    -------
    list of str
        Markdown: of each evaluation a title, what was real in it, how people were judged, a table;
        then what rows and columns are.
    """
    found = []
    figures: dict[str, None] = {}
    columns: dict[str, None] = {}
    for evaluation in evaluations_in(measured):
        protocol = evaluation.removeprefix(SIMULATED).removeprefix(SEMI_SYNTHETIC)
        how = [_HOW.get(protocol, f"Protocol {protocol}."), *_beginning(measured, evaluation)]
        if protocol not in ("temporal", MAPS) and not evaluation.startswith(SIMULATED):
            how.append(_held_out(measured, evaluation))
        table = maps_table if protocol == MAPS else figures_table
        header, *rows = table(measured, evaluation)
        if protocol != MAPS:
            figures |= dict.fromkeys(row[0].partition(":")[0] for row in rows)
            columns |= dict.fromkeys(header[2:])
        found += [
            f"### {_people(evaluation)}, {_TITLES.get(protocol, protocol)}",
            _who(measured, evaluation),
            " ".join(how),
            _markdown(header, rows),
        ]
    return [*found, _legend(figures, columns)] if figures else found


def figures_table(measured: Mapping[str, float], evaluation: str) -> list[list[str]]:
    """Return the rows of one evaluation's table, the first one its header."""
    names, methods = figures_and_methods(measured, evaluation, CARD_METHODS)
    rows = [["figure", "n", *(CARD_METHODS[method] for method in methods)]]
    for name in names:
        n = measured.get(f"{evaluation}/n:{name.partition(':')[2]}")
        cells = [_cell(measured.get(f"{evaluation}/{method}/{name}")) for method in methods]
        rows.append([name, "" if n is None else f"{n:.0f}", *cells])
    return rows


def _people(evaluation: str) -> str:
    if evaluation.startswith(SIMULATED):
        return "Simulated people"
    if evaluation.startswith(SEMI_SYNTHETIC):
        return "Real people, simulated connectomes"
    return "Real people"


def _who(measured: Mapping[str, float], evaluation: str) -> str:
    """Say what was real, first of all where something was not."""
    if evaluation.startswith(SEMI_SYNTHETIC):
        return _AROUND
    if not evaluation.startswith(SIMULATED):
        has_connectomes = measured.get(f"{evaluation}/connectomes")
        known = "connectomes, choices and response times" if has_connectomes else _OF_TRIALS
        return f"**Real people:** {_OF_MAPS if evaluation == MAPS else known}."
    n = measured.get(f"{evaluation}/n_training")
    trained = "simulated people" if n is None else f"{n:.0f} simulated people"
    return (
        "**The people judged here were simulated**, and the network of this evaluation, which is "
        f"another than this bundle's, was trained on {trained}. These figures say how much can be "
        "found of what was planted in such people. They are no cross-validated figures of real "
        "people, and say nothing about any."
    )


def _beginning(measured: Mapping[str, float], evaluation: str) -> list[str]:
    """Say what twins that learn from trials began with; of the others that is said already."""
    connectomes = measured.get(f"{evaluation}/connectomes")
    if connectomes is None or not evaluation.endswith(("calibrated", "temporal")):
        return []
    return [f"It began {'with' if connectomes else 'without'} a connectome."]


def _held_out(measured: Mapping[str, float], evaluation: str) -> str:
    folds = measured.get(f"{evaluation}/folds")
    if folds is None:
        return "One bundle judged all of them; it was not trained on them."
    return (
        f"Cross-validation over people in {folds:.0f} parts: networks trained in the same way as "
        "this bundle's, each judged on people that it was not trained on."
    )


def _legend(figures: Iterable[str], columns: Iterable[str]) -> str:
    """Say what the rows and the columns of all tables of trials are."""
    named = {label: name for name, label in CARD_METHODS.items()}
    meanings = {name: method.meaning for name, method in MEANINGS.items()}
    meanings |= {f"rule/{name}": rule.meaning for name, rule in RULES.items()}
    lines = [f"- `{name}`: {METRICS[name].meaning}" for name in figures]
    lines += [f"- {label}: {meanings[named[label]]}" for label in columns]
    return "\n".join(["What rows and columns are:", "", *lines])


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(_row(row) for row in (header, ["---"] * len(header), *rows))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
