"""The command says what it can do, and what is wrong with what was asked."""

from __future__ import annotations

import importlib.util

import pytest
from click.testing import CliRunner

from rmimom_chaos import cli
from rmimom_chaos.faults import FAULTS
from rmimom_chaos.judgement import UNKNOWN
from rmimom_chaos.namespaces import Namespaces
from rmimom_chaos.proxies import Proxies


def test_it_lists_the_faults() -> None:
    lines = CliRunner().invoke(cli.main, ["--list-faults"]).output.splitlines()
    assert [line.split()[0] for line in lines] == list(FAULTS)
    assert all(fault.summary in line for fault, line in zip(FAULTS.values(), lines, strict=True))


@pytest.mark.parametrize("wanted", ["kill-nobody", "kill-active,kill-nobody", ","])
def test_an_unknown_fault_is_refused(wanted: str) -> None:
    result = CliRunner().invoke(cli.main, ["--faults", wanted])
    assert result.exit_code == 2
    assert "--list-faults" in result.output


def test_a_list_of_faults_is_kept_in_its_order() -> None:
    assert cli.chosen_faults("pause-active, kill-active") == ["pause-active", "kill-active"]
    assert cli.chosen_faults("all") == list(FAULTS)


def test_stomp_clients_need_stomp_py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = CliRunner().invoke(cli.main, ["--protocol", "mixed"])
    assert result.exit_code == 2
    assert "pip install stomp.py" in result.output


def test_the_best_network_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Namespaces, "missing", staticmethod(lambda: ""))
    assert isinstance(cli.choose_network("auto"), Namespaces)
    monkeypatch.setattr(Namespaces, "missing", staticmethod(lambda: "no root"))
    assert isinstance(cli.choose_network("auto"), Proxies)


def test_a_network_that_cannot_be_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Namespaces, "missing", staticmethod(lambda: "there is no command nft"))
    result = CliRunner().invoke(cli.main, ["--network", "namespaces"])
    assert result.exit_code == UNKNOWN
    assert "there is no command nft" in result.output
