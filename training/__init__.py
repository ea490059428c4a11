"""Makes the checkpoints that the service loads. Runs from a bare checkout with torch, numpy, opencv and safetensors."""
