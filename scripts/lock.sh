#!/usr/bin/env bash
# Lock the dependencies anew: exact versions with hashes, for every platform, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/system.sh
. scripts/system.sh
command -v uv >/dev/null || fail "uv is missing: only locking needs it (pip install uv)"
lock() {
    local output=requirements/$1.txt
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links "$@" pyproject.toml -o "$output" \
        --custom-compile-command "make lock"
}
lock heard --extra build
# The tests must run what users run: the other locks start from the first.
lock printer --extra build --extra printer --constraint requirements/heard.txt
lock dev --extra build --extra dev --constraint requirements/printer.txt
