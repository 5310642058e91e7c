"""What the exit code of `rmimom-server` says."""

from __future__ import annotations

import errno
from enum import IntEnum

from rmimom.errors import ConfigurationError, JMSError, StoreError
from rmimom.listeners.registrar import NamesTakenError


class ExitCode(IntEnum):
    """Each ends with one of these, and a message on the standard error if it is not OK."""

    OK = 0
    """Done, or an orderly stop."""
    FAILED = 1
    """Something failed at run time; `status` and `stop`: no server is running."""
    USAGE = 2
    """An option, a setting or the configuration file is wrong."""
    DATA = 3
    """The data cannot be used: another server has it, it is damaged, of another cluster, or of a newer version."""
    ADDRESS = 4
    """The address is in use, the names belong to another server, or another one is active already."""


def exit_code_of(error: JMSError | OSError) -> ExitCode:
    """The exit code for an error that ended the start."""
    if isinstance(error, NamesTakenError):
        return ExitCode.ADDRESS
    if isinstance(error, ConfigurationError):
        cause = error.__cause__
        in_use = isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE
        return ExitCode.ADDRESS if in_use else ExitCode.USAGE
    return ExitCode.DATA if isinstance(error, StoreError) else ExitCode.FAILED
