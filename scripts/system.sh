# shellcheck shell=bash
# Sourced by the other scripts: how to bring what only the system's packages have.

say() { printf 'heard: %s\n' "$*"; }
fail() { printf 'heard: %s\n' "$*" >&2; exit 1; }

# The command prefix that makes us root without asking for anything; fails where there is none.
root_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        echo env
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        echo "sudo -n env"
    else
        return 1
    fi
}

# bring WHAT PACKAGE…: install packages, or say in one line what the user has to install.
bring() {
    local what=$1 as_root log
    shift
    command -v apt-get >/dev/null || fail "$what is missing: install it with your system's packages"
    as_root=$(root_prefix) || fail "$what is missing: run 'sudo apt-get install -y $*', then try again"
    log=$(mktemp)
    say "installing $* from the system's packages"
    # shellcheck disable=SC2086  # the prefix is several words
    install_packages() {
        $as_root DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "$@" </dev/null >>"$log" 2>&1
    }
    # A machine that never asked has no package lists yet; one that did should not ask again.
    # shellcheck disable=SC2086
    if ! install_packages "$@"; then
        $as_root apt-get update -q </dev/null >>"$log" 2>&1 && install_packages "$@" || {
            tail -n 20 "$log" >&2
            rm -f "$log"
            fail "$what could not be installed: see above, or install $* yourself"
        }
    fi
    rm -f "$log"
}
