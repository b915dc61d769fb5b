"""How much memory it takes to read a scan of 4 GB: a frame is in memory at a time.

    python benchmarks/scan_memory.py
    python benchmarks/scan_memory.py --frames 60 --json

A made-up scan of voxels of 2 mm (91 x 109 x 91, float32) is averaged over 400 regions, in a process
of its own. Every hundredth frame holds noise; the others are holes of a sparse file, which are read
as zeros, as many bytes as any others. Memory is the highest resident size of that process, before
and after it reads. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

VOXELS = (91, 109, 91)
"""Of MNI152 at 2 mm."""
REGIONS = 400
FRAMES = 1100
NOISE_EVERY = 100  # frames
_READ = """
import json, sys
from pathlib import Path

def peak_mb():
    status = open("/proc/self/status").read().split()
    return round(int(status[status.index("VmHWM:") + 1]) * 1024 / 1e6)

import nibabel
from dtb_runtime.nifti_files import read_nifti
from dtb_runtime.reading import Reading
scan, atlas = sys.argv[1:]
before = peak_mb()
values = read_nifti(Path(scan), Reading(atlas=atlas)).values
print(json.dumps({"series": values.shape, "before_mb": before, "peak_mb": peak_mb()}))
"""


def write_scan(path: Path, frames: int) -> None:
    """Write a scan of so many frames, most of them holes."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape((*VOXELS, frames))
    header.set_sform(np.diag((2.0, 2.0, 2.0, 1.0)), code=4)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    rng = np.random.default_rng(0)
    n_voxels = int(np.prod(VOXELS))
    with path.open("wb") as file:
        file.write(header.binaryblock)
        for frame in range(0, frames, NOISE_EVERY):
            file.seek(352 + frame * n_voxels * 4)
            file.write(rng.standard_normal(n_voxels, dtype=np.float32).tobytes())
        file.truncate(352 + frames * n_voxels * 4)


def write_atlas(path: Path) -> None:
    """Write a label image of regions as large as one another."""
    numbers = 1 + np.arange(np.prod(VOXELS)) * REGIONS // np.prod(VOXELS)
    image = nibabel.Nifti1Image(
        numbers.reshape(VOXELS, order="F").astype(np.int16), np.diag((2.0, 2.0, 2.0, 1.0))
    )
    image.to_filename(path)


def measure(frames: int) -> dict[str, Any]:
    """Write a scan, read it in a new process, and return what that took."""
    with tempfile.TemporaryDirectory() as temporary:
        scan, atlas = Path(temporary, "scan.nii"), Path(temporary, "atlas.nii")
        write_scan(scan, frames)
        write_atlas(atlas)
        done = subprocess.run(
            [sys.executable, "-c", _READ, str(scan), str(atlas)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        if done.returncode:
            raise SystemExit(f"The scan was not read:\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout)
        return {"scan_gb": round(scan.stat().st_size / 1e9, 2), "frames": frames} | found


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args()
    found = measure(options.frames)
    if options.json:
        print(json.dumps(found))
        return 0
    print(
        f"A scan of {found['scan_gb']:g} GB ({found['frames']} frames): {found['peak_mb']} MB at "
        f"most, {found['peak_mb'] - found['before_mb']} MB of it for reading."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
