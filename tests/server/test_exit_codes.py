"""What the exit codes say."""

from __future__ import annotations

import errno

import pytest

from rmimom import errors
from rmimom.coordination.memory import ForeignDataError
from rmimom.listeners.registrar import NamesTakenError
from rmimom.server.exit_codes import ExitCode, exit_code_of


def address_error(number: int) -> errors.ConfigurationError:
    """What a listener raises."""
    error = errors.ConfigurationError("cannot listen")
    error.__cause__ = OSError(number, "x")
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigurationError("x"), ExitCode.USAGE),
        (address_error(errno.EADDRINUSE), ExitCode.ADDRESS),
        (address_error(errno.EADDRNOTAVAIL), ExitCode.USAGE),
        (NamesTakenError("x"), ExitCode.ADDRESS),
        (errors.StoreInUseError("x"), ExitCode.DATA),
        (errors.StoreDamagedError("x"), ExitCode.DATA),
        (errors.StoreVersionError("x"), ExitCode.DATA),
        (errors.StoreError("x"), ExitCode.DATA),
        (ForeignDataError("x"), ExitCode.DATA),
        (errors.StoreFullError("x"), ExitCode.FAILED),
        (errors.JMSSecurityError("x"), ExitCode.FAILED),
        (OSError("x"), ExitCode.FAILED),
    ],
)
def test_every_error_of_a_start_has_its_code(error: errors.JMSError | OSError, code: ExitCode) -> None:
    assert exit_code_of(error) is code
