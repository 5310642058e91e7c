"""What a standby has on disk is acknowledged once it may be, and not when it does not follow any more."""

from __future__ import annotations

import pytest
from support.loops import on_loop

from rmimom.cluster.configuration import LogPosition
from rmimom.coordination.acknowledgements import Acknowledgements
from rmimom.errors import IllegalStateError


@on_loop
async def test_leave_is_given_up_to_a_position() -> None:
    acknowledgements = Acknowledgements()
    first, second, third = (acknowledgements.wait(LogPosition(1, sequence)) for sequence in (1, 2, 3))
    acknowledgements.allow(LogPosition(1, 2))
    assert (first.done(), second.done(), third.done()) == (True, True, False)
    acknowledgements.allow(LogPosition(2, 0))
    assert third.done()


@on_loop
async def test_who_waits_in_vain_is_told_and_who_went_away_does_no_harm() -> None:
    acknowledgements = Acknowledgements()
    waiting, gone = acknowledgements.wait(LogPosition(1, 1)), acknowledgements.wait(LogPosition(1, 1))
    gone.cancel()
    acknowledgements.refuse("it is tested")
    with pytest.raises(IllegalStateError, match="it is tested"):
        await waiting
    later = acknowledgements.wait(LogPosition(1, 2))
    acknowledgements.allow(LogPosition(1, 1))
    assert not later.done()
