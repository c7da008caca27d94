#!/bin/sh
# Write requirements.txt and requirements-test.txt: every package with its version and the hashes of all its files, for
# every supported system at once. The files name no package index, so that any mirror may serve them.
#     make lock                 newest versions that the ranges of pyproject.toml allow
#     make lock KEEP=1          as little as possible changes
# Run on a machine that reaches a package index.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/env"
"$work/env/bin/pip" install --quiet --only-binary :all: uv

# setuptools is what installs Strongroom itself, without fetching anything for that.
echo 'setuptools>=77' > "$work/build.in"

compile() { # compile TARGET ARGUMENTS…: the old file is a preference only where KEEP is set
    target=$1
    shift
    if [ -n "${KEEP:-}" ] && [ -f "$target" ]; then cp "$target" "$work/$target"; fi
    "$work/env/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: \
        --no-header --no-annotate --excludes tools/left-out.txt -o "$work/$target" pyproject.toml "$@"
}

head='# Written by tools/lock.sh (make lock); do not edit. Install with pip install --no-deps --require-hashes -r'
compile requirements.txt "$work/build.in"
{ echo "$head requirements.txt"; cat "$work/requirements.txt"; } > requirements.txt

# Only what the tests need on top: what requirements.txt has is left out.
names=$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.txt)
# shellcheck disable=SC2086  # one argument a word is meant
compile requirements-test.txt "$work/build.in" --extra test --constraint requirements.txt $names
{ echo "$head requirements-test.txt"; cat "$work/requirements-test.txt"; } > requirements-test.txt

# Every supported system must find a ready-built file for every package. (OpenVINO's for ARM asks for glibc 2.35: Debian
# 12, Ubuntu 22.04. It has none for Macs with Intel's processors.)
export MACOSX_DEPLOYMENT_TARGET=14.0
for system in x86_64-manylinux_2_28 aarch64-manylinux_2_35 aarch64-apple-darwin; do
    for version in 3.11 3.12 3.13; do
        "$work/env/bin/uv" pip install --quiet --dry-run --no-deps --require-hashes --only-binary :all: \
            --python-platform "$system" --python-version "$version" --target "$work/none" \
            -r requirements.txt -r requirements-test.txt
        echo "every package is there for $system, Python $version"
    done
done
