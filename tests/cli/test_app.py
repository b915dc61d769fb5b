"""The command as a whole: exit codes, errors, extras that are missing, what a start loads."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_cli import app
from dtb_runtime.errors import DtbError, UsageError
from dtb_runtime.twin import Twin

Run = Callable[..., Any]


def _python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_the_version_is_that_of_the_distribution(dtb_run: Run) -> None:
    from importlib.metadata import version

    done = dtb_run("--version")
    assert done.code == 0
    assert done.out == f"dtb-run {version('dtb-runtime')}\n"


@pytest.mark.parametrize(("error", "code"), [(UsageError, 2), (DtbError, 1)])
def test_an_error_of_ours_is_one_line_and_its_exit_code(
    error: type[DtbError],
    code: int,
    dtb_run: Run,
    connectome: Path,
    tiny: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error("This is why, and what to do.")

    monkeypatch.setattr(Twin, "forecast_tasks", fail)
    done = dtb_run("predict", connectome, "--bundle", tiny)
    assert done.code == code
    assert done.err == "Error: This is why, and what to do.\n"


def test_a_mistake_of_ours_keeps_its_traceback(connectome: Path, tiny: Path) -> None:
    code = (
        "import sys\n"
        "from dtb_cli.app import main\n"
        "from dtb_runtime.twin import Twin\n"
        "Twin.forecast_tasks = lambda *_, **__: 1 / 0\n"
        f"sys.exit(main(['predict', {str(connectome)!r}, '--bundle', {str(tiny)!r}]))"
    )
    done = _python(code, connectome.parent)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "Error: division" not in done.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("module", "extra", "arguments"),
    [
        ("torch", "torch", ["train", "--simulate", "6", "--bundle", "{tiny}", "--out", "x"]),
        ("onnx", "torch", ["export", "x", "--out", "y"]),
        ("safetensors", "torch", ["export", "x", "--out", "y"]),
        (
            "h5py",
            "imaging",
            ["simulate", "--n", "1", "--bundle", "{tiny}", "--out", "x", "--tcp-layout"],
        ),
        ("torch", "torch", ["evaluate", "reference", "x"]),
    ],
)
def test_a_missing_extra_is_one_sentence_with_the_pip_command(
    module: str, extra: str, arguments: list[str], tiny: Path, tmp_path: Path
) -> None:
    arguments = [argument.format(tiny=tiny) for argument in arguments]
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        f"from dtb_cli.app import main; sys.exit(main({arguments!r}))"
    )
    done = _python(code, tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert f"{module}, which is not installed" in line.replace("PyTorch", "torch")
    assert "pip install" in line
    assert f"dtb-runtime[{extra}]" in line
    assert list(tmp_path.iterdir()) == []


def test_every_package_of_an_extra_has_its_pip_command() -> None:
    modules = {"scikit-learn": "sklearn", "pybids": "bids", "model-signing": "model_signing"}
    modules |= {"pyOpenSSL": "OpenSSL", "prometheus-client": "prometheus_client"}
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    for extra in extras.keys() - {"cpu", "gpu", "browser", "test", "lint"}:  # ONNX Runtime has two
        for needed in extras[extra]:
            package = re.split(r"[^\w-]", needed)[0]
            named = app.EXTRA_OF_MODULE[modules.get(package, package)]
            assert any(each.startswith(package) for each in extras[named])


def test_a_missing_onnx_runtime_is_one_sentence_with_the_pip_command(
    connectome: Path, tiny: Path
) -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from dtb_cli.app import main\n"
        f"sys.exit(main(['predict', {str(connectome)!r}, '--bundle', {str(tiny)!r}]))"
    )
    done = _python(code, connectome.parent)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "ONNX Runtime" in line
    assert "dtb-runtime[cpu]" in line


def test_a_module_of_ours_that_is_missing_is_a_mistake_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise ModuleNotFoundError("No module named 'dtb_nowhere'", name="dtb_nowhere")

    monkeypatch.setattr(app, "_command", lambda: _Failing(fail))
    with pytest.raises(ModuleNotFoundError, match="dtb_nowhere"):
        app.main([])


class _Failing:
    def __init__(self, fail: Callable[[], None]) -> None:
        self._fail = fail

    def main(self, **_: object) -> None:
        self._fail()


def test_a_prediction_loads_nothing_that_it_does_not_need(connectome: Path, tiny: Path) -> None:
    """Cold start: rich alone would cost a tenth of a second, torch one and a half."""
    code = (
        "import json, sys\n"
        "from dtb_cli.app import main\n"
        f"code = main(['predict', {str(connectome)!r}, '--bundle', {str(tiny)!r}])\n"
        "print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    done = _python(code, connectome.parent)
    exit_code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert exit_code == 0
    assert {"onnxruntime", "numpy", "typer"} <= set(loaded)
    heavy = {"rich", "torch", "onnx", "scipy", "pandas", "nibabel", "h5py", "nilearn"}
    assert sorted(heavy & set(loaded)) == []
    assert sorted({"dtb_models", "dtb_export"} & set(loaded)) == []


def test_the_app_itself_loads_neither_numpy_nor_rich(tmp_path: Path) -> None:
    done = _python(
        "import sys, dtb_cli.app\n"
        "print(sorted({'numpy', 'rich', 'onnxruntime', 'torch', 'dtb_models'} & set(sys.modules)))",
        tmp_path,
    )
    assert done.stdout.strip() == "[]"


def test_a_closed_pipe_ends_quietly(connectome: Path, tiny: Path) -> None:
    """`dtb-run predict ... | head -1` closes stdout before everything is printed."""
    reader, writer = _closed_pipe()
    command = [sys.executable, "-m", "dtb_cli.app", "predict", str(connectome)]
    done = subprocess.run(
        [*command, "--bundle", str(tiny)],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    writer.close()
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert reader.closed


def _closed_pipe() -> tuple[Any, Any]:
    import os

    read, write = os.pipe()
    reader, writer = os.fdopen(read), os.fdopen(write, "w")
    reader.close()
    return reader, writer


def test_numbers_do_not_depend_on_how_the_command_is_started(
    dtb_run: Run, connectome: Path, tiny: Path
) -> None:
    command = [sys.executable, "-m", "dtb_cli.app", "predict", str(connectome)]
    command += ["--bundle", str(tiny), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    inside = dtb_run("predict", connectome, "--bundle", tiny, "--json")
    left, right = (json.loads(text)["indicators"] for text in (done.stdout, inside.out))
    assert left == right
    assert np.isfinite(list(left.values())).all()


def _predict(
    path: Path, bundle: Path, *options: str, **settings: Any
) -> subprocess.CompletedProcess[str]:
    code = "import sys; from dtb_cli.app import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, "predict", str(path), "--bundle", str(bundle), *options],
        text=True,
        check=False,
        stderr=subprocess.PIPE,
        **settings,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, where no byte fits")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_full_disk_under_stdout_is_said(
    connectome: Path, tiny: Path, options: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = _predict(connectome, tiny, *options, stdout=full)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: The output cannot be written: No space left on device. Make room for it.\n"
    )


def test_a_letter_that_stdout_cannot_encode_is_escaped(connectome: Path, tiny: Path) -> None:
    correlations = np.load(connectome)
    path = connectome.with_name("sub-01_\u00e9.npy")
    np.save(path, correlations - np.diag(np.diag(correlations)))
    settings: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "env": {**os.environ, "PYTHONIOENCODING": "ascii"},
    }
    as_table, as_json = (_predict(path, tiny, *o, **settings) for o in ((), ("--json",)))
    assert (as_table.returncode, as_json.returncode) == (0, 0)
    assert "sub-01_\\xe9.npy was 0" in as_table.stdout
    assert any("sub-01_\u00e9.npy was 0" in text for text in json.loads(as_json.stdout)["warnings"])


def test_without_stdout_and_stderr_nothing_breaks(
    dtb_run: Run, connectome: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", None)
        closed.setattr(sys, "stderr", None)
        assert app.main(["predict", str(connectome), "--bundle", str(tiny)]) == 0
        assert app.main(["predict", "nowhere.npy", "--bundle", str(tiny)]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_a_request_to_end_takes_back_what_is_half_written(
    connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from dtb_cli.app import main\n"
        "write_bytes, names = Path.write_bytes, []\n"
        "def end_at_third(self, data):\n"
        "    names.append(self.name)\n"
        "    if len(names) == 3:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return write_bytes(self, data)\n"
        "Path.write_bytes = end_at_third\n"
        f"sys.exit(main(['predict', {str(connectome)!r}, '--bundle', {str(tiny)!r}, '--out', 'o']))"
    )
    done = _python(code, tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "o").exists()
