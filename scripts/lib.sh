# What the commands share: Debian's packages and the virtual environments. Source it from the project's folder.
# shellcheck shell=sh

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# install_packages WHY PACKAGE... : by apt-get when we are root on Debian; else say what is missing and end.
install_packages() {
    local why="$1"
    shift
    if ! command -v apt-get >/dev/null; then
        fail "$why is missing; install what Debian calls: $*"
    elif [ "$(id -u)" -ne 0 ]; then
        fail "$why is missing; run: sudo apt-get install $*"
    fi
    say "Installing $why ($*)"
    [ -n "${APT_UPDATED-}" ] || apt-get update -qq </dev/null >&2 || fail "apt-get update failed"
    APT_UPDATED=yes
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$@" </dev/null >&2 ||
        fail "apt-get could not install $*"
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Prints the first Python on the path that is new enough; PYTHON names another one.
find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# Prints a Python that can make virtual environments, installing what Debian splits off where that is missing.
ensure_python() {
    local python version
    python=$(find_python) || install_packages "Python 3.11 or newer" python3 python3-venv
    python=$(find_python) || fail "Python 3.11 or newer is needed; PYTHON=/path/to/python names one"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")')
        install_packages "Python's venv" "python$version-venv"
    fi
    printf '%s\n' "$python"
}

# What .venv must have been made from, so that it need not be made again.
venv_stamp() {
    printf '%s %s\n' "$1" "$PWD"
    sha256sum "$1" pyproject.toml
}

is_stamped() {
    [ -f .venv/stamp ] && .venv/bin/python -c '' 2>/dev/null && [ "$(cat .venv/stamp)" = "$(venv_stamp "$1")" ]
}

# ensure_venv LOCK [LOCK-THAT-IS-ENOUGH...] : .venv holds what LOCK says, and this project itself.
# A .venv made from one of the other locks, which hold all of LOCK, is left as it is.
ensure_venv() {
    local lock
    for lock in "$@"; do
        if is_stamped "$lock"; then
            return
        fi
    done
    # Two commands started together must not both install; the lock is on this folder and leaves no file.
    (
        flock 9
        is_stamped "$1" || make_venv "$1"
    ) 9<.
}

# pip_install VENV ARGUMENT... : errors only, as the builders of packages warn about much that is not ours.
pip_install() {
    local venv="$1"
    shift
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input install --quiet --quiet "$@"
}

# A virtual environment at this path; one that works is left as it is.
ensure_bare_venv() {
    local python
    if ! "$1/bin/python" -c '' 2>/dev/null; then
        python=$(ensure_python)
        say "Making $1 with $python"
        rm -rf "$1"
        "$python" -m venv "$1" || fail "$python cannot make a virtual environment"
    fi
}

make_venv() {
    ensure_bare_venv .venv
    say "Installing what $1 names"
    rm -f .venv/stamp
    # The build tools are in the lock too, so nothing unpinned is fetched for the project itself.
    pip_install .venv --require-hashes --requirement "$1" ||
        fail "pip could not install what $1 names; is there a network?"
    pip_install .venv --no-deps --no-build-isolation --editable . || fail "pip could not install the project itself"
    venv_stamp "$1" >.venv/stamp
}

# The Matrix clients that the tests in tests/clients let loose on the server: .venv-clients, which has node too, and
# packages for node beside the stories.
ensure_clients() {
    (
        flock 9
        [ "$(cat .venv-clients/stamp 2>/dev/null)" = "$(clients_stamp)" ] || make_clients
    ) 9<.
}

clients_stamp() {
    printf '%s\n' "$PWD"
    sha256sum tests/clients/requirements.lock tests/clients/js/package-lock.json
}

make_clients() {
    ensure_bare_venv .venv-clients
    say "Installing Matrix clients for the tests"
    rm -f .venv-clients/stamp
    pip_install .venv-clients --require-hashes --requirement tests/clients/requirements.lock ||
        fail "pip could not install what tests/clients/requirements.lock names; is there a network?"
    (PATH="$PWD/.venv-clients/bin:$PATH" && cd tests/clients/js && npm ci --loglevel=error >&2) ||
        fail "npm could not install what tests/clients/js/package-lock.json names"
    clients_stamp >.venv-clients/stamp
}
