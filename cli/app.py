"""The command `dtb-run`: its groups of commands, and the one place where errors become exit codes.

Cold start is part of the contract (a forecast in under a second), so nothing here or in a command's
module loads numpy, rich, ONNX Runtime, torch or any of our own packages before a command runs.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dtb_runtime.errors import DtbError
from dtb_runtime.processors import limit_libraries

from . import (
    bids,
    bundles,
    calibrate,
    demo,
    doctor,
    evaluate,
    export,
    harmonize,
    intervene,
    predict,
    report,
    score,
    serve,
    sign,
    simulate,
    terminal,
    train,
    trial,
)

EXTRA_OF_MODULE = {
    "torch": "torch",
    "onnx": "torch",
    "onnxscript": "torch",
    "safetensors": "torch",
    "jaxtyping": "torch",
    "h5py": "imaging",
    "scipy": "imaging",
    "nilearn": "imaging",
    "neuroHarmonize": "imaging",
    "neuroCombat": "imaging",
    "statsmodels": "imaging",
    "pandas": "imaging",
    "pyarrow": "cohort",
    "distributed": "cluster",
    "matplotlib": "figures",
    "model_signing": "signing",
    "OpenSSL": "signing",
    "sklearn": "evaluate",
    "bids": "bids",
    "jinja2": "report",
    "fastapi": "serve",
    "starlette": "serve",
    "uvicorn": "serve",
    "httptools": "serve",
    "uvloop": "serve",
    "prometheus_client": "serve",
    "pydantic": "serve",
    "pydantic_core": "serve",
}
"""Optional package -> the extra of `dtb-runtime` that brings it."""

# Without rich markup, typer prints help and usage errors as plain lines and never imports rich:
# its import alone costs a tenth of the cold start, and a box around an error helps no log file.
app = typer.Typer(
    name="dtb-run",
    help="Digital twin brains: from a connectome to forecast choices, response times and BOLD.\n\n"
    "Research software, not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command, examples in (
    (demo.demo, demo.EXAMPLES),
    (predict.predict, predict.EXAMPLES),
    (calibrate.calibrate, calibrate.EXAMPLES),
    (score.score, score.EXAMPLES),
    (serve.serve, serve.EXAMPLES),
    (harmonize.harmonize, harmonize.EXAMPLES),
    (intervene.intervene, intervene.EXAMPLES),
    (trial.trial, trial.EXAMPLES),
    (report.report, report.EXAMPLES),
    (simulate.simulate, simulate.EXAMPLES),
    (train.train, train.EXAMPLES),
    (export.export, export.EXAMPLES),
    (sign.sign, sign.EXAMPLES),
    (bundles.bundles, bundles.BUNDLES_EXAMPLES),
    (bundles.inspect, bundles.INSPECT_EXAMPLES),
    (doctor.doctor, doctor.EXAMPLES),
):
    app.command(epilog=examples)(command)
app.command(epilog=bids.EXAMPLES, cls=bids.BidsCommand)(bids.bids)
app.command(epilog=evaluate.EXAMPLES, cls=evaluate.EvaluateCommand)(evaluate.evaluate)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version

        typer.echo(f"dtb-run {version('dtb-runtime')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Options of `dtb-run` itself; the help text is the app's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `dtb-run` and return its exit code: 0 good, 1 failed, 2 wrong usage.

    An error this project raises on purpose becomes ``Error: <message>`` on stderr. Anything else is
    a programming mistake and keeps its traceback. An interruption or a request to end (SIGINT,
    SIGTERM) takes back what was half written and gives 128 plus the signal's number, as shells do.

    Parameters
    ----------
    arguments
        What follows `dtb-run` on the command line; default: that of this process.
    """
    words = sys.argv[1:] if arguments is None else arguments
    limit_libraries(most=1 if words and words[0] in _SMALL_MATRICES else None)
    terminal.escape_what_cannot_be_encoded()
    try:
        with _ended_politely():
            code = _run(arguments)
            if sys.stdout is not None:
                sys.stdout.flush()  # here and not at exit, where a full disk cannot be said
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader has seen enough, as `head` does
            code = 1
        elif error.errno in _OUTPUT_ERRNOS:
            terminal.error(f"The output cannot be written: {error.strerror}. Make room for it.")
            code = 1
        else:
            raise
        # What is left in the buffer would fail again at exit.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    return code


_SMALL_MATRICES = frozenset({"demo", "intervene"})
"""Commands that factorize one matrix of regions after the other: these are too small to share, and
threads that wait for each other make them many times slower where the machine has other work."""
_OUTPUT_ERRNOS = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def _ended_politely() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that what is half written is taken back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@functools.cache
def _command() -> Any:
    """The app as typer runs it: built once, for programs that call `main` often."""
    return typer.main.get_command(app)


def _run(arguments: Sequence[str] | None) -> int:
    command = _command()
    try:
        # Not standalone: typer would print what is wrong with the words as they are.
        code = command.main(args=arguments, prog_name="dtb-run", standalone_mode=False)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except typer.Abort:
        terminal.message("Aborted!")
        return 1
    except DtbError as error:
        terminal.error(str(error))
        return error.exit_code
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRA_OF_MODULE:
            raise
        terminal.error(
            f"this command needs {module}, which is not installed. "
            f"Install it with: pip install 'dtb-runtime[{EXTRA_OF_MODULE[module]}]'"
        )
        return 1
    except MemoryError as error:
        terminal.error(
            f"there is too little memory for this ({error or 'none is left'}). Free some, give "
            "smaller files, or use fewer processes."
        )
        return 1
    except Exception as error:
        if not hasattr(error, "format_message"):  # of all of typer's, which may be click's
            raise
        return _print_usage_error(error, sys.argv[1:] if arguments is None else arguments)
    return code if isinstance(code, int) else 0  # --help and typer.Exit give a code


def _print_usage_error(error: Any, words: Sequence[str]) -> int:
    """Print what typer says of wrong usage, with the words of the command line made printable."""
    from dtb_runtime.tables import one_line

    said = io.StringIO()
    error.show(file=said)
    problem = shown = error.format_message()
    # Line breaks first, which nobody could tell from those of typer later.
    parts = {part for word in words for part in (word, *word.split("=", 1))}
    for part in sorted(parts, key=len, reverse=True):
        if part != one_line(part):
            shown = shown.replace(part, one_line(part))
    for line in said.getvalue().replace(problem, shown).expandtabs(4).rstrip("\n").split("\n"):
        terminal.message(line)
    return int(error.exit_code)


if __name__ == "__main__":
    sys.exit(main())
