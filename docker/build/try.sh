#!/bin/sh
# Builds the image with podman, runs it as docker-compose.yml does, and fails unless it reads a picture.
#
#   docker/build/try.sh [--stand-in] [OPTION OF podman build]...
#
# --stand-in  makes the base image from Debian's packages with mmdebstrap, for machines that reach no image registry.
#             Its Python is Debian's, so its patch version and its size differ from the real base image's.
#
# The container has no network, no capabilities, a read-only root, 16 MB of /tmp and the limits of docker-compose.yml.
# Environment: PODMAN, the command to run (default: podman), for instance 'podman --runtime runc'.
set -eu
cd "$(dirname "$0")/../.."
: "${PODMAN:=podman}"
image=qrestore:try
container=qrestore-try-$$
picture=docs/label.jpg
text=https://example.org/parcel/7F3K-2291-0C
python=$(sed -n 's/^ARG PYTHON=//p' Dockerfile)
release=$(sed -n 's/^FROM python:.*-slim-\([a-z]*\)$/\1/p' Dockerfile)

if [ "${1:-}" = --stand-in ]; then
    shift
    mmdebstrap --quiet --variant=minbase --include=ca-certificates,netbase,python3,python3-venv,tzdata \
        --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --customize-hook='ln -s /usr/bin/python3 "$1/usr/local/bin/python"' "$release" - \
        | $PODMAN import --quiet --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
            - "python:$python-slim-$release"
fi

# The chroot isolation needs neither cgroups nor a network of its own; the docker format keeps HEALTHCHECK.
$PODMAN build --isolation chroot --format docker --tag "$image" "$@" .
$PODMAN history --no-trunc --format '{{.Size}}  {{.CreatedBy}}' "$image" | grep -v '^0 B'
$PODMAN image inspect --format 'the base image included: {{.Size}} bytes' "$image"

trap '$PODMAN rm --force --ignore "$container" >/dev/null' EXIT
# The limits are this shell's: raising them takes a privilege that not every root has.
$PODMAN run --detach --name "$container" --network none --read-only --cap-drop all --security-opt no-new-privileges \
    --tmpfs /tmp:size=16m,mode=1777 --pids-limit 512 --memory 6g --memory-swap 6g --init \
    --ulimit "nofile=$(ulimit -n):$(ulimit -n)" --ulimit nproc=4096:4096 "$image" >/dev/null

began=$(date +%s)
until $PODMAN healthcheck run "$container" >/dev/null 2>&1; do
    if [ $(($(date +%s) - began)) -gt 60 ]; then
        $PODMAN logs "$container" >&2
        echo "The service did not become healthy within 60 seconds." >&2
        exit 1
    fi
    sleep 0.5
done
echo "healthy after $(($(date +%s) - began)) s"

# Eight requests, four at a time: the picture goes in by standard input, since the container has no network.
$PODMAN exec --interactive "$container" python -c '
import json, sys, urllib.request
from concurrent.futures import ThreadPoolExecutor

head = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"picture\"\r\n\r\n"
body = head + sys.stdin.buffer.read() + b"\r\n--b--\r\n"
headers = {"Content-Type": "multipart/form-data; boundary=b"}

def read(_):
    request = urllib.request.Request("http://127.0.0.1:8000/decode", body, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [code["text"] for code in json.load(answer)["codes"]]

with ThreadPoolExecutor(4) as clients:
    answers = list(clients.map(read, range(8)))
if any(answer != sys.argv[1:] for answer in answers):
    sys.exit(f"The service read {answers}, not {sys.argv[1:]} each time.")
print(f"{len(answers)} readings, all right")
' "$text" <"$picture"
$PODMAN stats --no-stream --format 'memory {{.MemUsage}}, {{.PIDs}} tasks' "$container"

began=$(date +%s)
$PODMAN stop --time 45 "$container" >/dev/null
status=$($PODMAN inspect --format '{{.State.ExitCode}}' "$container")
echo "stopped in $(($(date +%s) - began)) s with status $status"
[ "$status" -eq 0 ]
