#!/usr/bin/env bash
# Run every check, to the end, and say at last which passed: `check.sh lint` or `check.sh all`.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
# What is compiled is kept: the tests begin many processes, and each would compile all anew.
unset PYTHONDONTWRITEBYTECODE
# A good part of a test's time is waiting for a broker or a disk.
workers=$(($(nproc) * 3 / 2))
names=()
results=()
failed=0

check() {
    local name=$1 started=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if "$@" </dev/null; then
        results+=("ok")
    else
        results+=("FAILED")
        failed=1
    fi
    names+=("$name ($((SECONDS - started)) s)")
}

check "ruff check" "$bin/ruff" check .
check "ruff format" "$bin/ruff" format --check .
check "mypy" "$bin/mypy"
check "import-linter" "$bin/lint-imports"
if [ "${1:-all}" = all ]; then
    check "pytest" "$bin/python" -m pytest -n "$workers"
fi

printf '\n== summary\n'
for i in "${!names[@]}"; do
    printf '%-8s %s\n' "${results[$i]}" "${names[$i]}"
done
exit "$failed"
