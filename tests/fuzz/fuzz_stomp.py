"""Fuzzes the STOMP frame reader: any bytes, in any pieces, become frames or one protocol error, and nothing else.

With hypothesis, some 100 000 examples, or as many as `--examples` says:

    PYTHONPATH=tests python tests/fuzz/fuzz_stomp.py --examples 1000000

With atheris (coverage-guided; `pip install atheris`), until Ctrl-C or for `-max_total_time` seconds:

    PYTHONPATH=tests python tests/fuzz/fuzz_stomp.py --atheris -max_total_time=3600 [CORPUS]
"""

from __future__ import annotations

import sys
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stomp_bytes import MESSES, cuts, events, read

from rmimom.stomp.codec import CLIENT_COMMANDS, VERSIONS, Frame, Limits, ProtocolError, encode_frame

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


def fuzz_with_hypothesis(examples: int) -> None:
    """Check so many examples."""

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(MESSES, max_size=12).map(b"".join), st.integers(0, 2**32))
    def run(data: bytes, seed: int) -> None:
        check(data, seed)

    run()


def fuzz_with_atheris(arguments: list[str]) -> None:
    """Check what atheris makes up."""
    import atheris

    def run(data: bytes) -> None:
        check(data[4:], int.from_bytes(data[:4], "big"))

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *arguments], run)
    atheris.Fuzz()


if __name__ == "__main__":
    if "--atheris" in sys.argv:
        fuzz_with_atheris([one for one in sys.argv[1:] if one != "--atheris"])
    else:
        count = int(sys.argv[sys.argv.index("--examples") + 1]) if "--examples" in sys.argv else 100_000
        fuzz_with_hypothesis(count)
        print(f"{count} examples, no fault")
