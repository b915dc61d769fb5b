"""MODEL_CARD.md: what a bundle was trained on, how good it is, and what it is not for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dtb_models.simple_rules import RULE_PREFIX, RULES, SHUFFLED_PREFIX
from dtb_runtime.manifest import Manifest

from .evaluation_figures import evaluations_in
from .evaluation_sections import evaluation_sections
from .map_figures import MAPS

NOT_A_DEVICE = (
    "This is research software, not a medical device. It must not be used to diagnose, to choose "
    "or to change the treatment of any person."
)

_REAL_AND_SIMULATED: Mapping[str, str] = {
    "simulated": (
        "**Real:** nothing that this bundle learned from. "
        "**Simulated:** all {n} people it was {used}."
    ),
    "semi-synthetic": (
        "**Real:** the behavior (choices and response times) of the {n} people it was {used}. "
        "**Simulated:** their connectomes and their BOLD, drawn around that behavior."
    ),
    "real": (
        "**Real:** connectomes, behavior and BOLD of the {n} people it was {used}. "
        "**Simulated:** nothing."
    ),
}

_CREDITS: tuple[tuple[str, str], ...] = (
    (
        r"\bHCP\b|Human Connectome Project",
        "Data were provided in part by the Human Connectome Project, WU-Minn Consortium (Principal "
        "Investigators: David Van Essen and Kamil Ugurbil; 1U54MH091657), funded by the 16 NIH "
        "Institutes and Centers that support the NIH Blueprint for Neuroscience Research, and by "
        "the McDonnell Center for Systems Neuroscience at Washington University. What derives from "
        "them is passed on under the HCP Open Access Data Use Terms: credit the HCP, pass on under "
        "the same terms, do not try to re-identify anybody.",
    ),
    (
        r"\bTCP\b|Transdiagnostic Connectome Project|^Behavior of \d+ real people\b",
        "Behavior: Transdiagnostic Connectome Project, OpenNeuro ds005237 (CC0), or a study in its "
        "layout where the training data above say so.",
    ),
    (
        r"\btcp434\b",
        "Regions of tcp434: 400 homotopic cortical parcels (Yan et al. 2023), subcortex of Tian et "
        "al. 2020, cerebellum; table of HolmesLab/TransdiagnosticConnectomeProject (MIT).",
    ),
    (
        r"\bglasser360\b",
        "Regions of glasser360: Glasser et al. 2016, with the networks of the Cole-Anticevic atlas "
        "(Ji et al. 2019); table of ColeLab (MIT).",
    ),
    (
        r"mini-hyper-rnn-cogtask",
        "Data set and, where the description says so, weights: ytaka-tu/mini-hyper-rnn-cogtask "
        "(MIT).",
    ),
)
"""What the credit applies to, as a pattern in the training's description, the parcellation's name
or the data of an evaluation, and the credit that its terms ask for."""

_METHOD_CREDIT = (
    "Method: Takahashi, Soda, Tomita, Yamashita, Digital Twin Brain: Generating Multitask Behavior "
    "from Connectomes for Personalized Therapy, BME Frontiers 7:0231 (2026), "
    "doi 10.34133/bmef.0231."
)

_READINGS = {
    "hazard": "hazards: the chance to press in this step, given no press so far in the trial",
    "density": "densities: the chance that the press of this trial falls into this step",
}


def model_card(manifest: Manifest) -> str:
    """Return the model card of a bundle.

    Parameters
    ----------
    manifest : Manifest
        All of the card follows from it, so that the two cannot contradict each other; its
        ``files`` are not looked at.

    Returns
    -------
    str
        Markdown. The first lines say what was real and what was simulated.
    """
    sections = (
        _head(manifest),
        _intended_use(manifest),
        _network(manifest),
        _training_data(manifest),
        _figures(manifest),
        _limits(manifest),
        _credits(manifest),
    )
    return "\n\n".join(sections) + "\n"


def _head(manifest: Manifest) -> str:
    training = manifest.training
    n_people = training.n_train + training.n_validation + training.n_test
    # Figures of evaluations are of other people; above each table stands who they were.
    used = "trained and measured on" if training.n_test else "trained on"
    lines = [
        f"# {manifest.name}",
        _REAL_AND_SIMULATED[training.kind].format(n=n_people, used=used),
        training.description,
    ]
    lines += [f"> {warning}" for warning in manifest.warnings]
    return "\n\n".join([*lines, NOT_A_DEVICE])


def _intended_use(manifest: Manifest) -> str:
    if manifest.parcellation is None:
        return (
            "## Intended use\n\nTo compare implementations of the method. Its inputs are "
            f"{manifest.n_edges} made-up numbers per person, no connectome, so it forecasts nobody."
        )
    parcellation = manifest.parcellation
    return (
        "## Intended use\n\n"
        "Research on how resting connectomes relate to behavior and BOLD in the tasks "
        f"{' and '.join(manifest.tasks)}. The input is a connectome of the "
        f"{parcellation.n_regions} regions of `{parcellation.name}` (Pearson correlations of "
        "resting BOLD); the output is a forecast of choices, response times and BOLD.\n\n"
        "Not for: decisions about a person, tasks or parcellations other than these, people unlike "
        "those it was trained on (each twin says how unusual its connectome is)."
    )


def _network(manifest: Manifest) -> str:
    latent = f", by way of {manifest.latent_size} latent numbers," if manifest.latent_size else ""
    return (
        "## Network\n\n"
        f"Preset `{manifest.preset}`: a hypernetwork turns {manifest.n_edges:,} edges{latent} into "
        f"the {manifest.n_weights:,} weights of a recurrent network of {manifest.hidden_size} "
        f"units, which answers {manifest.n_inputs} input channels with {manifest.n_actions} "
        f"actions every {manifest.dt_s:g} s and BOLD of {manifest.n_bold} regions every "
        f"{manifest.tr_s:g} s. Actions are {_READINGS[manifest.action_reading]}."
    )


def _training_data(manifest: Manifest) -> str:
    training = manifest.training
    steps = "updates" if manifest.preset == "compact" else "epochs"
    # Weights that came from elsewhere were trained in no epoch of ours.
    how = f"; seed {training.seed}; {training.epochs} {steps}" if training.epochs else ""
    return (
        "## Training\n\n"
        "| part | people |\n|---|---|\n"
        f"| training | {training.n_train} |\n"
        f"| validation (when to stop) | {training.n_validation} |\n"
        f"| held out | {training.n_test} |\n\n"
        f"Split {training.split}{how}. "
        "All settings are in `manifest.json`."
    )


def _figures(manifest: Manifest) -> str:
    measured = manifest.measured
    parts = ["## Measured figures", *evaluation_sections(measured)]
    names = sorted(name for name in measured if "/" not in name)
    if names:
        parts += [_held_out_figures(manifest, names)]
    if len(parts) == 1:
        parts += ["None were measured."]
    return "\n\n".join(parts)


def _held_out_figures(manifest: Manifest, names: Sequence[str]) -> str:
    measured = manifest.measured

    def cell(name: str) -> str:
        return f"{measured[name]:.4f}" if name in measured else ""

    rows = "\n".join(
        f"| {name} | {cell(name)} | {cell(SHUFFLED_PREFIX + name)} | {cell(RULE_PREFIX + name)} "
        f"| {RULES.get(name.partition(':')[0], '') if RULE_PREFIX + name in measured else ''} |"
        for name in names
    )
    return (
        f"On the {manifest.training.n_test} people held out of training "
        f"({manifest.training.kind}). Beside each figure: the same "
        "twins with connectomes exchanged between people, and a rule that knows nothing of the "
        "person.\n\n"
        "| figure | twin | exchanged connectomes | rule | which rule |\n|---|---|---|---|---|\n"
        f"{rows}"
    )


def _limits(manifest: Manifest) -> str:
    limits = []
    if manifest.training.kind != "real" and manifest.parcellation is not None:
        measured = (
            "was measured for face > shape maps only"
            if MAPS in evaluations_in(manifest.measured)
            else "has not been measured"
        )
        limits.append(
            "What it reads from a connectome was learned from simulated connectomes. How well it "
            f"does that for real people {measured}."
        )
    limits += [
        "A figure means little by itself: on these tasks simple rules (always the right option, "
        "the group's mean response time) already come far. Compare with them on your own data.",
        "The network sees the stimuli only, never its own answers: it does not learn from errors "
        "within a run.",
    ]
    if manifest.preset == "compact":
        limits.append(
            "The settings of the compact preset were chosen with cross-validated figures of the "
            "shipped bundles' people in view. For those bundles the figures above are therefore "
            "somewhat optimistic; no people were kept that no choice has seen."
        )
    if manifest.tasks:
        limits.append(
            "It knows the tasks as they were presented in training; other timings are an "
            "extrapolation."
        )
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits)


def _credits(manifest: Manifest) -> str:
    name = "" if manifest.parcellation is None else manifest.parcellation.name
    judged = "HCP" if MAPS in evaluations_in(manifest.measured) else ""
    text = f"{manifest.training.description} {name} {judged}"
    found = [credit for pattern, credit in _CREDITS if re.search(pattern, text)]
    return "## Credits\n\n" + "\n".join(f"- {credit}" for credit in (*found, _METHOD_CREDIT))
