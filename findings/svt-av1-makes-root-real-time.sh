#!/bin/sh
# SVT-AV1, as PyAV's wheels have it, gives the thread that opens an encoder the highest real-time priority if the
# process runs as root, and never takes it back; every thread and process that this thread starts later inherits it.
#
# Guess: an encoder leaves the priority of the thread that calls it as it was.
#
# Seen with av 18.1.0 (SVT-AV1 4.1.0) on Linux: libx264, libx265 and libvpx-vp9 leave the policy SCHED_OTHER, priority 0.
# After libsvtav1 it is SCHED_FIFO, priority 99, once the file is closed as well, and a child process has the same. A
# busy process of that kind takes a processor away from all others. Other users keep their priority: they may not
# raise it.
#
# Runs without qrestore, as root: sh findings/svt-av1-makes-root-real-time.sh. Fails if that changes.
set -eu
[ "$(id -u)" -eq 0 ] || { echo "root alone sees this" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
SVT_LOG=1 "$folder/venv/bin/python" - <<'PYTHON'
import io
import os
import subprocess
import sys

import av
import numpy as np


def priority():
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


def encode(encoder):
    with av.open(io.BytesIO(), "w", format="mp4") as file:
        stream = file.add_stream(encoder, rate=30)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for grey in (0, 80, 160, None):
            picture = grey if grey is None else av.VideoFrame.from_ndarray(np.full((96, 128), grey, np.uint8), "gray")
            file.mux(stream.encode(picture))


usual = (os.SCHED_OTHER, 0)
assert priority() == usual, "start it with the usual priority"
for encoder in ("libx264", "libx265", "libvpx-vp9", "libsvtav1"):
    encode(encoder)
    print("av", av.__version__, "after", encoder, "policy and priority are", priority())
    assert priority() == ((os.SCHED_FIFO, 99) if encoder == "libsvtav1" else usual), "changed"
ask = "import os; print(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)"
child = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
print("a child process has", *child)
assert child == [str(os.SCHED_FIFO), "99"], "changed"
PYTHON
