"""Checks ONNX models of `wave export --format onnx` with the packages that their users have, one JSON document a line.

A file must pass onnx's checker with strict shape inference. Then timm builds the model that its metadata describes, takes
the weights out of the file by their names, and what onnxruntime makes of the file is compared with what PyTorch gives.

Usage: python scripts/check-onnx-with-python.py FILE...
(needs onnx, onnxruntime, torch and timm 1.0; exit code 1 if a file is refused)
"""

import json
import sys
from functools import partial

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from timm.models import VisionTransformer
from timm.models.deit import VisionTransformerDistilled

BATCHES = (1, 5)


def timm_model(spec):
    """The model of a `wave.spec`; weights random."""
    arguments = {
        "img_size": tuple(spec["image"]),
        "patch_size": spec["patch"],
        "in_chans": spec["channels"],
        "num_classes": spec["classes"],
        "embed_dim": spec["width"],
        "depth": spec["depth"],
        "num_heads": spec["heads"],
        "mlp_ratio": spec["hidden"] / spec["width"],
        "norm_layer": partial(torch.nn.LayerNorm, eps=spec["eps"]),
    }
    if spec["distillation_token"]:
        return VisionTransformerDistilled(**arguments)
    return VisionTransformer(
        **arguments,
        global_pool=spec["pool"],
        fc_norm=spec["final_norm"] == "fc_norm",
        class_token=spec["class_token"],
        reg_tokens=spec["register_tokens"],
        no_embed_class=not spec["position_prefix"],
    )


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}

    torch_model = timm_model(json.loads(metadata["wave.spec"])).eval()
    state = {name: torch.tensor(tensors[name]) for name in torch_model.state_dict()}
    torch_model.load_state_dict(state)

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,), (output,) = session.get_inputs(), session.get_outputs()
    random = np.random.default_rng(0)
    differences = {}
    for batch in BATCHES:
        pixels = random.standard_normal((batch, *given.shape[1:]), dtype=np.float32)
        (found,) = session.run(None, {given.name: pixels})
        with torch.no_grad():
            logits = torch_model(torch.tensor(pixels))
        expected = logits.softmax(-1) if metadata["output"] == "probabilities" else logits
        if found.shape != expected.shape:
            raise ValueError(f"batch {batch} gives {found.shape}, expected {tuple(expected.shape)}")
        differences[batch] = float(np.abs(found - expected.numpy()).max() / max(1, logits.abs().max()))
    return {
        "file": path,
        "opset": {entry.domain: entry.version for entry in model.opset_import},
        "input": [given.name, given.type, given.shape],
        "output": [output.name, output.type, output.shape],
        "metadata": sorted(metadata),
        "differences": differences,
    }


def main(paths):
    if not paths:
        sys.exit(__doc__)
    failed = False
    for path in paths:
        try:
            print(json.dumps(check(path)))
        except Exception as error:  # any refusal is a finding, whatever its class
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


main(sys.argv[1:])
