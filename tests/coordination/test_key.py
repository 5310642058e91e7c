"""The key of a cluster: made once, kept to oneself, and the only way in."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rmimom.coordination.key import ClusterKey, ServerLogin
from rmimom.errors import ConfigurationError, JMSSecurityError


def test_it_is_made_at_the_first_need_and_read_after_that(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    made = ClusterKey(path)
    assert len(made.password) == 64
    assert ClusterKey(path).password == made.password
    assert path.read_text().strip() == made.password
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    ClusterKey(tmp_path / "new" / "key")
    assert stat.S_IMODE((tmp_path / "new" / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_many_at_once_make_one_key(tmp_path: Path) -> None:
    for attempt in range(10):
        path = tmp_path / f"key-{attempt}"
        with ThreadPoolExecutor(4) as pool:
            keys = list(pool.map(lambda _, path=path: ClusterKey(path).password, range(4)))
        assert len(set(keys)) == 1
        assert path.read_text().strip() == keys[0]


def test_a_key_that_another_server_makes_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    link = os.link

    def late(source: Path, target: Path) -> None:
        path.write_text("theirs" * 4)
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert ClusterKey(path).password == "theirs" * 4
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_what_a_crashed_process_left_does_no_harm(tmp_path: Path) -> None:
    """In a container each process may have the number of the one before."""
    (tmp_path / f"key.{os.getpid()}").write_text("half")
    assert len(ClusterKey(tmp_path / "key").password) == 64


@pytest.mark.parametrize("text", ["", "short", "with a space in the middle of it", "ü" * 20, "x" * 1025, "a\nb" * 9])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="holds no cluster key") as caught:
        ClusterKey(tmp_path / "key")
    assert caught.value.facts["file"] == str(tmp_path / "key")


def test_a_file_that_cannot_be_read_or_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the cluster key"):
        ClusterKey(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cluster key in .*: Not a directory"):
        ClusterKey(tmp_path / "file" / "key")


def test_who_shows_the_key_is_let_in(tmp_path: Path) -> None:
    key = ClusterKey(tmp_path / "key")
    assert key.check(ClusterKey(tmp_path / "key").handshake("s")) == ServerLogin("s")


@pytest.mark.parametrize("wrong", ["", "x" * 64, "\udcff", "ü"])
def test_a_wrong_key_is_refused(tmp_path: Path, wrong: str) -> None:
    key = ClusterKey(tmp_path / "key")
    with pytest.raises(JMSSecurityError, match="not ours") as caught:
        key.check({"server": "s", "cluster_key": wrong})
    assert key.password not in str(caught.value)


@pytest.mark.parametrize(
    "handshake",
    [{}, {"server": "s"}, {"cluster_key": "k"}, {"server": 1, "cluster_key": "k"}, {"server": "s", "cluster_key": b""}],
)
def test_a_handshake_of_another_form_is_refused(tmp_path: Path, handshake: dict[object, object]) -> None:
    with pytest.raises(JMSSecurityError, match="a server says"):
        ClusterKey(tmp_path / "key").check(handshake)
