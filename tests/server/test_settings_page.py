"""The page about the settings is what stands in the docs."""

from __future__ import annotations

from pathlib import Path

from rmimom.config import SETTINGS
from rmimom.server.exit_codes import ExitCode
from rmimom.server.settings_page import settings_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_docs_have_the_page_as_it_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == settings_page(), (
        f"write it again: rmimom-server settings > {PAGE.relative_to(PAGE.parents[1])}"
    )


def test_every_setting_and_every_exit_code_is_on_it() -> None:
    page = settings_page()
    for setting in SETTINGS.values():
        assert page.count(f"| `{setting.name}` | `{setting.option}` `{setting.variable}` |") == 1
    for code in ExitCode:
        assert page.count(f"\n| {code.value} | ") == 1
