"""The examples of docs/api.md run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.fake_server import FakeServer

import rmimom
from rmimom.client.factory import ConnectionFactory

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_examples_run(server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(rmimom, "ConnectionFactory", lambda: ConnectionFactory(uri=server.uri))
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(examples) >= 8
    names: dict[str, object] = {}
    try:
        for example in examples:
            exec(compile(example, str(PAGE), "exec"), names)
    finally:
        connection = names["connection"]
        assert isinstance(connection, rmimom.Connection)
        connection.close()
    shown = capsys.readouterr().out
    assert "M 5.1, Alaska" in shown
    assert "property 'places' has the type list" in shown
    assert "closed None" in shown
