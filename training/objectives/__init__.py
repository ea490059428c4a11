"""Training objectives: losses, perceptual features, discriminators and adversarial losses.

A loss takes the network's output and the batch and returns a scalar. Modules here know batches but no run.
"""
