#!/bin/sh
# OpenVINO pins the threads of a network to processors, and every process begins with the same one: two processes that
# run a network with one thread each share one processor and leave the others idle, unless ENABLE_CPU_PINNING is off.
#
# Guess: the kernel places the threads of both, so that two processes keep two processors busy.
#
# Seen with openvino 2026.4.1 on Linux (x86-64, two processors): ENABLE_CPU_PINNING is on unless told otherwise. While
# two processes each run a network with INFERENCE_NUM_THREADS 1, the thread that calculates may use processor 0 alone,
# in both. With the option off it may use all of them.
#
# Runs without qrestore, on two processors or more: sh findings/openvino-pins-every-process-to-one-processor.sh. Fails
# if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 numpy==2.4.6
cat > "$folder/run.py" <<'PYTHON'
"""Runs a network for two seconds and prints where threads were that may use one processor only."""

import os
import sys
import time

import numpy as np
import openvino
from openvino import opset13 as op

SHAPE = (1, 16, 128, 128)
picture = op.parameter(SHAPE, np.float32)
kernel = op.constant(np.full((16, 16, 3, 3), 0.01, dtype=np.float32))
made = picture
for _ in range(6):
    made = op.convolution(made, kernel, [1, 1], [1, 1], [1, 1], [1, 1])
options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
if sys.argv[1] == "off":
    options["ENABLE_CPU_PINNING"] = False
network = openvino.Core().compile_model(openvino.Model([made], [picture]), "CPU", options)
request = network.create_infer_request()


def allowed(task):
    try:
        with open(f"/proc/self/task/{task}/status") as status:
            line = next(line for line in status if line.startswith("Cpus_allowed_list:"))
    except FileNotFoundError:  # the thread has ended
        return ""
    return line.split()[1]


pinned, until = set(), time.monotonic() + 2
while time.monotonic() < until:
    request.start_async([np.zeros(SHAPE, dtype=np.float32)])
    pinned |= {place for task in os.listdir("/proc/self/task") if (place := allowed(task)).isdigit()}
    request.wait()
print(",".join(sorted(pinned)) or "none")
PYTHON
"$folder/venv/bin/python" - "$folder/run.py" <<'PYTHON'
import os
import subprocess
import sys

processors = sorted(os.sched_getaffinity(0))
assert len(processors) > 1, "needs two processors"
for pinning, wanted in (("default", str(processors[0])), ("off", "none")):
    command = [sys.executable, sys.argv[1], pinning]
    pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    seen = [process.communicate()[0].strip() for process in pair]
    print("pinning", pinning + ": threads of two processes are pinned to processor", *seen)
    assert seen == [wanted] * 2, "changed"
PYTHON
