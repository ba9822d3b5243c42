#!/usr/bin/env bash
# Make .venv with heard in it: `install.sh heard` for running, `install.sh dev` for the tests too.
# A stamp in .venv remembers what each part was made from, so that nothing is made twice.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/system.sh
. scripts/system.sh

lock=${1:?heard or dev}
venv=.venv
requirements=requirements/$lock.txt

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

can_make_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# The interpreter to use: $PYTHON, else the first that is new enough, those with venv first.
find_python() {
    local name candidates=()
    for name in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 \
        /usr/bin/python3; do
        name=$(command -v "$name") || continue
        if new_enough "$name"; then candidates+=("$name"); fi
    done
    for name in "${candidates[@]}"; do
        if can_make_venv "$name"; then echo "$name" && return; fi
    done
    [ "${#candidates[@]}" -gt 0 ] && echo "${candidates[0]}"
}

make_venv() {
    local python version
    python=$(find_python) || {
        bring "Python 3.11 or newer" python3 python3-venv >&2
        python=$(find_python) || fail "this system's python3 is older than 3.11: install a newer one"
    }
    if ! can_make_venv "$python"; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        bring "Python's venv module" "python$version-venv"
    fi
    say "making $venv with $("$python" --version)"
    "$python" -m venv "$venv"
}

# stamped NAME FILE…: true where NAME was already made from exactly these files.
fingerprint() { "$venv/bin/python" --version | cat - "$@" | sha256sum | cut -d' ' -f1; }
stamped() {
    local name=$1
    shift
    [ "$(cat "$venv/.made-$name" 2>/dev/null)" = "$(fingerprint "$@")" ]
}
stamp() {
    local name=$1
    shift
    fingerprint "$@" >"$venv/.made-$name"
}

pip() {
    # The lock alone decides what is installed: a user's own pip settings must not
    # turn a virtual environment into a --user install.
    PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 "$venv/bin/python" -m pip "$@"
}

"$venv/bin/python" -c '' 2>/dev/null || make_venv
if ! stamped "$lock" "$requirements"; then
    # A virtual environment made by another tool may have no pip.
    pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
    say "installing the locked dependencies of $requirements"
    pip install --quiet --require-hashes -r "$requirements"
    stamp "$lock" "$requirements"
fi
if ! stamped project pyproject.toml || ! [ -x "$venv/bin/heard" ]; then
    # No isolation: an isolated build would fetch its setuptools past the lock.
    pip install --quiet --no-deps --no-build-isolation --editable .
    stamp project pyproject.toml
fi
