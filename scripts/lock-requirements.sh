#!/usr/bin/env bash
# Pins the image's dependencies, with hashes, for Python 3.11 on Linux (x86_64 and aarch64) into
# requirements.lock.  Versions already there are kept where they fit; --upgrade takes new ones.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
.venv/bin/python -m venv "$tools"
"$tools/bin/python" -m pip --disable-pip-version-check --quiet install 'uv>=0.9,<1'

# From a copy, so that a failure leaves the lock as it was.
new="$tools/requirements.lock"
cp requirements.lock "$new"
"$tools/bin/uv" pip compile pyproject.toml \
    --universal --python-version 3.11 --only-binary :all: \
    --generate-hashes --no-emit-index-url --no-header --quiet \
    --output-file "$new" "$@"

{
    echo "# The image's dependencies, pinned with their hashes: Python 3.11, Linux, x86_64 and aarch64."
    echo "# Written by \`make lock\` from the ranges in pyproject.toml."
    cat "$new"
} >requirements.lock
