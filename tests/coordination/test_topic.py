"""The coordination topic: for servers alone, each for itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.coordination import A, B, make_key, served
from support.loops import on_loop

from rmimom.coordination.standby import SERVER_PREFIX
from rmimom.coordination.topic import CoordinationTopic
from rmimom.listeners.rmi.caller import CallbackPeer, RemoteCallError


class Followers:
    """Who joined."""

    def __init__(self) -> None:
        self.joined: dict[str, str] = {}

    def join(self, server: str, uri: str) -> None:
        self.joined[server] = uri

    def leave(self, server: str) -> bool:
        return self.joined.pop(server, None) is not None


URI = f"PYRO:{SERVER_PREFIX}{B}@127.0.0.1:1"


@on_loop
async def test_a_server_subscribes_and_leaves(tmp_path: Path) -> None:
    key, followers = make_key(tmp_path), Followers()
    async with served({"topic": CoordinationTopic(followers)}, key) as place:
        peer = await CallbackPeer.connect(f"PYRO:topic@{place}", 20, handshake=key.handshake(B))
        for method in ("subscribe", "set_im_online"):
            assert (await peer.call(method, (B, URI), timeout=20))[0] is True
            assert followers.joined == {B: URI}
            assert (await peer.call("remove_subscriber", (B,), timeout=20))[0] is True
            assert (await peer.call("remove_subscriber", (B,), timeout=20))[0] is False
        peer.close()


@pytest.mark.parametrize(
    ("server", "method", "arguments", "error"),
    [
        ("", "subscribe", (B, URI), "only servers of the cluster may subscribe"),
        ("", "set_im_online", (B, URI), "only servers of the cluster may subscribe"),
        ("", "remove_subscriber", (A,), "only servers of the cluster may subscribe"),
        (A, "subscribe", (B, URI), f"server {A} cannot subscribe for {B}"),
        (B, "remove_subscriber", (A,), f"server {B} cannot subscribe for {A}"),
        (B, "subscribe", (B, f"PYRO:{SERVER_PREFIX}{A}@127.0.0.1:1"), "is not the URI of the object"),
        (B, "subscribe", (B, f"PYRO:{SERVER_PREFIX}{B}0@127.0.0.1:1"), "is not the URI of the object"),
        (B, "publish", ({"body": "x"}, B), "only the active server publishes"),
    ],
)
def test_everything_else_is_refused(
    tmp_path: Path, server: str, method: str, arguments: tuple[object, ...], error: str
) -> None:
    @on_loop
    async def check() -> None:
        key, followers = make_key(tmp_path), Followers()
        followers.joined[A] = "there before"
        async with served({"topic": CoordinationTopic(followers)}, key) as place:
            handshake: object = key.handshake(server) if server else "hello"
            peer = await CallbackPeer.connect(f"PYRO:topic@{place}", 20, handshake=handshake)
            with pytest.raises(RemoteCallError, match=error):
                await peer.call(method, arguments, timeout=20)
            peer.close()
        assert followers.joined == {A: "there before"}

    check()
