"""Every error this project raises on purpose, in one tree.

::

    DtbError                        anything below; catch this to catch them all
    |-- UsageError                  the caller asked for something that does not exist (exit code 2)
    |-- DataError                   a file or an array is not what it must be
    |   |-- ConnectomeError         a connectome or a resting time series
    |   |   `-- UnreadConnectomeError   it was not read, and its file may be good: try again
    |   |-- EventsError             a task's events table
    |   |-- BundleError             a bundle folder: manifest, digest, graph
    |   |-- TwinError               a saved twin, or a twin of another bundle
    |   |-- CheckpointError         a training checkpoint
    |   |-- CohortError             a cohort folder or its tables
    |   `-- PlanError               an intervention plan
    |-- OutputError                 results cannot be written where they should go
    |   |-- BusyFolderError         another process writes there
    |   `-- NoLocksError            the file system cannot keep other processes out
    `-- MissingDependencyError      an optional package is not installed

A message says what was expected, what was found, where, and what to do next. The command line
prints it after ``Error:`` on stderr and exits with ``exit_code``; programming mistakes are not in
this tree and keep their traceback.
"""

from __future__ import annotations

from typing import ClassVar


class DtbError(Exception):
    """Base class of every error raised on purpose."""

    exit_code: ClassVar[int] = 1
    """Exit code of ``dtb-run`` when this error ends a command."""


class UsageError(DtbError):
    """The caller asked for something that does not exist or does not go together."""

    exit_code: ClassVar[int] = 2


class DataError(DtbError):
    """A file or an array is not what it must be."""


class ConnectomeError(DataError):
    """A connectome or a resting time series cannot be used."""


class UnreadConnectomeError(ConnectomeError):
    """A connectome was not read, for a reason that is not known to be in its file.

    There was too little memory, no permission, no answer in time, or we made a mistake. The next
    attempt may succeed with the same file, so whoever keeps results does not keep this one.
    """


class EventsError(DataError):
    """An events table cannot be used."""


class BundleError(DataError):
    """A bundle folder is damaged, incomplete, unsafe or of another version."""


class TwinError(DataError):
    """A saved twin is damaged or belongs to another bundle."""


class CheckpointError(DataError):
    """A training checkpoint is damaged or of another version."""


class CohortError(DataError):
    """A cohort folder or one of its tables cannot be used."""


class PlanError(DataError):
    """An intervention plan is damaged, or belongs to another bundle or parcellation."""


class OutputError(DtbError):
    """Results cannot be written where they should go."""


class BusyFolderError(OutputError):
    """Another process writes to the folder."""


class NoLocksError(OutputError):
    """The folder's file system has no locks, so other processes cannot be kept out of it."""


class MissingDependencyError(DtbError):
    """An optional package is needed here and is not installed."""
