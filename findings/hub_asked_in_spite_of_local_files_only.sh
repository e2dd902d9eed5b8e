#!/usr/bin/env bash
# huggingface_hub 1.33.0: `local_files_only=True` still opens a connection to the hub.
#
# Expected: `local_files_only` looks into the cache alone, so that no connection is tried, whether the file is there or not.
# Seen: before it looks into the cache, the client builds the headers of a request. For the user agent it wants to know
#   which coding agent calls it, and fetches a list of agents from the hub, at most once a day and a process, with a limit of
#   some seconds. Where the hub cannot be reached the call then goes on as documented. With HF_HUB_OFFLINE=1 nothing is
#   asked, nor with HF_HUB_DISABLE_TELEMETRY=1. huggingface_hub 0.36.0, in the same situation, opens no connection.
# Why it matters: a process that must not talk to anybody has to set HF_HUB_OFFLINE, or must not hand a name to the
#   library at all; a test that forbids sockets fails with the new version alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 0.36.0 1.33.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$version"
done
cat >"$folder/ask.py" <<'PYTHON'
import socket
import sys

asked = []


def refuse(address, *rest, **named):
    asked.append(address[0])
    raise OSError("no network in this script")


socket.create_connection = refuse
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: (asked.append(host), real("127.0.0.1", *rest, **named))[1]

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError

try:
    hf_hub_download("some-owner/some-model", "config.json", local_files_only=True)
except LocalEntryNotFoundError:
    print("not in the cache;", "asked " + sorted(set(map(str, asked)))[0] if asked else "nobody was asked")
PYTHON
seen() { env -u HF_ENDPOINT HF_HOME="$folder/home" HF_HUB_OFFLINE="$2" "$folder/$1/bin/python" "$folder/ask.py"; }
check() {
    result=$(seen "$1" "$2")
    echo "huggingface_hub $1, HF_HUB_OFFLINE=$2: $result"
    test "$result" = "$3"
}
check 0.36.0 0 "not in the cache; nobody was asked"
check 1.33.0 1 "not in the cache; nobody was asked"
check 1.33.0 0 "not in the cache; asked huggingface.co"
