"""The remote object by which administrators look at a cluster and change who is active.

Every server has it, whatever its role.  It asks for the login of an administrator: on the active one that of a user, on
each server also the token of its data directory, for a standby must answer when no other server does.
"""

from __future__ import annotations

from collections.abc import Awaitable

from rmimom.coordination.control import ClusterControl
from rmimom.errors import JMSSecurityError
from rmimom.listeners.rmi.call import current_call
from rmimom.listeners.rmi.objects.login import login_of
from rmimom.rmi.exposure import expose


class ClusterAdministration:
    """See the module's text, and `ClusterControl` for what each does and raises."""

    def __init__(self, control: ClusterControl) -> None:
        self._control = control

    @expose
    def facts(self) -> dict[str, object]:
        """What this server is: its role, where it is, since when."""
        _check_administrator()
        return self._control.facts()

    @expose
    def status(self) -> dict[str, object]:
        """The cluster as this server sees it."""
        _check_administrator()
        return self._control.status()

    @expose
    def switchover(self, to: str | None = None) -> Awaitable[dict[str, object]]:
        """Let a standby in sync, by id or HOST:PORT, become active; the first one if none is named."""
        _check_administrator()
        return self._control.switch_over(to)

    @expose
    def promote(self, force: bool = False) -> Awaitable[dict[str, object]]:
        """Make this server active without asking any other one; what it lacks is lost."""
        _check_administrator()
        return self._control.promote(force=force)


def _check_administrator() -> None:
    login = login_of(current_call().peer)
    if login is None or not login.administrator:
        raise JMSSecurityError("the cluster is for administrators: log in; see rmimom-admin cluster --help")
