#!/usr/bin/env bash
# Makes a virtual environment: make-venv.sh PYTHON FOLDER
# Debian keeps what `python3 -m venv` needs in a package of its own; root gets it installed.
set -euo pipefail

python=$1
folder=$2

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

command -v "$python" >/dev/null ||
    fail "$python is not installed; gocron needs Python 3.11 or newer (make PYTHON=/path/to/python3)."

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; gocron needs Python 3.11 or newer (make PYTHON=/path/to/python3)."

# `ensurepip` is the part that is missing without the package; asking is quicker than a failed try.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if ! command -v apt-get >/dev/null; then
        fail "$python cannot make virtual environments: its modules venv and ensurepip are missing." \
            "Install them with your system's packages, then run the command again."
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail "$python cannot make virtual environments yet. Run this, then the command again:" \
            "    sudo apt-get install -y --no-install-recommends $package"
    fi
    echo "Installing $package ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
fi

"$python" -m venv --clear "$folder"
