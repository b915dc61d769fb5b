"""What is fuzzed: every kind of file that this program reads, and how it reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fuzz_seeds as seeds
import numpy as np
from fuzz_companions import COMPANIONS
from fuzz_mutators import (
    Mutation,
    Rng,
    blind,
    in_array_of_text,
    in_gzip,
    in_json,
    in_matlab,
    in_zip,
)
from fuzz_target import ISOLATED, LIBRARY, Prepared, Target

from dtb_runtime import reading_child
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import ConnectomeChange
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.events import SCHEDULES_DIR, read_events
from dtb_runtime.label_tables import read_label_table
from dtb_runtime.manifest import Manifest, seal
from dtb_runtime.norms_file import read_norms
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.onnx_scan import scan_onnx
from dtb_runtime.parcellation import read_regions_table
from dtb_runtime.plan import Goal, Plan, read_plan
from dtb_runtime.reading import Reading
from dtb_runtime.recorded_responses import Responses, read_responses

TINY = Path(__file__).resolve().parents[1] / "tests" / "bundles" / "tiny"


def _connectome(path: Path, reading: Reading | None = None) -> None:
    """Read a connectome as every command does; what is taken must be one."""
    found = read_connectome(path, reading)
    _check(found)


def _check(found: Connectome) -> None:
    r = found.correlations
    if not (np.isfinite(r).all() and (np.abs(r) <= 1).all() and (r == r.T).all()):
        raise AssertionError("a connectome was taken that is none")


def _plain(ending: str, folder: Path) -> Prepared:
    ways: list[Mutation] = [blind]
    reading = Reading()
    if ending == ".npz":
        ways += [in_zip(blind)] * 2
    if ending == ".nii.gz":
        ways += [in_gzip(blind)] * 3
    if ending in (".nii", ".nii.gz"):
        (atlas,) = seeds.label_image()
        reading = Reading(atlas=str(seeds.written(folder, "atlas.nii", atlas)))
    if ending == ".dtseries.nii":
        (atlas,) = seeds.cifti("dlabel")()
        reading = Reading(atlas=str(seeds.written(folder, "atlas.dlabel.nii", atlas)))
    if ending == ".mat":
        ways += [_of_version_5(in_matlab(blind))] * 2
    return Prepared(list(seeds.READER_SEEDS[ending]()), ways, partial(_connectome, reading=reading))


def _struct(_: Path) -> Prepared:
    ways = [blind, *[_of_version_5(in_matlab(blind))] * 2]
    read = partial(_connectome, reading=Reading(variable="sub.fc"))
    return Prepared(list(seeds.mat_struct()), ways, read)


def _of_version_5(mutation: Mutation) -> Mutation:
    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        return (mutation if data[124:126] == b"\x00\x01" else blind)(data, rng, others)

    return mutate


def _library(ending: str, folder: Path) -> Prepared:
    plain = _plain(ending, folder)
    read = reading_child.READERS[ending]
    return Prepared(plain.good, plain.ways, lambda path: read(path, Reading()))


def _series(good: Callable[[], Iterable[bytes]], _: Path) -> Prepared:
    read = partial(_connectome, reading=Reading(timeseries=True))
    return Prepared(list(good()), [blind], read)


def _atlas(folder: Path) -> Prepared:
    (scan, _) = seeds.nifti(False)()
    path = seeds.written(folder, "scan.nii", scan)
    good = list(seeds.label_image())
    return Prepared(
        good, [blind], lambda atlas: _connectome(path, Reading(atlas=str(atlas), resample=True))
    )


def _dense_atlas(folder: Path) -> Prepared:
    (scan,) = seeds.cifti("dtseries")()
    path = seeds.written(folder, "scan.dtseries.nii", scan)
    good = list(seeds.cifti("dlabel")())
    return Prepared(good, [blind], lambda atlas: _connectome(path, Reading(atlas=str(atlas))))


def _label_table(_: Path) -> Prepared:
    return Prepared(list(seeds.label_table()), [blind], read_label_table)


def _regions_table(_: Path) -> Prepared:
    return Prepared(list(seeds.regions_table()), [blind], read_regions_table)


def _cohort_table(_: Path) -> Prepared:
    return Prepared(list(seeds.cohort_table()), [blind], list_cohort)


def _events(task: str, _: Path) -> Prepared:
    rows = (SCHEDULES_DIR / f"{task}.tsv").read_text(encoding="utf-8").splitlines()[:12]
    header, *trials = rows
    lines = [f"{header}\tresponse_time\taccuracy_binarized"]
    lines += [f"{row}\t0.{i + 3}\t{i % 2}" for i, row in enumerate(trials)]
    return Prepared(["\n".join(lines).encode()], [blind], lambda path: read_responses(path, task))


def _sealed(document: Any) -> bytes:
    """A manifest with the seal that belongs to it."""
    try:
        return seal({key: value for key, value in document.items() if key != "checksum"})
    except UnicodeEncodeError:
        return json.dumps(document).encode()


def _manifest(_: Path) -> Prepared:
    good = [(TINY / "manifest.json").read_bytes()]
    ways = [blind, *[in_json(_sealed)] * 3]
    return Prepared(good, ways, lambda path: Manifest.from_bytes(path.read_bytes()))


def _onnx(_: Path) -> Prepared:
    good = [path.read_bytes() for path in sorted(TINY.glob("*.onnx"))]
    return Prepared(good, [blind], lambda path: scan_onnx(path.read_bytes(), path.name))


def _norms(_: Path) -> Prepared:
    manifest = Manifest.from_bytes((TINY / "manifest.json").read_bytes())
    good = [(TINY / "norms.npz").read_bytes()]
    ways = [blind, *[in_zip(blind)] * 3]
    return Prepared(good, ways, lambda path: read_norms(path.read_bytes(), manifest))


def _bundle(folder: Path) -> Prepared:
    """A whole bundle with right digests: what passes the checks is opened and asked once."""
    contents = {path.name: path.read_bytes() for path in sorted(TINY.iterdir())}
    names = [name for name in contents if name.endswith((".onnx", ".npz"))]
    copy = folder / "bundle"
    copy.mkdir()
    for name, content in contents.items():
        (copy / name).write_bytes(content)

    def read(path: Path) -> None:
        data = path.read_bytes()
        name = names[data[0] % len(names)] if data else names[0]
        document = json.loads(contents["manifest.json"])
        document["files"][name] = {
            "sha256": hashlib.sha256(data[1:]).hexdigest(),
            "size": len(data[1:]),
        }
        (copy / name).write_bytes(data[1:])
        (copy / "manifest.json").write_bytes(_sealed(document))
        try:
            bundle = load_bundle(copy, device="cpu")
            edges = np.linspace(-1.0, 1.0, bundle.manifest.n_edges, dtype=np.float32)
            (twin,) = bundle.personalize_edges(edges[None])
            bundle.run_main(
                twin.weights, np.zeros((20, bundle.manifest.n_inputs), np.float32), None
            )
        finally:
            (copy / name).write_bytes(contents[name])

    good = [bytes([index]) + contents[name] for index, name in enumerate(names)]
    return Prepared(good, [_after_first(blind), _of_archives(in_zip(blind), names)], read)


def _after_first(mutation: Mutation) -> Mutation:
    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        return data[:1] + mutation(data[1:], rng, [other[1:] for other in others])

    return mutate


def _of_archives(mutation: Mutation, names: Sequence[str]) -> Mutation:
    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        is_archive = names[data[0]].endswith(".npz")
        return _after_first(mutation if is_archive else blind)(data, rng, others)

    return mutate


def _twin(folder: Path) -> Prepared:
    bundle = load_bundle(TINY, device="cpu")
    twin = bundle.population_twin(participant_id="07")
    events = seeds.written(folder, "events.tsv", _events("stroop", folder).good[0])
    trials = read_events(events, "stroop")
    learned = twin.calibrate(ObservedRun(trials, Responses.from_events(trials)))
    good = []
    for number, each in enumerate((twin, learned)):
        path = folder / f"twin{number}.npz"
        each.save(path)
        good.append(path.read_bytes())
    ways = [
        blind,
        *[in_zip(blind)] * 2,
        *[in_zip(in_array_of_text(in_json()))] * 2,
        in_zip(in_array_of_text(blind)),
    ]
    return Prepared(good, ways, bundle.load_twin)


def _plan(_: Path) -> Prepared:
    bundle = load_bundle(TINY, device="cpu")
    parcellation = bundle.manifest.parcellation
    assert parcellation is not None
    plan = Plan(
        bundle="tiny",
        bundle_digest=bundle.digest,
        parcellation=parcellation.name,
        goals=(Goal("reaction_time", -0.05), Goal("stroop_effect", 0.02)),
        holds=("accuracy",),
        method="gradient",
        change=ConnectomeChange("regions", np.array([[3], [5]]), np.array([-0.25, 0.125])),
        participant_id="sub-01",
        connectome_digest=None,
        reached={"reaction_time": -0.05},
    )
    ways = [blind, *[in_json()] * 3]
    return Prepared([plan.to_bytes(bundle)], ways, lambda path: read_plan(path, bundle))


def _all() -> dict[str, Target]:
    found = [Target(ending, ending, partial(_plain, ending)) for ending in seeds.READER_SEEDS]
    found += [Target(f"{e}{LIBRARY}", e, partial(_library, e)) for e in ISOLATED if e != ".hdf5"]
    found += [
        Target(".mat of a struct", ".mat", _struct),
        Target(".npy of time series", ".npy", partial(_series, seeds.npy_series)),
        Target(".csv of time series", ".csv", partial(_series, seeds.csv_series)),
        Target("label image", ".nii", _atlas),
        Target("label image of grayordinates", ".dlabel.nii", _dense_atlas),
        Target("names of a label image", ".tsv", _label_table),
        Target("regions table", ".csv", _regions_table),
        Target("cohort table", ".tsv", _cohort_table),
        Target("events of stroop", ".tsv", partial(_events, "stroop")),
        Target("events of hammer", ".tsv", partial(_events, "hammer")),
        Target("manifest", ".json", _manifest),
        Target("ONNX scan", ".onnx", _onnx),
        Target("norms", ".npz", _norms),
        Target("bundle", ".bin", _bundle),
        Target("twin", ".npz", _twin),
        Target("plan", ".json", _plan),
    ]
    return {target.name: target for target in (*found, *COMPANIONS)}


TARGETS: Mapping[str, Target] = MappingProxyType(_all())
"""By name."""
