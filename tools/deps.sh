#!/usr/bin/env bash
# Makes sure that the programs the tests run are on this machine: installs the Debian or Ubuntu packages of those that
# are missing when it may, and otherwise names them and fails.
set -euo pipefail

missing=()
need() { # package, then the programs of which one is enough
	local package=$1 program
	shift
	for program in "$@"; do
		if command -v "$program" >/dev/null; then return; fi
	done
	missing+=("$package")
}
chromium=chromium
if grep -qs '^ID=ubuntu' /etc/os-release; then chromium=chromium-browser; fi
need gcc cc gcc # the race detector is linked with it
need redis-server redis-server
need prometheus promtool
need "$chromium" chromium chromium-browser google-chrome

if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
	echo "The tests need these packages of Debian or Ubuntu: ${missing[*]}" >&2
	echo "Install them (sudo apt-get install --no-install-recommends ${missing[*]}) and start again." >&2
	exit 1
fi
echo "Installing what the tests need: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
