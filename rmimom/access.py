"""Who may do what: logins, and the rules for a server without users.

Rule 1: while no messaging user is defined, anybody may send and receive, but only if nobody outside this machine can
        reach the server.  Once there is one, name and password must match.  Administrators do not count.
Rule 2: administration needs an administrator's name and password, always.
Rule 3: an unknown name and a wrong password look the same, in words and in time.
Rule 4: whoever can read the data directory is an administrator: it holds a token (rmimom/admin_token.py) that is as
        good as a password, made anew at every start.  The data itself lies beside it, so this gives nothing away.

A password costs some tenths of a second to check.  One thread does that, so that strangers who guess can never take
more than one core and a few megabytes.  A password that was right once is recognised at once, and who comes with one
that is being checked waits for that check: so clients who all come at once after a failover do not wait for each other.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from rmimom.admin_token import LOCAL_USER
from rmimom.commands import PutUser
from rmimom.core.state import SERVER
from rmimom.engine import Engine
from rmimom.errors import JMSSecurityError, ResourceAllocationError
from rmimom.passwords import CHOSEN, GENERATED, Cost, Hashed, generate_password, hash_password, verify_password
from rmimom.records import UserPut
from rmimom.roles import ADMIN, NONE, role_of

ADMINISTRATOR: Final = "admin"
"""The account that a first start makes."""
MOST_WAITING: Final = 100
"""Password checks that may wait; more logins are told to come again, instead of all of them after their time limit."""
CLUSTER_USER: Final = "@cluster"
"""As whom a server of the cluster connects to the active one."""
_RESERVED: Final = "@"


class Identity(msgspec.Struct, frozen=True):
    """Somebody whose password was right; `role` as it is recorded, see `acts_as`."""

    user: str
    administrator: bool
    role: str = ""

    @property
    def acts_as(self) -> str:
        """The role in the administration (`rmimom.roles`)."""
        return role_of(self.role, administrator=self.administrator)


class PasswordChecker:
    """Checks passwords against what is kept of them, one at a time; see the module's text."""

    def __init__(self) -> None:
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="rmimom-passwords")
        self._key = secrets.token_bytes(32)
        self._seen: dict[str, tuple[bytes, bytes]] = {}  # by name: the digest it was right for, and a keyed hash of it
        self._under_way: dict[tuple[str, bytes, bytes], asyncio.Task[bool]] = {}

    async def is_right(self, name: str, known: UserPut | None, password: str) -> bool:
        """Whether this is the password of the user of this name, which it never is if there is none (`known` is None).

        Who asks what is being checked already waits for that.  Raises ResourceAllocationError in a crowd.
        """
        if known is not None and self._was_right(known, password):
            return True
        asked = (name, known.digest if known is not None else b"", self._quick(known, password))
        check = self._under_way.get(asked)
        if check is None:
            if len(self._under_way) >= MOST_WAITING:
                raise ResourceAllocationError(
                    f"{MOST_WAITING} logins are being checked already; try again in a moment", limit=MOST_WAITING
                )
            check = asyncio.get_running_loop().create_task(self._verify(known, password))
            self._under_way[asked] = check
            check.add_done_callback(lambda _: self._under_way.pop(asked))
        return await asyncio.shield(check)

    async def _verify(self, known: UserPut | None, password: str) -> bool:
        kept = Hashed(known.salt, known.digest) if known else None
        right = await asyncio.get_running_loop().run_in_executor(self.worker, verify_password, password, kept)
        if right and known is not None:
            self._seen[known.name] = (known.digest, self._quick(known, password))
        return right

    def _was_right(self, known: UserPut, password: str) -> bool:
        digest, quick = self._seen.get(known.name, (b"", b""))
        return digest == known.digest and hmac.compare_digest(quick, self._quick(known, password))

    def _quick(self, known: UserPut | None, password: str) -> bytes:
        # Fast to compute, but of no use without the key, which never leaves this process.
        data = password.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._key, salt=known.salt[-16:] if known else b"").digest()

    def close(self) -> None:
        """End the thread; checks under way are not waited for."""
        self.worker.shutdown(wait=False, cancel_futures=True)


class Access:
    """Asks the users in the engine's broker; see the module's text for the rules.

    `open` says that only this machine can reach the server; `token` is the password of rule 4, and `cluster_key` that
    of the other servers of the cluster, who are clients of this one (CLUSTER_USER); either is empty for none.
    """

    def __init__(self, engine: Engine, *, open: bool, token: str = "", cluster_key: str = "") -> None:
        self._engine = engine
        self._open = open
        self._token = token
        self._checker = PasswordChecker()
        self._cluster_key = cluster_key

    @property
    def has_messaging_users(self) -> bool:
        """Whether somebody who is no administrator is defined."""
        return self._engine.broker.state.has_messaging_users

    def names(self) -> list[dict[str, object]]:
        """Every user as {"name": text, "administrator": bool}, by name."""
        users = self._engine.broker.state.users
        return [{"name": name, "administrator": users[name].administrator} for name in sorted(users)]

    async def admit(self, user: str, password: str) -> None:
        """Raise JMSSecurityError unless the user may connect for messaging with this password."""
        if self.has_messaging_users or user == CLUSTER_USER:
            await self.authenticate(user, password)
        else:
            self._check_open()

    def check_bare_user(self, user: str, login: str | None) -> None:
        """Raise JMSSecurityError unless `user` may act over a proxy that logged in as `login` (None: not at all)."""
        if not self.has_messaging_users:
            self._check_open()
        elif login is None:
            raise JMSSecurityError(
                'this server has users: log in with proxy._pyroHandshake = {"user": ..., "password": ...}'
            )
        elif login != user:
            raise JMSSecurityError(f"logged in as {login!r}, so {user!r} cannot act here", user=user)

    def _check_open(self) -> None:
        if not self._open:
            raise JMSSecurityError(
                "this server can be reached from other machines and has no users; "
                "add one on the server's machine with: rmimom-admin user add NAME"
            )

    async def authenticate(self, user: str, password: str) -> Identity:
        """Who this is.  Raises JMSSecurityError if name or password is wrong, ResourceAllocationError in a crowd."""
        secret = {LOCAL_USER: self._token, CLUSTER_USER: self._cluster_key}.get(user)
        if secret is not None:
            if secret and hmac.compare_digest(secret.encode(), password.encode("utf-8", "replace")):
                return Identity(user, administrator=user == LOCAL_USER)
            raise _wrong()
        known = self._engine.broker.user(user)
        if not await self._checker.is_right(user, known, password):
            raise _wrong()
        assert known is not None
        return Identity(user, known.administrator, known.role)

    async def put(self, name: str, password: str, role: str | None = None) -> bool:
        """Add a user or change a password; True if the user is new.  Without a role the user keeps the one there is."""
        _check_texts(name, password)
        known = self._engine.broker.user(name)
        if role is None:
            role = role_of(known.role, administrator=known.administrator) if known else NONE
        return await self._put(name, password, role, CHOSEN)

    async def _put(self, name: str, password: str, role: str, cost: Cost) -> bool:
        if name.startswith(_RESERVED):
            raise JMSSecurityError(f"names of users do not start with {_RESERVED}: {name!r} is the server's", user=name)
        if not name.isprintable() or name != name.strip():
            raise JMSSecurityError(f"the user name {name!r} holds characters that nobody can see", user=name)
        hashed = await asyncio.get_running_loop().run_in_executor(self._checker.worker, hash_password, password, cost)
        return await self._record(name, hashed, role)

    async def change_role(self, name: str, role: str) -> None:
        """Give a user another role; raises JMSSecurityError if there is no such user or role."""
        known = self._engine.broker.user(name)
        if known is None:
            raise JMSSecurityError(f"there is no user named {name!r}", user=name)
        await self._record(name, Hashed(known.salt, known.digest), role)

    async def _record(self, name: str, hashed: Hashed, role: str) -> bool:
        kept = "" if role == ADMIN else role
        answer = await self._engine.submit(
            PutUser(SERVER, name, hashed.salt, hashed.digest, administrator=role == ADMIN, role=kept)
        )
        return bool(answer)

    async def ensure_administrator(self) -> str | None:
        """At a first start make the account `admin`, and return its password: it is kept nowhere in the clear."""
        users = self._engine.broker.state.users
        if ADMINISTRATOR in users or any(user.administrator for user in users.values()):
            return None
        password = generate_password()
        await self._put(ADMINISTRATOR, password, ADMIN, GENERATED)
        return password

    def close(self) -> None:
        """End the thread; checks under way are not waited for."""
        self._checker.close()


def _check_texts(*values: object) -> None:
    # They come over the wire, where nobody checked.
    if not all(isinstance(value, str) for value in values):
        raise JMSSecurityError("the name and the password of a user are texts")


def _wrong() -> JMSSecurityError:
    return JMSSecurityError("the user name or the password is wrong")
