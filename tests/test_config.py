"""The table of settings, and what values they may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmimom.config import SETTINGS, ServerConfig
from rmimom.errors import ConfigurationError


def test_every_setting_explains_itself_and_has_a_default_that_it_allows() -> None:
    assert [*SETTINGS, "redelivery", "retention"] == list(ServerConfig.__struct_fields__)
    for setting in SETTINGS.values():
        assert setting.about.text.endswith(".")
        value = getattr(ServerConfig(), setting.name)
        if value is not None:
            setting.check(value, setting.name)


def test_the_pidfile_lies_in_the_data_directory() -> None:
    assert ServerConfig(data=Path("/srv/messages")).pid_path == Path("/srv/messages/rmimom.pid")


def test_a_config_made_in_a_program_is_checked_too() -> None:
    with pytest.raises(ConfigurationError, match="port is 70000, but must be between 0 and 65535"):
        ServerConfig(port=70000)
