"""Contexts are kept as they were, and readable for their owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rmimom.admin.contexts import Context, Contexts, contexts_path, read_contexts, write_contexts
from rmimom.admin.failure import Failure


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


def test_what_is_written_is_read_again() -> None:
    assert read_contexts() == Contexts("", {})
    odd = 'a "quoted" \\ name.with\tdots \x7f ü'
    contexts = Contexts(
        odd,
        {
            odd: Context(("http://one:1", "http://two:2"), "", "olga", f"/x/{odd}"),
            "here": Context((), "/var/lib/rmimom", "", ""),
        },
    )
    write_contexts(contexts)
    write_contexts(contexts)
    assert read_contexts() == contexts
    assert stat.S_IMODE(contexts_path().stat().st_mode) == 0o600
    assert [path.name for path in contexts_path().parent.iterdir()] == ["contexts.toml"]


@pytest.mark.parametrize("text", ["[", "contexts = 5", "[contexts]\na = 5", '[contexts.a]\nurls = "http://x"', "\xff"])
def test_a_file_that_makes_no_sense_is_said(text: str) -> None:
    contexts_path().parent.mkdir(parents=True)
    contexts_path().write_bytes(text.encode("latin-1"))
    with pytest.raises(Failure, match="cannot be read"):
        read_contexts()


def test_one_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(Failure, match=r"'x' \(a, b\)"):
        Contexts("", {"b": Context(), "a": Context()}).find("x")
