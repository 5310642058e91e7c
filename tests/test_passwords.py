"""Passwords as they are kept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmimom import passwords
from rmimom.errors import JMSSecurityError
from rmimom.passwords import CHOSEN, GENERATED, LONGEST, Cost, generate_password, hash_password, verify_password

CHEAP = Cost(1, 1, 1)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
@settings(deadline=None)
def test_only_the_password_itself_is_right(password: str, other: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "CHOSEN", CHEAP)  # what a wrong one costs
        kept = hash_password(password, CHEAP)
        assert kept.salt[:3] == bytes(CHEAP)
        assert verify_password(password, kept)
        assert verify_password(other, kept) == (other == password)


def test_nothing_of_it_is_kept_in_the_clear_and_no_two_are_alike() -> None:
    first, second = hash_password("correct horse", CHEAP), hash_password("correct horse", CHEAP)
    assert first.digest != second.digest
    assert b"correct" not in first.digest + first.salt


def test_a_chosen_password_costs_more_than_a_generated_one() -> None:
    assert hash_password("x").salt[:3] == bytes(CHOSEN)
    memory = [128 * cost.r << cost.log_n for cost in (GENERATED, CHOSEN)]
    assert memory[0] < memory[1] == 16 * 1024 * 1024


def test_a_lone_surrogate_is_a_wrong_password_like_any_other() -> None:
    assert not verify_password("\ud800", hash_password("x", CHEAP))


@pytest.mark.parametrize("password", ["", "x" * (LONGEST + 1)])
def test_too_short_and_too_long(password: str) -> None:
    with pytest.raises(JMSSecurityError):
        hash_password(password, CHEAP)
    assert not verify_password(password, hash_password("x", CHEAP))


def test_a_wrong_password_takes_the_same_work_whoever_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    known, cheap = hash_password("x"), hash_password("x", GENERATED)
    costs: list[tuple[int, ...]] = []
    scrypt = passwords.hashlib.scrypt
    monkeypatch.setattr(
        passwords.hashlib,
        "scrypt",
        lambda data, **how: (costs.append((how["n"], how["r"], how["p"])), scrypt(data, **how))[1],
    )
    work: list[list[tuple[int, ...]]] = []
    for kept in (known, None, cheap):
        costs.clear()
        assert not verify_password("wrong", kept)
        work.append([cost for cost in costs if cost[0] > 1 << GENERATED.log_n])
    assert work[0] == work[1] == work[2] == [(1 << CHOSEN.log_n, CHOSEN.r, CHOSEN.p)]


def test_generated_passwords_are_long_and_differ() -> None:
    made = {generate_password() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 22
