"""Files that lie beside connectomes and scans, as fuzzed: motion, confounds, effects of sites."""

from __future__ import annotations

import json
from pathlib import Path

import fuzz_seeds as seeds
import numpy as np
from fuzz_mutators import blind, in_array_of_text, in_json, in_zip
from fuzz_target import Prepared, Target

from dtb_runtime.covariates import Covariate
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.fmriprep_confounds import denoised, mean_fd
from dtb_runtime.harmonization import Harmonization, Site, SiteEffects, labels_digest
from dtb_runtime.harmonization_file import content_of, harmonization_of
from dtb_runtime.xcp_d_motion import mean_fd_of

_N_FRAMES = 40
_MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
_DERIVED = ("", "_derivative1", "_power2", "_derivative1_power2")
_STEM = "sub-01_task-rest"


def _motion_table() -> bytes:
    """As XCP-D writes it."""
    lines = ["framewise_displacement\tframewise_displacement_filtered\trmsd", "n/a\tn/a\tn/a"]
    lines += [f"0.{i:02}\t0.{i // 2:02}\t0.1" for i in range(1, 12)]
    return "\n".join(lines).encode()


def _confounds_table() -> bytes:
    """As fMRIPrep writes it, with what the strategies need."""
    rng = np.random.default_rng(20261201)
    names = [f"{each}{end}" for each in _MOTION for end in _DERIVED]
    names += [f"{each}{end}" for each in ("csf", "white_matter") for end in _DERIVED]
    names += ["cosine00", "a_comp_cor_00", "a_comp_cor_01", "framewise_displacement", "std_dvars"]
    values = rng.normal(size=(_N_FRAMES, len(names)))
    values[:, -2] = rng.uniform(0.05, 0.3, _N_FRAMES)  # nobody moves so much that it is left out
    values[:, -1] = rng.uniform(0.8, 1.2, _N_FRAMES)
    lines = ["\t".join(names)]
    lines += ["\t".join(f"{value:.6f}" for value in row) for row in values]
    return ("\n".join(lines) + "\n").encode()


def _confounds_facts() -> bytes:
    component = {"CumulativeVarianceExplained": 0.4, "Mask": "combined", "Retained": True}
    component |= {"Method": "aCompCor", "SingularValue": 3.0, "VarianceExplained": 0.4}
    return json.dumps({f"a_comp_cor_0{i}": component for i in range(2)}).encode()


def _site_effects() -> bytes:
    rng = np.random.default_rng(20261201)
    n_regions = seeds.N_REGIONS
    n_edges = n_regions * (n_regions - 1) // 2
    return content_of(
        Harmonization(
            source="sites.npz",
            site_column="site",
            sites=(Site("A", 20), Site("B é", 30)),
            covariates=(Covariate("age", "number", 20.0, 60.0, center=40.0, scale=10.0),),
            parcellation="made",
            n_regions=n_regions,
            labels_digest=labels_digest(seeds.NAMES),
            effects=SiteEffects(
                mean=rng.normal(0.2, 0.2, n_edges),
                slopes=rng.normal(0.0, 0.05, (1, n_edges)),
                sd=rng.uniform(0.1, 0.3, n_edges),
                shift=rng.normal(0.0, 0.5, (2, n_edges)),
                spread=rng.uniform(0.7, 1.4, (2, n_edges)),
            ),
            made_with={"neuroHarmonize": "2.4.5"},
        )
    )


def _motion(_: Path) -> Prepared:
    def read(path: Path) -> None:
        mean_fd_mm, notes = mean_fd_of(path)
        if mean_fd_mm is None:  # a connectome is taken without it, with this note
            raise ConnectomeError(notes[0])

    return Prepared([_motion_table()], [blind], read)


def _confounds(ending: str, folder: Path) -> Prepared:
    """One of the two files of a scan's confounds; the other one is whole."""
    scan = seeds.written(folder, f"{_STEM}_space-MNI_desc-preproc_bold.nii.gz", b"")
    contents = {".tsv": _confounds_table(), ".json": _confounds_facts()}
    stem = f"{_STEM}_desc-confounds_timeseries"
    for other, content in contents.items():
        seeds.written(folder, stem + other, content)
    series = np.random.default_rng(20261201).normal(size=(_N_FRAMES, 3))
    strategies = ("simple", "scrubbing", "compcor")

    def read(path: Path) -> None:
        data = path.read_bytes()
        seeds.written(folder, stem + ending, data)
        mean_fd(scan)
        found, _ = denoised(scan, series, strategies[len(data) % len(strategies)])
        if not np.isfinite(found).all():
            raise AssertionError("series were taken that are none")

    ways = [blind] if ending == ".tsv" else [blind, *[in_json()] * 3]
    return Prepared([contents[ending]], ways, read)


def _effects(_: Path) -> Prepared:
    ways = [
        blind,
        *[in_zip(blind)] * 2,
        *[in_zip(in_array_of_text(in_json()))] * 2,
        in_zip(in_array_of_text(blind)),
    ]
    return Prepared(
        [_site_effects()], ways, lambda path: harmonization_of(path.read_bytes(), path.name)
    )


COMPANIONS = (
    Target("motion table of XCP-D", ".tsv", _motion),
    Target("confounds of fMRIPrep", ".tsv", lambda folder: _confounds(".tsv", folder)),
    Target("facts of fMRIPrep's confounds", ".json", lambda folder: _confounds(".json", folder)),
    Target("effects of sites", ".npz", _effects),
)
