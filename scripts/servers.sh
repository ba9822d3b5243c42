#!/usr/bin/env bash
# Bring the servers that the tests start private copies of: Mosquitto and PostgreSQL.
# What the machine has is used as it is. What is brought here is not left running.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/system.sh
. scripts/system.sh

has_mosquitto() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v mosquitto >/dev/null; }
has_postgres() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
        compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null
}

missing=()
has_mosquitto || missing+=(mosquitto)
has_postgres || missing+=(postgresql)
[ "${#missing[@]}" -gt 0 ] || exit 0

as_root=$(root_prefix) || as_root=
policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/heard-tests.conf
made=()
undo() {
    for file in "${made[@]}"; do $as_root rm -f "$file"; done
}
trap undo EXIT

# A package that starts its service on installation would take ports 1883 and 5432 of a
# machine that only wanted to run tests; the same with a database cluster nobody asked for.
put() {
    [ -n "$as_root" ] && [ ! -e "$1" ] || return 0
    $as_root mkdir -p "$(dirname "$1")"
    printf '%b' "$3" | $as_root tee "$1" >/dev/null
    $as_root chmod "$2" "$1"
    made+=("$1")
}
put "$policy" 755 '#!/bin/sh\nexit 101\n'
put "$no_cluster" 644 'create_main_cluster = false\n'
bring "${missing[*]}" "${missing[@]}"
undo
made=()
if [ -d /run/systemd/system ]; then
    for service in "${missing[@]}"; do
        $as_root systemctl disable --now "$service" >/dev/null 2>&1 || true
    done
fi
has_mosquitto && has_postgres || fail "Mosquitto or PostgreSQL is still missing after installation"
