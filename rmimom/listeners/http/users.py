"""Users: who may connect, and what they may do in the administration."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from rmimom.commands import RemoveUser
from rmimom.core.state import SERVER
from rmimom.errors import IllegalStateError, JMSSecurityError
from rmimom.listeners.http.operation import Call, Nothing, Operation
from rmimom.listeners.http.paging import ListQuery, Page, page_of
from rmimom.listeners.http.problems import Refusal, bad_request
from rmimom.passwords import LONGEST
from rmimom.roles import ADMIN, role_of

Role: TypeAlias = Literal["", "viewer", "operator", "admin"]
Password: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST)]


class User(msgspec.Struct, frozen=True):
    """A user; a `role` of "" has no part in the administration."""

    name: str
    role: str


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user to add."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    password: Password
    role: Role = ""


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a user; what is left out or null stays."""

    password: Password | None = None
    role: Role | None = None


class UserQuery(ListQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which users are wanted."""

    sort: Literal["name", "role"] = "name"


async def list_users(call: Call[UserQuery, None]) -> Page[User]:
    """List the users."""
    known = call.engine.broker.state.users.values()
    users = [User(user.name, role_of(user.role, administrator=user.administrator)) for user in known]
    query = call.query
    return page_of(users, query, query.sort, lambda user: [user.name], lambda user: user.name)


async def add_user(call: Call[Nothing, NewUser]) -> User:
    """Add a user; refused with 409 if there is one of this name.

    While there is no user but administrators, anybody on the server's machine may send and receive; the first user
    ends that.
    """
    access = call.access
    if call.engine.broker.user(call.body.name) is not None:
        raise Refusal(
            HTTPStatus.CONFLICT,
            IllegalStateError(f"there is a user named {call.body.name!r} already", user=call.body.name),
        )
    try:
        await access.put(call.body.name, call.body.password, call.body.role)
    except JMSSecurityError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, error) from None
    return User(call.body.name, call.body.role)


async def change_user(call: Call[Nothing, UserChange]) -> User:
    """Change a user's password or role; sessions that began with the old password end."""
    access, name, change = call.access, call.path["name"], call.body
    known = call.engine.broker.user(name)
    if known is None:
        raise _unknown(name)
    old = role_of(known.role, administrator=known.administrator)
    role = old if change.role is None else change.role
    if name == call.caller.user and role != ADMIN:
        raise Refusal(HTTPStatus.CONFLICT, IllegalStateError("an administrator cannot take the role from itself"))
    if change.password is not None:
        await access.put(name, change.password, role)
    elif change.role is not None:
        await access.change_role(name, role)
    else:
        raise bad_request("say what to change: the password or the role")
    return User(name, role)


async def remove_user(call: Call[Nothing, None]) -> None:
    """Remove a user; an administrator cannot remove itself."""
    engine, name = call.engine, call.path["name"]
    if engine.broker.user(name) is None:
        raise _unknown(name)
    if name == call.caller.user:
        raise Refusal(HTTPStatus.CONFLICT, IllegalStateError("an administrator cannot remove itself", user=name))
    await engine.submit(RemoveUser(SERVER, name))


def _unknown(name: str) -> Refusal:
    return Refusal(HTTPStatus.NOT_FOUND, JMSSecurityError(f"there is no user named {name!r}", user=name))


OPERATIONS: Final = (
    Operation(
        method="GET", path="/users", handler=list_users, tag="users", role=ADMIN, query=UserQuery, answer=Page[User]
    ),
    Operation(
        method="POST",
        path="/users",
        handler=add_user,
        tag="users",
        role=ADMIN,
        body=NewUser,
        answer=User,
        status=HTTPStatus.CREATED,
    ),
    Operation(
        method="PUT",
        path="/users/{name}",
        handler=change_user,
        tag="users",
        role=ADMIN,
        body=UserChange,
        answer=User,
    ),
    Operation(method="DELETE", path="/users/{name}", handler=remove_user, tag="users", role=ADMIN),
)
