"""The process that reads files, as the process that asks it sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from .reading_answers import Answer, receive

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from dtb_runtime.reading_child import main; main()"
)
_ENVIRONMENT = {
    # One thread: threads beside it are other files'.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ARROW_IO_THREADS": "1",
    # The others reserve address space in advance, which is limited.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    # libhdf5 loads no filter that a file asks for.
    "HDF5_PLUGIN_PRELOAD": "::",
}
_END_WITHIN_S = 5.0


class EndedError(Exception):
    """The process ended without an answer."""

    def __init__(self, code: int, is_late: bool) -> None:
        super().__init__(code, is_late)
        self.code = code
        self.is_late = is_late


class ReadingProcess:
    """One process that reads, from its start to its end.

    Raises
    ------
    OSError
        The system starts none.
    """

    def __init__(self) -> None:
        # It finds the packages that this process finds, whatever PYTHONPATH, a checkout or a host
        # program made of sys.path, and nothing else, such as scripts in the current folder.
        flag = "-I" if sys.flags.isolated else "-P"
        places = [str(Path(place).absolute()) for place in sys.path]
        self._popen = subprocess.Popen(
            [sys.executable, flag, "-c", _START, json.dumps(places)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ENVIRONMENT,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.n_asked = 0
        """Questions so far."""

    @property
    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._popen.poll() is not None

    def ask(self, question: dict[str, Any], wall_s: float) -> Answer:
        """Ask, and wait for the answer.

        Parameters
        ----------
        question : dict
            As `reading_child` takes it.
        wall_s : float
            Seconds after which it is stopped.

        Raises
        ------
        EndedError
            It ended without an answer, or was stopped.
        AnswerError
            What it says is no answer.
        """
        asked, answers = self._popen.stdin, self._popen.stdout
        if asked is None or answers is None:
            raise RuntimeError("the process was started without pipes")
        self.n_asked += 1
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            self._popen.kill()

        timer = threading.Timer(wall_s, stop)
        timer.daemon = True
        timer.start()
        try:
            asked.write(json.dumps(question | {"number": self.n_asked}).encode() + b"\n")
            asked.flush()
            answer = receive(answers, self.n_asked)
        except (EOFError, OSError):
            answer = None
        finally:
            timer.cancel()
            timer.join()
        if answer is None or is_late.is_set():
            raise EndedError(self._exit_code(), is_late.is_set())
        return answer

    def stop(self) -> None:
        """End it at once."""
        self._popen.kill()
        self._exit_code()

    def forget(self) -> None:
        """Leave it to the process that started it: this one is a fork of that."""
        self._close()
        self._popen.returncode = 0  # else subprocess would complain that it still runs

    def _exit_code(self) -> int:
        """Wait for its end, which is due; negative where a signal ended it."""
        self._close()
        try:
            return self._popen.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait()

    def _close(self) -> None:
        for stream in (self._popen.stdin, self._popen.stdout):
            if stream is not None:
                with suppress(OSError):  # a question that was not taken
                    stream.close()
