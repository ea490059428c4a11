"""Runs networks: runners, and one class for each kind of network.

Only `torch_runner` and `loading` import torch, so that child processes do not load it.
"""
