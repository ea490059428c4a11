"""Runs networks: runners, one class for each kind of network, and the choice of what runs them.

Only `torch_runner` imports torch, and nothing imports that by name: `loading` does where torch is what runs networks.
"""
