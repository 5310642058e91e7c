"""Who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.engines import inheritance

from rmimom import access as access_module
from rmimom import passwords
from rmimom.access import ADMINISTRATOR, Access, Identity
from rmimom.admin_token import LOCAL_USER
from rmimom.clock import ManualClock
from rmimom.commands import RemoveUser
from rmimom.core.broker import Broker
from rmimom.core.state import SERVER
from rmimom.engine import Engine
from rmimom.errors import JMSSecurityError, ResourceAllocationError
from rmimom.passwords import Cost, Hashed
from rmimom.roles import ADMIN, VIEWER
from rmimom.store.memory import MemoryStore

WRONG = "the user name or the password is wrong"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost nothing."""
    cost = Cost(1, 1, 1)
    monkeypatch.setattr(passwords, "CHOSEN", cost)
    monkeypatch.setattr(passwords, "_NOBODY", bytes(cost) + bytes(16))
    monkeypatch.setattr(access_module, "CHOSEN", cost)


def run(conversation: Callable[[Access, Engine], Awaitable[None]], *, open: bool = True, token: str = "") -> None:
    """A conversation with an access on an engine that runs."""

    async def whole() -> None:
        engine = Engine(Broker(), store := MemoryStore(), ManualClock())
        await engine.start(await inheritance(store))
        access = Access(engine, open=open, token=token)
        try:
            await conversation(access, engine)
        finally:
            access.close()
            await engine.stop()

    asyncio.run(whole())


def test_without_users_anybody_on_this_machine_is_let_in() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        await access.ensure_administrator()
        assert not access.has_messaging_users
        await access.admit("whoever", "whatever")
        access.check_bare_user("whoever", None)

    run(conversation)


def test_without_users_nobody_is_let_in_if_others_can_reach_the_server() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        with pytest.raises(JMSSecurityError, match="rmimom-admin user add NAME"):
            await access.admit("whoever", "whatever")
        with pytest.raises(JMSSecurityError, match="rmimom-admin user add NAME"):
            access.check_bare_user("whoever", None)

    run(conversation, open=False)


def test_once_there_is_a_user_name_and_password_must_match() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        assert await access.put("alice", "secret") is True
        for _ in range(2):  # the second time it is recognised
            await access.admit("alice", "secret")
            for user, password in (("alice", "wrong"), ("alice", ""), ("bob", "secret"), ("", "")):
                with pytest.raises(JMSSecurityError, match=f"^{WRONG}$"):
                    await access.admit(user, password)
        access.check_bare_user("alice", "alice")
        with pytest.raises(JMSSecurityError, match="_pyroHandshake"):
            access.check_bare_user("alice", None)
        with pytest.raises(JMSSecurityError, match="logged in as 'bob'"):
            access.check_bare_user("alice", "bob")
        await engine.submit(RemoveUser(SERVER, "alice"))
        await access.admit("anybody", "")

    run(conversation)


def test_a_new_password_makes_the_old_one_wrong_at_once() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        await access.put("alice", "old")
        await access.admit("alice", "old")
        assert await access.put("alice", "new") is False
        with pytest.raises(JMSSecurityError, match=WRONG):
            await access.admit("alice", "old")
        await access.admit("alice", "new")

    run(conversation)


def test_the_first_start_makes_an_administrator_and_the_second_does_not() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        password = await access.ensure_administrator()
        assert password is not None
        assert await access.authenticate(ADMINISTRATOR, password) == Identity(ADMINISTRATOR, administrator=True)
        assert await access.ensure_administrator() is None
        # A new password does not make it a user like any other.
        await access.put(ADMINISTRATOR, "chosen")
        assert (await access.authenticate(ADMINISTRATOR, "chosen")).administrator
        assert access.names() == [{"name": ADMINISTRATOR, "administrator": True}]
        await access.put("alice", "secret")
        assert not (await access.authenticate("alice", "secret")).administrator
        assert [user["name"] for user in access.names()] == ["admin", "alice"]

    run(conversation)


def test_the_token_is_as_good_as_a_password() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        assert (await access.authenticate(LOCAL_USER, "token")).administrator
        for password in ("", "wrong", "t\u00f6ken", "\ud800"):
            with pytest.raises(JMSSecurityError, match=WRONG):
                await access.authenticate(LOCAL_USER, password)

    run(conversation, token="token")


def test_without_a_token_nobody_is_let_in_with_none() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        with pytest.raises(JMSSecurityError, match=WRONG):
            await access.authenticate(LOCAL_USER, "")

    run(conversation)


@pytest.mark.parametrize("name", [LOCAL_USER, "@other", "a\nb", " a", "a\x1b[2J", "", "x" * 300])
def test_names_that_no_user_can_have(name: str) -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        with pytest.raises(JMSSecurityError):
            await access.put(name, "secret")
        assert engine.broker.state.users == {}

    run(conversation)


def test_values_that_are_no_text() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        for name, password in ((1, "x"), ("x", None)):
            with pytest.raises(JMSSecurityError, match="are texts"):
                await access.put(name, password)  # type: ignore[arg-type]

    run(conversation)


def test_a_crowd_of_guesses_is_sent_away_and_a_known_password_passes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_module, "MOST_WAITING", 3)

    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        await access.put("alice", "secret")
        await access.admit("alice", "secret")
        # The one thread is busy until we say so.
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()
        busy = loop.run_in_executor(
            access._checker.worker, lambda: asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()
        )
        guesses = [asyncio.ensure_future(access.admit("alice", f"guess {number}")) for number in range(5)]
        await asyncio.sleep(0)
        await access.admit("alice", "secret")
        gate.set()
        await busy
        outcomes = await asyncio.gather(*guesses, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JMSSecurityError] * 3 + [ResourceAllocationError] * 2
        with pytest.raises(JMSSecurityError, match=WRONG):
            await access.admit("alice", "later")

    run(conversation)


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_who_comes_with_what_is_being_checked_waits_for_that(user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given clients that all come at once, then a password is checked once; so it is for names that are unknown."""
    checked: list[str] = []

    def verify(password: str, kept: Hashed | None) -> bool:
        checked.append(password)
        return passwords.verify_password(password, kept)

    monkeypatch.setattr(access_module, "verify_password", verify)

    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        await access.put("alice", "secret")
        asked = [asyncio.ensure_future(access.admit(user, "secret")) for _ in range(5)]
        asked += [
            asyncio.ensure_future(access.admit(user, "wrong")),
            asyncio.ensure_future(access.admit("bob", "secret")),
        ]
        await asyncio.sleep(0)
        asked[0].cancel()  # the others do not suffer from it
        _, *outcomes = await asyncio.gather(*asked, return_exceptions=True)
        wrong = [isinstance(outcome, JMSSecurityError) for outcome in outcomes]
        assert wrong == [user == "nobody"] * 4 + [True, True]
        assert sorted(checked) == ["secret", "secret", "wrong"]
        await access.put("alice", "other")
        with pytest.raises(JMSSecurityError):
            await access.admit(user, "secret")

    run(conversation)


def test_a_user_keeps_the_role_until_it_is_given_another() -> None:
    async def conversation(access: Access, engine: Engine) -> None:
        del engine
        await access.put("vic", "first", VIEWER)
        assert (await access.authenticate("vic", "first")).acts_as == VIEWER
        await access.put("vic", "second")
        assert (await access.authenticate("vic", "second")).acts_as == VIEWER
        await access.change_role("vic", ADMIN)
        assert await access.authenticate("vic", "second") == Identity("vic", administrator=True)
        assert (await access.authenticate("vic", "second")).acts_as == ADMIN
        await access.change_role("vic", "")
        assert (await access.authenticate("vic", "second")).acts_as == ""
        for name, role, wrong in (("vic", "emperor", "no role 'emperor'"), ("eve", VIEWER, "no user named 'eve'")):
            with pytest.raises(JMSSecurityError, match=wrong):
                await access.change_role(name, role)

    run(conversation)
