"""Where data goes by default."""

from pathlib import Path

import pytest

from rmimom.paths import data_directory


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"RMIMOM_DATA": "/srv/rmimom", "XDG_DATA_HOME": "/xdg"}, "/srv/rmimom"),
        ({"RMIMOM_DATA": "~/broker"}, "/home/somebody/broker"),
        ({"RMIMOM_DATA": "", "XDG_DATA_HOME": "/xdg"}, "/xdg/rmimom"),
        ({"XDG_DATA_HOME": ""}, "/home/somebody/.local/share/rmimom"),
        ({}, "/home/somebody/.local/share/rmimom"),
    ],
)
def test_the_first_variable_that_is_set_decides(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RMIMOM_DATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/somebody", **environment}.items():
        monkeypatch.setenv(name, value)
    assert data_directory() == Path(expected)
