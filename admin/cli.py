"""The command `rmimom-admin`: looks at running servers and gives them orders, over their HTTP interface."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from rmimom import __version__
from rmimom.admin.lazy import LazyGroup
from rmimom.admin.tool import Tool
from rmimom.admin.where import PASSWORD_VARIABLE, Given


def _status() -> click.Command:
    from rmimom.admin.commands.status import status

    return status


def _warnings() -> click.Command:
    from rmimom.admin.commands.status import warnings

    return warnings


def _queue() -> click.Command:
    from rmimom.admin.commands.queue import queue

    return queue


def _topic() -> click.Command:
    from rmimom.admin.commands.topic import topic

    return topic


def _sub() -> click.Command:
    from rmimom.admin.commands.subscription import sub

    return sub


def _conn() -> click.Command:
    from rmimom.admin.commands.connection import conn

    return conn


def _send() -> click.Command:
    from rmimom.admin.commands.sending import send

    return send


def _receive() -> click.Command:
    from rmimom.admin.commands.message import receive

    return receive


def _browse() -> click.Command:
    from rmimom.admin.commands.message import browse

    return browse


def _show_message() -> click.Command:
    from rmimom.admin.commands.message import show_message

    return show_message


def _tail() -> click.Command:
    from rmimom.admin.commands.message import tail

    return tail


def _move() -> click.Command:
    from rmimom.admin.commands.message import move

    return move


def _copy() -> click.Command:
    from rmimom.admin.commands.message import copy

    return copy


def _remove_message() -> click.Command:
    from rmimom.admin.commands.message import remove_message

    return remove_message


def _bury() -> click.Command:
    from rmimom.admin.commands.message import bury

    return bury


def _trace() -> click.Command:
    from rmimom.admin.commands.trace import trace

    return trace


def _dlq() -> click.Command:
    from rmimom.admin.commands.dead_letter import dlq

    return dlq


def _sched() -> click.Command:
    from rmimom.admin.commands.scheduled import sched

    return sched


def _cluster() -> click.Command:
    from rmimom.admin.commands.cluster import cluster

    return cluster


def _user() -> click.Command:
    from rmimom.admin.commands.user import user

    return user


def _check() -> click.Command:
    from rmimom.admin.commands.check import check

    return check


def _doctor() -> click.Command:
    from rmimom.admin.commands.doctor import doctor

    return doctor


def _export() -> click.Command:
    from rmimom.admin.commands.exporting import export

    return export


def _import() -> click.Command:
    from rmimom.admin.commands.importing import import_group

    return import_group


def _top() -> click.Command:
    from rmimom.admin.commands.top import top

    return top


def _bench() -> click.Command:
    from rmimom.admin.commands.bench import bench

    return bench


def _context() -> click.Command:
    from rmimom.admin.commands.context import context

    return context


def _explain() -> click.Command:
    from rmimom.admin.commands.explain import explain

    return explain


def _completion() -> click.Command:
    from rmimom.admin.commands.completion import completion

    return completion


LOADERS: Final = {
    "status": _status,
    "warnings": _warnings,
    "queue": _queue,
    "topic": _topic,
    "sub": _sub,
    "conn": _conn,
    "send": _send,
    "receive": _receive,
    "browse": _browse,
    "show-message": _show_message,
    "tail": _tail,
    "move": _move,
    "copy": _copy,
    "rm-message": _remove_message,
    "bury": _bury,
    "trace": _trace,
    "dlq": _dlq,
    "sched": _sched,
    "cluster": _cluster,
    "user": _user,
    "check": _check,
    "doctor": _doctor,
    "top": _top,
    "bench": _bench,
    "export": _export,
    "import": _import,
    "context": _context,
    "explain": _explain,
    "completion": _completion,
}
"""The commands, in the order in which the help tells of them."""


@click.group(cls=LazyGroup, loaders=LOADERS, context_settings={"max_content_width": 110})
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="http://HOST:PORT",
    help="The server's HTTP interface; several: servers of one cluster, the first that answers.  [RMIMOM_ADMIN_URL]",
)
@click.option("--context", "context_name", metavar="NAME", help="A server named before.  [RMIMOM_ADMIN_CONTEXT]")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data directory of a server on this machine.  [RMIMOM_DATA; default: ~/.local/share/rmimom]",
)
@click.option("--user", envvar="RMIMOM_ADMIN_USER", help="Log in as this user.  [RMIMOM_ADMIN_USER; default: admin]")
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    envvar="RMIMOM_ADMIN_PASSWORD_FILE",
    help=f"Its password is the first line of this file.  [RMIMOM_ADMIN_PASSWORD_FILE, or {PASSWORD_VARIABLE}]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 3600, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds that an answer may take.",
)
@click.version_option(__version__, prog_name="rmimom-admin")
@click.pass_context
def main(
    context: click.Context,
    /,
    urls: tuple[str, ...],
    context_name: str | None,
    data: Path | None,
    user: str | None,
    password_file: Path | None,
    timeout: float,
) -> None:
    """Look at running servers and give them orders.

    On the server's own machine, for whoever may read its data directory, no option is needed: the server leaves a token
    there.  From elsewhere say where its HTTP interface is, and log in.

    \b
    Examples:
      rmimom-admin status
      rmimom-admin queue ls --sort pending --desc
      rmimom-admin send orders '{"item": 7}' -p colour=red
      rmimom-admin dlq retry DLQ.orders --all
      rmimom-admin --url http://broker.example:8161 --password-file ~/.rmimom-admin cluster status --watch

    \b
    Exit codes:
      0  done
      1  refused, or not there (check: warning)
      2  no server answers, or an option is wrong (check: critical)
    """  # \b is click's
    tool = Tool(Given(urls, context_name, data, user, password_file, timeout))
    context.obj = tool
    context.call_on_close(tool.close)


if __name__ == "__main__":
    main(prog_name="rmimom-admin")
