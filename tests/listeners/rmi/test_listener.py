"""Stock Pyro5 proxies against the listener: whatever they do with Pyro5's own server works with ours."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator

import pytest
from Pyro5 import api, config, core, errors, protocol, socketutil
from Pyro5.callcontext import current_context
from support.rmi import RawClient, Served
from support.waiting import wait_for

from rmimom.errors import ConfigurationError, InvalidDestinationError, JMSSecurityError
from rmimom.listeners.rmi.listener import RmiLimits
from rmimom.listeners.rmi.peer import Peer
from rmimom.rmi import wire


@pytest.fixture(params=["serpent", "json", "msgpack"])
def proxy(request: pytest.FixtureRequest, served: Served) -> Iterator[api.Proxy]:
    with api.Proxy(served.uri()) as found:
        found._pyroSerializer = request.param
        found._pyroTimeout = 20
        yield found


def test_values_and_keywords(proxy: api.Proxy) -> None:
    for value in (None, True, 5, 1.5, "text €", [1, [2]], {"a": {"b": None}}, ""):
        assert proxy.echo(value) == value
    assert list(proxy.keywords(1, "two", three=[3])) == [[1, "two"], {"three": [3]}]
    assert proxy.done("now") == "now"
    assert list(proxy.done({"now": [1]})) == ["now"]


def test_a_call_that_was_cancelled_is_an_error(proxy: api.Proxy) -> None:
    with pytest.raises(errors.PyroError, match="cancelled by the server"):
        proxy.gone()
    assert proxy.echo(1) == 1


def test_a_result_that_comes_later(proxy: api.Proxy) -> None:
    assert proxy.later([1, 2]) == [1, 2]
    assert bytes(current_context.response_annotations["LATE"]) == b"later"


def test_attributes_and_operators(proxy: api.Proxy) -> None:
    assert proxy.level == 1
    proxy.level = 7
    assert proxy.level == 7
    assert len(proxy) == 3
    assert proxy[1] == 20
    with pytest.raises(IndexError):
        proxy[5]
    assert list(proxy) == [10, 20, 30]


def test_ping(proxy: api.Proxy) -> None:
    proxy._pyroBind()
    protocol.SendingMessage.ping(proxy._pyroConnection)
    assert proxy.echo(1) == 1


def test_oneway_calls_run_in_order_and_say_nothing(served: Served, proxy: api.Proxy) -> None:
    for number in range(50):
        assert proxy.hear(number) is None
    proxy.hear_badly()
    assert proxy.echo("still there") == "still there"
    assert served.thing.heard == list(range(50))


def test_our_errors_arrive_as_themselves(proxy: api.Proxy) -> None:
    for method in (proxy.refuse, proxy.refuse_later):
        with pytest.raises(InvalidDestinationError, match=r"^there is no such queue$") as caught:
            method()
        assert caught.value.facts == {"name": "orders"}
        text = "".join(errors.get_pyro_traceback(type(caught.value), caught.value, caught.value.__traceback__))
        assert "Remote traceback" in text
        assert 'raise InvalidDestinationError("there is no such queue"' in text
    assert proxy.echo(1) == 1


def test_other_errors_arrive_too(proxy: api.Proxy) -> None:
    with pytest.raises(ZeroDivisionError, match="by zero"):
        proxy.stumble()
    with pytest.raises(TypeError, match="argument"):
        proxy.echo()
    with pytest.raises(errors.PyroError, match=r"ValueError|object"):
        proxy.odd_error()
    assert proxy.echo(1) == 1


def test_a_result_that_cannot_be_sent_is_an_error(proxy: api.Proxy) -> None:
    with pytest.raises(Exception, match=r"\S"):
        proxy.odd_result()
    with api.Proxy(proxy._pyroUri) as another:
        assert another.echo(1) == 1


def test_batches(served: Served, proxy: api.Proxy) -> None:
    batch = api.BatchProxy(proxy)
    batch.echo(1)
    batch.later(2)
    batch.wait()
    batch.keywords(4, x=5)
    threading.Thread(
        target=lambda: (wait_for(lambda: served.thing.waiting), served.do(served.thing.waiting[0].set_result, 3))
    ).start()
    assert [list(r) if isinstance(r, tuple) else r for r in batch()] == [1, 2, 3, [[4], {"x": 5}]]


def test_a_batch_ends_with_the_first_error(served: Served, proxy: api.Proxy) -> None:
    batch = api.BatchProxy(proxy)
    batch.echo(1)
    batch.refuse()
    batch.hear("never")
    results = batch()
    assert next(results) == 1
    with pytest.raises(InvalidDestinationError, match="there is no such queue"):
        next(results)
    assert served.thing.heard == []


def test_a_oneway_batch(served: Served, proxy: api.Proxy) -> None:
    batch = api.BatchProxy(proxy)
    batch.hear(1)
    batch.later("x")
    batch.hear(2)
    batch(oneway=True)
    assert proxy.echo("after") == "after"
    assert served.thing.heard == [1, 2]


def test_a_batch_reaches_exposed_methods_only(served: Served, proxy: api.Proxy) -> None:
    batch = api.BatchProxy(proxy)
    batch.hidden()
    with pytest.raises(AttributeError, match="hidden"):
        list(batch())
    assert served.thing.heard == []


@pytest.mark.parametrize("method", ["hidden", "_private", "nothing", "__init__", "__class__", "thing.echo", "waiting"])
def test_only_exposed_methods_can_be_called(served: Served, proxy: api.Proxy, method: str) -> None:
    with pytest.raises(AttributeError, match="unexposed or unknown"):
        proxy._pyroInvoke(method, [], {})
    assert served.thing.heard == []


@pytest.mark.parametrize("attribute", ["heard", "_level", "__dict__", "hidden"])
def test_only_exposed_attributes_can_be_reached(proxy: api.Proxy, attribute: str) -> None:
    with pytest.raises(AttributeError):
        proxy._pyroInvoke("__getattr__", [attribute], None)
    with pytest.raises(AttributeError):
        proxy._pyroInvoke("__setattr__", [attribute, 1], None)


def test_annotations_in_both_directions(proxy: api.Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_context, "annotations", {"HERE": b"from here"})
    assert proxy.annotated() == {"HERE": "from here"}
    assert bytes(current_context.response_annotations["BACK"]) == b"back"
    proxy.echo(1)
    assert current_context.response_annotations == {}


def test_the_correlation_id_is_seen_and_sent_back(
    served: Served, proxy: api.Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.annotated()
    assert served.thing.calls[-1].correlation_id is None
    number = uuid.uuid4()
    monkeypatch.setattr(current_context, "correlation_id", number)
    proxy._pyroRawWireResponse = True
    message = proxy.annotated()
    assert served.thing.calls[-1].correlation_id == number
    assert message.corr_id == number.bytes
    assert message.flags & protocol.FLAGS_CORR_ID


def test_compression(proxy: api.Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "COMPRESSION", True)
    assert proxy.echo("x" * 100_000) == "x" * 100_000


def test_item_streams(served: Served, proxy: api.Proxy) -> None:
    assert list(proxy.count(5)) == [0, 1, 2, 3, 4]
    assert list(proxy.count_later(3)) == [0, 1, 2]
    assert list(proxy.count(0)) == []
    assert served.listener.statistics().streams == 0


def test_an_item_stream_can_be_closed_and_others_go_on(served: Served, proxy: api.Proxy) -> None:
    one, two = proxy.count(5), proxy.count(5)
    assert next(one) == 0
    two.close()
    wait_for(lambda: served.listener.statistics().streams == 1)
    assert next(one) == 1
    proxy.echo(1)
    one.close()  # over a second connection, for the sequence numbers went apart
    wait_for(lambda: served.listener.statistics().streams == 0)


def test_an_item_stream_ends_with_its_connection(served: Served, proxy: api.Proxy) -> None:
    stream = proxy.count(5)
    assert next(stream) == 0
    with api.Proxy(served.uri("Pyro.Daemon")) as daemon, pytest.raises(errors.PyroError, match="terminated"):
        daemon.get_next_stream_item(stream.streamId)
    proxy._pyroRelease()
    wait_for(lambda: served.listener.statistics().streams == 0)


def test_the_daemon_object(served: Served) -> None:
    secret = "rmimom.connection.0123456789"
    served.do(served.registry.register, secret, served.thing)
    with api.Proxy(served.uri("Pyro.Daemon")) as daemon:
        assert daemon.ping() is None
        assert daemon.registered() == ["Pyro.Daemon", "thing"]
        assert "rmimom" in daemon.info()
        assert secret not in daemon.info()
        meta = daemon.get_metadata("thing")
        assert "echo" in meta["methods"]
        assert set(meta["oneway"]) == {"hear", "hear_badly"}
        assert set(meta["attrs"]) == {"level"}
        assert "echo" in daemon.get_metadata(secret)["methods"]
        with pytest.raises(errors.DaemonError, match="unknown object"):
            daemon.get_metadata("nothing")
    with api.Proxy(served.uri(secret)) as proxy:
        assert proxy.echo(1) == 1


def test_metadata_asked_for_later(proxy: api.Proxy) -> None:
    proxy._pyroBind()
    proxy._pyroMethods = set()
    proxy._pyroAttrs = set()
    proxy._pyroGetMetadata()
    assert "echo" in proxy._pyroMethods


def test_an_unknown_object_is_refused_in_the_handshake(served: Served) -> None:
    with api.Proxy(served.uri("nothing")) as proxy, pytest.raises(errors.CommunicationError, match="unknown object"):
        proxy._pyroBind()
    wait_for(lambda: served.connections == 0)


def test_an_object_that_went_away_is_an_error(served: Served, proxy: api.Proxy) -> None:
    proxy._pyroBind()
    served.do(served.registry.unregister, "thing")
    with pytest.raises(errors.DaemonError, match="unknown object"):
        proxy.echo(1)


def test_marshal_is_refused_in_the_handshake(served: Served) -> None:
    with api.Proxy(served.uri()) as proxy:
        proxy._pyroSerializer = "marshal"
        with pytest.raises(errors.CommunicationError, match="marshal is not accepted, choose one of: serpent, json"):
            proxy._pyroBind()


def test_a_serialized_blob_is_refused_with_a_reason(proxy: api.Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_context, "annotations", {})
    with pytest.raises(errors.SerializeError, match="SerializedBlob is not accepted"):
        proxy.echo(api.SerializedBlob("info", [1, 2]))


def test_a_callback_argument_arrives_as_a_uri(served: Served, proxy: api.Proxy) -> None:
    with api.Proxy("PYRO:callback@localhost:4711") as callback:
        assert proxy.size({"a": "b"}) == 1
        assert proxy.echo(callback) == core.URI("PYRO:callback@localhost:4711")


@pytest.mark.parametrize("size", [50_000_000])
def test_large_messages_in_both_directions(proxy: api.Proxy, size: int) -> None:
    assert proxy.size("x" * size) == size
    assert len(proxy.large(size)) == size


def test_a_large_annotation(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_context, "annotations", {"BULK": b"x" * 50_000_000})
    with api.Proxy(served.uri()) as proxy:
        assert len(proxy.annotated()["BULK"]) == 50_000_000


def test_a_message_over_the_limit_is_refused_and_the_connection_stays() -> None:
    with Served(limits=RmiLimits(message_bytes=1_000_000)) as served, api.Proxy(served.uri()) as proxy:
        proxy._pyroBind()
        connection = proxy._pyroConnection
        with pytest.raises(Exception, match="1000000 are allowed") as caught:
            proxy.size("x" * 5_000_000)
        assert caught.value.facts["limit"] == 1_000_000
        assert proxy.size("x" * 100_000) == 100_000
        assert proxy._pyroConnection is connection


def test_one_that_waits_delays_nobody_else(served: Served) -> None:
    results: list[object] = []

    def wait() -> None:
        with api.Proxy(served.uri()) as proxy:
            results.append(proxy.wait())

    waiter = threading.Thread(target=wait)
    waiter.start()
    wait_for(lambda: served.thing.waiting)
    with api.Proxy(served.uri()) as proxy:
        assert proxy.echo("meanwhile") == "meanwhile"
    assert results == []
    served.do(served.thing.waiting[0].set_result, "at last")
    waiter.join(20)
    assert results == ["at last"]


def test_five_hundred_proxies_at_once(served: Served) -> None:
    proxies = [api.Proxy(served.uri()) for _ in range(500)]
    try:
        for number, proxy in enumerate(proxies):
            assert proxy.echo(number) == number
        assert served.connections == 500
        for number, proxy in enumerate(proxies):
            assert proxy.later(number) == number
    finally:
        for proxy in proxies:
            proxy._pyroRelease()
    wait_for(lambda: served.connections == 0)


def test_many_connect_in_the_same_moment(served: Served) -> None:
    clients = [socket.create_connection(("127.0.0.1", served.listener.port), 20) for _ in range(300)]
    wait_for(lambda: served.connections == 300)
    for client in clients:
        client.close()
    wait_for(lambda: served.connections == 0)


def test_a_connection_over_the_limit_is_told_so() -> None:
    with Served(limits=RmiLimits(connections=2)) as served:
        first, second, third = (api.Proxy(served.uri()) for _ in range(3))
        with first, second, third:
            assert first.echo(1) == 1
            assert second.echo(2) == 2
            with pytest.raises(errors.CommunicationError, match="too many connections: 2 are allowed"):
                third.echo(3)
            second._pyroRelease()
            wait_for(lambda: served.connections == 1)
            assert third.echo(3) == 3
        assert served.listener.statistics().refused == 1


def test_far_too_many_connections_are_just_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Served(limits=RmiLimits(connections=0)) as served:
        clients = [socket.create_connection(("127.0.0.1", served.listener.port), 20) for _ in range(110)]
        wait_for(lambda: served.listener.statistics().accepted == 110)
        wait_for(lambda: served.connections == 100)
        for client in clients:
            client.close()


def login(peer: Peer, handshake: object) -> object:
    if not isinstance(handshake, dict):
        return "anonymous"
    if handshake.get("password") == "crash":
        raise RuntimeError("a secret detail")
    if handshake.get("password") != "secret":
        raise JMSSecurityError("wrong password")
    return handshake["user"]


async def login_later(peer: Peer, handshake: object) -> object:
    await asyncio.sleep(0)
    return login(peer, handshake)


@pytest.mark.parametrize("authenticate", [login, login_later])
def test_handshakes_are_judged(authenticate: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "rmimom")
    with Served(authenticate=authenticate) as served, api.Proxy(served.uri()) as proxy:
        assert proxy.who()[2] == "anonymous"
        proxy._pyroRelease()
        proxy._pyroHandshake = {"user": "app", "password": "secret"}
        assert list(proxy.who()) == ["127.0.0.1", "thing", "app"]
        proxy._pyroRelease()
        proxy._pyroHandshake = {"user": "app", "password": "guess"}
        with pytest.raises(errors.CommunicationError, match="rejected: wrong password"):
            proxy.who()
        proxy._pyroHandshake = {"user": "app", "password": "crash"}
        with pytest.raises(errors.CommunicationError, match="could not judge") as caught:
            proxy.who()
        assert "secret detail" not in str(caught.value)
        assert served.listener.statistics().refused == 2


def test_who_leaves_during_a_slow_handshake_harms_nobody() -> None:
    judging: list[asyncio.Future[object]] = []

    def slowly(peer: Peer, handshake: object) -> object:
        judging.append(asyncio.get_running_loop().create_future())
        return judging[-1]

    with Served(authenticate=slowly) as served:
        with RawClient(served.listener.port, greet=False) as client:
            client.send(client.handshake())
            wait_for(lambda: judging)
        wait_for(lambda: served.connections == 0)
        served.do(judging[0].set_exception, JMSSecurityError("too late"))


@pytest.fixture
def certificates(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """TLS for the server, and Pyro5's settings for the clients."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setattr(config, "SSL", True)
    monkeypatch.setattr(config, "SSL_CACERTS", str(path))
    monkeypatch.setattr(socketutil, "__ssl_client_context", None)
    return context


def test_tls(certificates: ssl.SSLContext) -> None:
    with Served(ssl=certificates) as served:
        with api.Proxy(served.uri()) as proxy:
            assert proxy.echo("secret") == "secret"
            assert proxy.size("x" * 5_000_000) == 5_000_000
            assert len(proxy.large(5_000_000)) == 5_000_000
        with socket.create_connection(("127.0.0.1", served.listener.port), 20) as stranger:
            stranger.sendall(wire.HEADER.pack(b"PYRO", 502, 1, 1, 0, 0, 0, 0, bytes(16), 0, 0x4DC5))
            stranger.recv(1000)  # an alert of TLS, or nothing
        wait_for(lambda: served.connections == 0)


def test_both_families_of_addresses_are_served_on_one_port() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Served(host="") as served:
        port = served.listener.port
        assert {address for address, _ in served.listener.addresses} == {"0.0.0.0", "::"}
        assert {found for _, found in served.listener.addresses} == {port}
        for host in ("127.0.0.1", "[::1]"):
            with api.Proxy(f"PYRO:thing@{host}:{port}") as proxy:
                assert proxy.who()[0] == host.strip("[]")


def test_a_port_that_is_taken_is_an_error_that_says_so(served: Served) -> None:
    port = served.listener.port
    with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}") as caught, Served(port=port):
        pass
    assert caught.value.facts == {"host": "127.0.0.1", "port": port}


def test_a_stop_lets_the_calls_under_way_end() -> None:
    served = Served(limits=RmiLimits(drain_seconds=1000))
    with served, RawClient(served.listener.port) as busy, RawClient(served.listener.port) as idle:
        busy.send(busy.call("wait") + busy.call("hear", "not served any more"))
        wait_for(lambda: served.thing.waiting)
        stopping = asyncio.run_coroutine_threadsafe(served.listener.stop(), served.loop)
        assert idle.receive() is None
        assert not stopping.done()
        with pytest.raises(ConnectionRefusedError):
            RawClient(served.listener.port)
        served.do(served.thing.waiting[0].set_result, "the last answer")
        assert busy.answer()[0] == "the last answer"
        assert busy.receive() is None
        stopping.result(20)
    assert served.thing.heard == []
    assert served.connections == 0


def test_a_stop_does_not_wait_for_ever() -> None:
    with Served(limits=RmiLimits(drain_seconds=0.05)) as served:
        with RawClient(served.listener.port) as busy:
            busy.send(busy.call("wait"))
            wait_for(lambda: served.thing.waiting)
            served.run(served.listener.stop())
            assert busy.receive() is None
        assert served.connections == 0
        served.do(served.thing.waiting[0].set_result, "too late")
        served.run(served.listener.stop())


def test_statistics() -> None:
    with Served() as served:
        with api.Proxy(served.uri()) as proxy:
            proxy.echo(1)
            with pytest.raises(ZeroDivisionError):
                proxy.stumble()
            found = served.listener.statistics()
            assert (found.connections, found.objects, found.accepted) == (1, 2, 1)
            assert (found.calls, found.failed_calls, found.refused, found.protocol_errors) == (2, 1, 0, 0)
        with RawClient(served.listener.port, greet=False) as client:
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            client.receive()
        wait_for(lambda: served.listener.statistics().protocol_errors == 1)
