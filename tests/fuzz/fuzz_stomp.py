"""Fuzzes the STOMP frame reader and the session behind it.

Any bytes, in any pieces, become frames or one protocol error, and a session that gets them answers, or ends with one
ERROR; never anything else.  `--session` fuzzes sessions, on a whole broker, which is some fifty times slower.

With hypothesis, some 100 000 examples, or as many as `--examples` says:

    PYTHONPATH=tests python tests/fuzz/fuzz_stomp.py [--session] --examples 1000000

With atheris (coverage-guided; `pip install atheris`), until Ctrl-C or for `-max_total_time` seconds:

    PYTHONPATH=tests python tests/fuzz/fuzz_stomp.py [--session] --atheris -max_total_time=3600 [CORPUS]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stomp_bytes import MESSES, cuts, events, read
from support.stomp_talk import TALKS, check_talk
from support.stomp_talk import TIGHT as TIGHT_SETTINGS

from rmimom.stomp.codec import CLIENT_COMMANDS, VERSIONS, Frame, Limits, ProtocolError, encode_frame
from rmimom.stomp.settings import Settings

Check = Callable[[bytes, int], None]

TIGHT = Limits(header_line=40, headers=6, head=120, body=60, empty_lines=100)


def check(data: bytes, seed: int) -> None:
    """Raise AssertionError if these bytes show a fault."""
    random = Random(seed)
    version = random.choice(VERSIONS)
    limits = random.choice([TIGHT, Limits()])
    found = read(data, version=version, limits=limits)
    assert all(isinstance(one, Frame) for one in found[:-1]), found
    wanted = events(found)
    assert events(read(*cuts(data, random), version=version, limits=limits)) == wanted
    if len(data) < 2000:
        single = (data[index : index + 1] for index in range(len(data)))
        assert events(read(*single, version=version, limits=limits)) == wanted
    for one in found:
        if isinstance(one, ProtocolError):
            continue
        assert one.command in CLIENT_COMMANDS
        headers = {name: value for name, value in one.headers.items() if name != "content-length"}
        again = read(encode_frame(one.command, headers, one.body, content_length=True))
        if one.command not in {"CONNECT", "STOMP"}:
            [frame] = again
            assert isinstance(frame, Frame)
            del frame.headers["content-length"]
            assert (frame.command, frame.headers, frame.body) == (one.command, headers, one.body)


def check_session(data: bytes, seed: int) -> None:
    """The same for a session."""
    random = Random(seed)
    check_talk(*cuts(data, random), greeted=random.random() < 0.9, settings=random.choice([Settings(), TIGHT_SETTINGS]))


def fuzz_with_hypothesis(examples: int, check: Check, pieces: st.SearchStrategy[list[bytes]]) -> None:
    """Check so many examples."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(pieces.map(b"".join), st.integers(0, 2**32))
    def run(data: bytes, seed: int) -> None:
        check(data, seed)

    run()


def fuzz_with_atheris(arguments: list[str], check: Check) -> None:
    """Check what atheris makes up."""
    import atheris

    def run(data: bytes) -> None:
        check(data[4:], int.from_bytes(data[:4], "big"))

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *arguments], run)
    atheris.Fuzz()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--session", action="store_true")
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--atheris", action="store_true", help="what else is given goes to atheris")
    chosen, others = parser.parse_known_args()
    checked = check_session if chosen.session else check
    if chosen.atheris:
        fuzz_with_atheris(others, checked)
    else:
        fuzz_with_hypothesis(chosen.examples, checked, TALKS if chosen.session else st.lists(MESSES, max_size=12))
        print(f"{chosen.examples} examples, no fault")
