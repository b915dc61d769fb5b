"""From a connectome to forecast choices, response times and BOLD, without PyTorch.

    import dtb_runtime

    bundle = dtb_runtime.load_bundle("tcp434")
    twin = bundle.personalize(dtb_runtime.read_connectome("sub-01_connectome.csv"))
    forecast = twin.forecast("stroop")
    print(forecast.indicators["stroop_effect"], forecast.trials["response_time"])

Where things are::

    errors             every error raised on purpose
    connectome         a person's correlations (connectome_checks: the checks;
                       connectome_file: read from a file)
    edges              the upper triangle as Fisher z
    readers            files that a connectome can come from, by file name ending (raw_array: what
                       they give, reading: what the caller says; plain_files, nifti_files,
                       cifti_files, matlab_files, conn_files, hdf5_files, parquet_files;
                       isolated_reading: in a process of its own)
    region_names       which region of a file is which (bids_hints: what a file's name says)
    connectome_facts   how good a connectome is (imputation: regions without data)
    harmonization      site effects taken off one person (harmonization_file, covariates)
    parcellation       regions: labels, networks, coordinates, structures
    tasks, trials      hammer and stroop as data; what a row of their events must hold
    events             schedules (BIDS events)
    recorded_responses what a person did in one run
    stimulus           from events to the main network's input
    bundle_layout      a bundle's files, and what each graph takes and gives
    manifest           version 1 of the bundle format (manifest_sections, manifest_checks)
    bundle_files       a bundle's folder, read once and verified
    onnx_scan          what an ONNX file holds, without the onnx package (onnx_fields, onnx_arrays)
    inference          ONNX Runtime: provider, threads, shapes (processors: how many there are)
    bundle             Bundle (bundle_graphs: its networks at work; runs_graph: several runs of one
                       person at once, main_weights: their arrays)
    bundle_loading     load_bundle, available_bundles
    twin               Twin (twin_file: saved and loaded)
    latent             distributions over latents
    observed_run       a person's own trials (trials_seen: read, run_joining: joined to runs,
                       press_targets: as targets, trial_likelihood: how probable they are,
                       lapses_and_slips: what is beyond the networks)
    calibration        the latent given a person's own trials (posterior_search: how it is found;
                       task_transfer: how far it holds in a task)
    forecast           Forecast: what is expected of one twin in one run (prepared_run, draws)
    responses          from action outputs (response_windows) to trial_distributions
                       (truncated_exponential)
    mixture            one distribution out of those of several draws
    glm, hrf           contrasts of BOLD
    indicators         scalars that sum up a forecast
    norms              where a person stands in the training cohort (norms_file: read and checked,
                       demographics: age, sex)
    strangeness        how unusual a connectome is for that cohort
    outputs            BIDS-named tables (sidecars: what their columns are)
    plan               what shall change in a person, and which change of the connectome does it
                       (connectome_change; gradients: what finds new ones)
    intervention       a plan tried out (possible_connectomes, sham_changes, intervention_outputs)
    intervention_trial a cohort put through the arms of an intervention (arm_settings, arm_scoring,
                       arm_effects, cohort_statistics, arm_columns, arm_tables)
    scoring            whole cohorts, one row a person (cohort_run, cohort_work, score_workers,
                       score_cluster)
    hashed_ids         participant ids by keyed hashes (hidden_names: what may not be said)
    bids_run           the BIDS App (bids_cohort, bids_query, bids_scoring, bids_outputs,
                       bids_record, bids_group)
    summary            what forecasts say, as JSON values (basis: what they rest on)
    seen_trials        what was seen beside what is forecast for it
    tables             delimited text (json_object: strict JSON, array_files: .npy and .npz)
    atomic             files that appear whole or not at all

``import dtb_runtime`` loads only the errors: every other name is imported when it is first used.
onnxruntime is imported when a bundle is loaded, PyTorch never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import DtbError

if TYPE_CHECKING:
    from .bundle import Bundle
    from .bundle_loading import available_bundles, load_bundle
    from .connectome import Connectome
    from .connectome_file import read_connectome
    from .forecast import Forecast
    from .twin import Twin

__all__ = [
    "Bundle",
    "Connectome",
    "DtbError",
    "Forecast",
    "Twin",
    "available_bundles",
    "load_bundle",
    "read_connectome",
]

_MODULE_OF = {
    "Bundle": "bundle",
    "Connectome": "connectome",
    "Forecast": "forecast",
    "Twin": "twin",
    "available_bundles": "bundle_loading",
    "load_bundle": "bundle_loading",
    "read_connectome": "connectome_file",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
