"""From a trained checkpoint to what is shipped: model cards, ONNX export and quantisation."""
