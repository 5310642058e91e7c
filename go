#!/bin/sh
# Run rmimom or its tests from a fresh checkout.  Needs Python 3.11 or newer and nothing else.
set -eu

usage() {
    cat <<'TEXT'
usage: ./go COMMAND [ARGUMENTS]

  ./go demo [options]   run the demonstration: a week of real earthquake reports, and a failover
  ./go chaos [options]  break a cluster of real servers under load, and judge what its clients saw
  ./go test [options]   run the tests; options are passed on to pytest
  ./go dev              only set up: everything for working on rmimom, the style and type checkers too
  ./go run PROGRAM ...  run any program of the environment: ./go run rmimom-server --help

The first call makes the virtual environment .venv here and installs rmimom into it.
PYTHON=/path/to/python3.12 ./go demo takes that Python instead of searching for one.
TEXT
}

say() { printf '%s\n' "$*" >&2; }

fail() { say "go: $*"; exit 1; }

# Some systems have commands that only say that this Python is not chosen, so each is tried, not just looked up.
is_new_enough() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or newer with the module venv"
        printf '%s\n' "$PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
        if is_new_enough "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
    fail "no Python 3.11 or newer (with the module venv) was found on PATH; install one, or name it:" \
        "PYTHON=/path/to/python3.12 ./go ..."
}

# What was installed into .venv stands in this file: the extras, where (programs in .venv/bin hold that path), and the
# files that say what to install.  A change of any of them installs again.
stamp=.venv/installed
wanted() { printf '%s\n%s\n' "$1" "$(pwd)"; cat setup.cfg pyproject.toml; }

# install EXTRAS: EXTRAS is empty, "test" or "dev", each with all that the one before has.
install() {
    extras=$1
    if ! is_new_enough .venv/bin/python; then
        python=$(find_python)
        say "go: making .venv with $("$python" --version)"
        rm -rf .venv
        "$python" -m venv .venv || fail "$python could not make .venv; on Debian and Ubuntu, install python3-venv"
    fi
    for have in "$extras" test dev; do
        # A larger set that is there already will do.
        case $extras:$have in dev:test) continue ;; esac
        if wanted "$have" | cmp -s - "$stamp"; then
            return
        fi
    done
    rm -f "$stamp"
    say "go: installing rmimom${extras:+ with what \"$extras\" needs}, once; this takes a minute"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --editable ".${extras:+[$extras]}" \
        </dev/null >&2 || fail "the installation failed, see above"
    wanted "$extras" > "$stamp"
}

cd "$(dirname "$0")"
[ $# -gt 0 ] || { usage >&2; exit 2; }
command=$1
shift
case $command in
    demo) install ""; exec .venv/bin/rmimom demo "$@" ;;
    chaos) install ""; exec .venv/bin/rmimom-chaos "$@" ;;
    test) install test; exec .venv/bin/python -m pytest "$@" ;;
    dev) install dev ;;
    run)
        [ $# -gt 0 ] || fail "run what?  For example: ./go run rmimom-server --help"
        install ""
        program=$1
        shift
        [ -x ".venv/bin/$program" ] || fail "there is no program $program in .venv/bin"
        exec ".venv/bin/$program" "$@"
        ;;
    help | -h | --help) usage ;;
    *) say "go: there is no command $command"; usage >&2; exit 2 ;;
esac
