#!/bin/sh
# Make the environment that Strongroom runs in: tools/environment.sh FOLDER [EXTRA…]
# Every package is pinned and its hash is checked. Nothing is compiled, but for `llm` llama-cpp-python, for the very
# processor of this machine. `ocr` adds what reads pictures, `test` what the tests need, `card` the engines
# sentence-transformers, chroma and unstructured, which are extras by themselves too.
#     TORCH=cpu     torch for processors alone, in place of the pinned one, which is for graphics cards and brings gigabytes
#     TORCH='torch==…'   another one, as pip takes it: a version, or a file; with --hash=sha256:… it is checked too
set -eu
cd "$(dirname "$0")/.."
folder=$1
shift

fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

for extra in "$@"; do
    [ -f "requirements-$extra.txt" ] || fail "there is no extra $extra" "there are llm, ocr, sentence-transformers, chroma, unstructured, card and test"
done

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

# The one package that is compiled. A ready-built one of the same version that is there already stays.
install_llm() {
    compiled=llama-cpp-python
    pin=$(sed -n "s/^$compiled==\([^ ]*\).*/\1/p" requirements-llm.txt)
    others=$(mktemp)
    sed "/^$compiled==/,/--hash=[^\\\\]*\$/d" requirements-llm.txt > "$others"
    install -r "$others"
    rm -f "$others"
    if "$folder/bin/python" -c "import sys, importlib.metadata as m; sys.exit(m.version('$compiled') != '$pin')" 2>/dev/null
    then return; fi
    if ! { command -v c++ || command -v g++ || command -v clang++ || [ -n "${CXX:-}" ]; } >/dev/null || ! command -v cmake >/dev/null
    then fail "the extra llm is compiled here, and a C++ compiler or cmake is missing" \
        "on Debian and Ubuntu: apt install build-essential cmake ninja-build; docs/how-to/choose-a-model.md has other ways"
    fi
    echo "compiling $compiled $pin (once; 5 to 10 minutes on two processors)" >&2
    # Without the parts that read pictures, serve or download. CMAKE_ARGS that are given come last, so they win:
    # -DGGML_CUDA=on, or -DGGML_NATIVE=off for an environment that moves to another machine.
    CMAKE_ARGS="-DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF ${CMAKE_ARGS:-}" PATH="$(cd "$folder/bin" && pwd):$PATH" \
        "$folder/bin/pip" install --disable-pip-version-check --no-input --quiet --require-hashes --no-deps \
        --no-compile --no-build-isolation --only-binary :all: --no-binary "$compiled" -r requirements-llm.txt \
        || fail "$compiled could not be compiled" "the message above says why; Strongroom works without it"
}

# torch for processors: PyTorch's own index has that build for Linux. On a Mac the pinned one is that already.
install_torch() {
    torch=${TORCH:-}
    if [ "$torch" = cpu ]; then
        if [ "$(uname -s)" = Darwin ]; then return; fi
        torch=$(cat tools/torch-cpu.txt)
    fi
    if [ -z "$torch" ] || has_torch; then return; fi
    wanted=$(mktemp)
    echo "$torch" > "$wanted"
    "$folder/bin/pip" install --disable-pip-version-check --no-input --quiet --no-deps --no-compile --only-binary :all: \
        -r "$wanted" || fail "there is no $torch on the package index" \
        "PyTorch has its builds for processors apart: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu; or name one: TORCH=/path/to/torch.whl"
    rm -f "$wanted"
}

has_torch() { "$folder/bin/python" -c "import importlib.metadata as m; m.version('torch')" 2>/dev/null; }

# Whether torch is there and asks for nothing of NVIDIA's
has_torch_for_processors() {
    "$folder/bin/python" -c "import importlib.metadata as m, sys; sys.exit(any(r.startswith(('nvidia', 'cuda')) for r in m.requires('torch')))" 2>/dev/null
}

# The engines of the extra card. A torch that is there already stays: of the build for processors nothing else is
# needed, and the gigabytes for graphics cards stay away.
install_doors() {
    case $1 in sentence-transformers | card) install_torch ;; esac
    found=$(mktemp)
    if has_torch_for_processors; then
        sed -E '/^(torch|triton|cuda|nvidia)[a-z0-9-]*==/,/--hash=[^\\]*$/d' "requirements-$1.txt" > "$found"
    else
        cp "requirements-$1.txt" "$found"
    fi
    install --no-binary langdetect --no-build-isolation -r "$found"
    rm -f "$found"
}

echo "installing the packages into $folder (once)" >&2
install -r requirements.txt
for extra in "$@"; do
    case $extra in
        llm) install_llm ;;
        sentence-transformers | chroma | unstructured | card) install_doors "$extra" ;;
        *) install -r "requirements-$extra.txt" ;;
    esac
done
# Compiled here, by all processors and without the packages' own tests: locked processes could not keep what they compile.
"$folder/bin/python" -m compileall -qq -j 0 -x '/(tests|testing)/' "$folder"/lib/python3*/site-packages || true

# The program itself, where it stands: the commands run what is in this folder.
"$folder/bin/pip" install --disable-pip-version-check --no-input --quiet --no-deps --no-build-isolation --no-index \
    --editable . || fail "strongroom could not be installed into $folder" "the message above says why"
