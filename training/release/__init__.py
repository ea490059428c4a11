"""Prepares what is shipped: model cards, ONNX exports and their 8-bit forms, and the README's sample picture."""
