"""Networks in service: what runs them, and one class for each kind of network.

Only `torch_runner` and `loading` import torch, so that child processes do without it.
"""
