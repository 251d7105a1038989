#!/usr/bin/env bash
# The tests run against real servers and a real browser; this installs what is missing of them.
# Only the programs: the system's own services are not started, the tests start private ones.
set -euo pipefail

export PATH="$PATH:/usr/sbin:/sbin"
policy=/usr/sbin/policy-rc.d

missing_packages() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || echo postgresql
    command -v mariadbd >/dev/null || echo mariadb-server
    command -v chromium >/dev/null || echo chromium
    command -v chromedriver >/dev/null || echo chromium-driver
    command -v prometheus >/dev/null && command -v promtool >/dev/null || echo prometheus
}

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] && exit 0

refuse() {
    cat >&2 <<MESSAGE
The tests need programs that are not installed: ${missing[*]}
$1 Install them, then run the command again:
    sudo apt-get update
    sudo apt-get install -y --no-install-recommends ${missing[*]}
(Elsewhere than on Debian: PostgreSQL, MariaDB, Chromium with its driver, and Prometheus.)
MESSAGE
    exit 1
}

command -v apt-get >/dev/null || refuse "There is no apt-get here."
if [ "$(id -u)" -eq 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    refuse "You are not root, and sudo would ask for a password."
fi

# 101 is "action forbidden by policy": packages do not start the services they bring.  A policy
# that is there already is the machine's own and stays.
if [ ! -e "$policy" ]; then
    remove_policy() { "${as_root[@]}" rm -f "$policy"; }
    trap remove_policy EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

echo "Installing for the tests: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

mapfile -t missing < <(missing_packages)
[ ${#missing[@]} -eq 0 ] || refuse "apt-get has installed its packages, but the programs are not to be found."
