"""What an exported file states of itself."""

import json
from collections.abc import Mapping

import onnx

from app.models.checkpoint import Checkpoint, fingerprint
from app.pipeline.inference.exported import FINGERPRINT_KEY

OPSET = 20
"""Version of ONNX's operators, the first with GELU."""


def set_metadata(graph: onnx.ModelProto, model: Checkpoint, more: Mapping[str, str]) -> None:
    """Replaces an exported graph's metadata by the checkpoint's header and ``more``."""
    metadata = {
        "name": model.name,
        "architecture": model.architecture,
        "config": json.dumps(dict(model.config), sort_keys=True),
        "provenance": json.dumps(dict(model.provenance), sort_keys=True),
        FINGERPRINT_KEY: fingerprint(model),
        "kind": model.card.kind.value,
        "scale": str(model.card.scale),
        "size_multiple": str(model.card.size_multiple),
        "parameters": str(model.parameters),
        **more,
    }
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, metadata)
