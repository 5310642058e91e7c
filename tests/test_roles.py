"""What a user may do in the administration."""

from __future__ import annotations

import pytest

from rmimom.roles import ADMIN, NONE, OPERATOR, ROLES, VIEWER, may_act_as, role_of


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(NONE, []), (VIEWER, [VIEWER]), (OPERATOR, [VIEWER, OPERATOR]), (ADMIN, [VIEWER, OPERATOR, ADMIN]), ("odd", [])],
)
def test_a_role_may_do_what_lesser_roles_may(role: str, allowed: list[str]) -> None:
    assert [wanted for wanted in ROLES if may_act_as(role, wanted)] == allowed


def test_an_administrator_of_an_older_record_has_the_greatest_role() -> None:
    assert role_of(NONE, administrator=True) == ADMIN
    assert role_of(VIEWER, administrator=False) == VIEWER
