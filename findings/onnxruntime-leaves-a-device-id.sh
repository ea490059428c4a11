#!/bin/sh
# ONNX Runtime's wheel for Linux keeps a device id and a queue of telemetry events in the home folder from its import
# on, before any model is loaded, and holds the address of a collector that the events are meant for.
#
# Guess: only the builds for Windows report anything; on Linux an import writes nothing.
#
# Seen with onnxruntime 1.32.0, the CPU wheel for CPython on Linux x86-64: `import onnxruntime` makes
# .cache/Microsoft/DeveloperTools/.onnxruntime with deviceid (36 characters) and onnxruntime.db. The library names
# mobile.events.data.microsoft.com. With ORT_DISABLE_TELEMETRY=1 set before the import nothing is written. 1.28.0 writes
# nothing either.
#
# Runs without qrestore: sh findings/onnxruntime-leaves-a-device-id.sh. Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"

# $1: version; $2: an assignment for the environment. Prints what the import leaves in an empty home folder.
left_by() {
    "$python" -m pip install --quiet --disable-pip-version-check "onnxruntime==$1" numpy==2.4.6
    rm -rf "$folder/home" && mkdir "$folder/home"
    env -i HOME="$folder/home" PATH="$PATH" "$2" \
        "$python" -c 'import time, onnxruntime; time.sleep(1)'
    (cd "$folder/home" && find . -type f ! -name '*-wal' ! -name '*-shm' | sort | tr '\n' ' ')
}

before=$(left_by 1.28.0 PLAIN=1)
plain=$(left_by 1.32.0 PLAIN=1)
quiet=$(left_by 1.32.0 ORT_DISABLE_TELEMETRY=1)
echo "1.28.0 leaves: ${before:-nothing}"
echo "1.32.0 leaves: ${plain:-nothing}"
echo "1.32.0 with ORT_DISABLE_TELEMETRY=1 leaves: ${quiet:-nothing}"
kept=.cache/Microsoft/DeveloperTools/.onnxruntime
[ -z "$before" ] && [ -z "$quiet" ]
case $plain in *"./$kept/deviceid "*"./$kept/onnxruntime.db "*) ;; *) exit 1 ;; esac
grep -q mobile.events.data.microsoft.com "$folder"/venv/lib/python*/site-packages/onnxruntime/capi/*.so*
