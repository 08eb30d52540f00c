"""Errors that an evaluation raises on purpose; each is one line that says what is wrong and what to do.

EvalError
├── DatasetInvalid      the data set cannot be read, or is not in a format that is known
├── DownloadFailed      the data set could not be brought here
├── RunMismatch         the run folder was begun with other settings or data; names the first difference
├── RunDamaged          a file of the run folder cannot be read or written
├── RunIncomplete       questions are left that could not be answered; the same command tries them again
└── EngineUnavailable   a package that was asked for (Ray) is missing, or its cluster cannot be reached
"""

from __future__ import annotations


class EvalError(Exception):
    """Base of every error that an evaluation raises on purpose."""


class DatasetInvalid(EvalError):
    """The data set cannot be read, or is not in a format that is known."""


class DownloadFailed(EvalError):
    """The data set could not be brought here."""


class RunMismatch(EvalError):
    """The run folder was begun with other settings or data."""


class RunDamaged(EvalError):
    """A file of the run folder cannot be read or written."""


class RunIncomplete(EvalError):
    """Questions are left that could not be answered."""


class EngineUnavailable(EvalError):
    """A package that was asked for is missing, or its cluster cannot be reached."""
