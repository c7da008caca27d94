#!/bin/sh
# Write requirements.txt and one requirements-EXTRA.txt for each extra: every package with its version and the hashes of
# all its files, for every supported system at once. An extra's file has only what it adds. The files name no package
# index, so that any mirror may serve them.
#     make lock                 newest versions that the ranges of pyproject.toml allow
#     make lock KEEP=1          as little as possible changes
# Run on a machine that reaches a package index.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/env"
"$work/env/bin/pip" install --quiet --only-binary :all: uv

compile() { # compile TARGET ARGUMENTS…: the old file is a preference only where KEEP is set
    target=$1
    shift
    if [ -n "${KEEP:-}" ] && [ -f "$target" ]; then cp "$target" "$work/$target"; fi
    "$work/env/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --excludes "${left_out:-tools/left-out.txt}" -o "$work/$target" "$@"
    {
        echo "# Written by tools/lock.sh (make lock); do not edit. Install with pip install --no-deps --require-hashes -r $target"
        cat "$work/$target"
    } > "$target"
}

without() { # without FILE…: the options that leave out what those files have already
    sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' "$@"
}

# setuptools is what installs Strongroom itself, without fetching anything for that.
echo 'setuptools>=77' > "$work/build.in"
compile requirements.txt --only-binary :all: pyproject.toml "$work/build.in"

# llama-cpp-python is published as source only; scikit-build-core is what compiles it. As above, neither is fetched
# by a build itself.
echo 'scikit-build-core>=0.9.2' > "$work/compiler.in"
# shellcheck disable=SC2046  # one argument a word is meant
compile requirements-llm.txt pyproject.toml "$work/build.in" "$work/compiler.in" --extra llm \
    --constraint requirements.txt $(without requirements.txt)
# shellcheck disable=SC2046
compile requirements-ocr.txt --only-binary :all: pyproject.toml "$work/build.in" --extra ocr \
    --constraint requirements.txt $(without requirements.txt)
# shellcheck disable=SC2046
compile requirements-test.txt --only-binary :all: pyproject.toml "$work/build.in" --extra test \
    --constraint requirements.txt --constraint requirements-ocr.txt --constraint requirements-llm.txt \
    $(without requirements.txt requirements-llm.txt requirements-ocr.txt)

# The engines behind the same doors as the default ones: resolved together and beside all of the above, so that one
# environment holds them all; then each by itself. langdetect is published as source only; setuptools, which is there, is
# what builds it.
doors() { # doors EXTRA CONSTRAINTS…
    extra=$1
    shift
    # shellcheck disable=SC2046
    left_out=tools/left-out-card.txt compile "requirements-$extra.txt" --only-binary :all: --no-binary langdetect \
        pyproject.toml "$work/build.in" --extra "$extra" $(without requirements.txt) "$@"
}
doors card --constraint requirements.txt --constraint requirements-ocr.txt --constraint requirements-test.txt \
    --constraint requirements-llm.txt
for extra in sentence-transformers chroma unstructured; do
    doors "$extra" --constraint requirements.txt --constraint requirements-card.txt
done

# Which of them asks for which, for the list of parts: it is written in an environment that has none of them.
{
    echo "# Written by tools/lock.sh (make lock); do not edit. Under each package: what asks for it"
    "$work/env/bin/uv" pip compile --quiet --universal --python-version 3.11 --no-header --annotate \
        --annotation-style split --excludes tools/left-out-card.txt --only-binary :all: --no-binary langdetect \
        --constraint requirements.txt --constraint requirements-card.txt pyproject.toml --extra card
} > tools/asked-for-card.txt

# Every supported system must find a ready-built file for every package but the one that is compiled. (OpenVINO's for
# ARM asks for glibc 2.35: Debian 12, Ubuntu 22.04. It has none for Macs with Intel's processors.)
sed '/^llama-cpp-python==/,/--hash=[^\\]*$/d' requirements-llm.txt > "$work/llm-wheels.txt"
sed '/^langdetect==/,/--hash=[^\\]*$/d' requirements-card.txt > "$work/card-wheels.txt"
export MACOSX_DEPLOYMENT_TARGET=14.0
for system in x86_64-manylinux_2_28 aarch64-manylinux_2_35 aarch64-apple-darwin; do
    for version in 3.11 3.12 3.13; do
        "$work/env/bin/uv" pip install --quiet --dry-run --no-deps --require-hashes --only-binary :all: \
            --python-platform "$system" --python-version "$version" --target "$work/none" \
            -r requirements.txt -r requirements-ocr.txt -r requirements-test.txt -r "$work/llm-wheels.txt" \
            -r "$work/card-wheels.txt"
        echo "every package is there for $system, Python $version"
    done
done

# How old the parts that touch papers are, the page on privacy says.
PYTHONPATH=. "$work/env/bin/python" tools/released.py "$work/env/bin/uv"

echo "now: make sbom, which writes the list of parts from an environment that has these versions"
