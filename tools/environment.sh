#!/bin/sh
# Make the environment that Strongroom runs in: tools/environment.sh FOLDER [test]
# Every package is pinned and its hash is checked; nothing is compiled. With `test`, what the tests need is added.
set -eu
cd "$(dirname "$0")/.."
folder=$1
extra=${2:-}

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=${PYTHON:-}
if [ -n "$python" ]; then
    command -v "$python" >/dev/null || fail "no program named $python" "set PYTHON to a Python 3.11 or later"
    new_enough "$python" || fail "$python is older than Python 3.11" "set PYTHON to a Python 3.11 or later"
else
    for candidate in python3 python3.13 python3.12 python3.11; do
        if new_enough "$candidate"; then python=$candidate && break; fi
    done
    [ -n "$python" ] || fail "no Python 3.11 or later was found" \
        "install one (on Debian and Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12"
fi

case $(uname -s) in
    Linux) ;;
    Darwin) [ "$(uname -m)" = arm64 ] || fail "this Mac has a processor by Intel" "there, OpenVINO has no ready-built package" ;;
    *) fail "$(uname -s) is not supported yet" "Linux is, and macOS" ;;
esac

if ! [ -x "$folder/bin/pip" ]; then
    rm -rf "$folder"
    "$python" -m venv "$folder" || fail "$python could not make an environment in $folder" \
        "on Debian and Ubuntu: apt install python3-venv"
fi

install() {
    # --no-deps: what tools/left-out.txt lists stays away
    "$folder/bin/pip" install --disable-pip-version-check --no-input --quiet --require-hashes --no-deps \
        --no-compile --only-binary :all: "$@" || fail "the packages could not be installed" \
        "a package index has to be reachable, this once; after that nothing is fetched"
}
echo "installing the packages into $folder (once)" >&2
install -r requirements.txt
if [ "$extra" = test ]; then install -r requirements-test.txt; fi
# Compiled here, by all processors and without the packages' own tests: locked processes could not keep what they compile.
"$folder/bin/python" -m compileall -qq -j 0 -x '/(tests|testing)/' "$folder"/lib/python3*/site-packages || true

# The program itself, where it stands: the commands run what is in this folder.
"$folder/bin/pip" install --disable-pip-version-check --no-input --quiet --no-deps --no-build-isolation --no-index \
    --editable . || fail "strongroom could not be installed into $folder" "the message above says why"
