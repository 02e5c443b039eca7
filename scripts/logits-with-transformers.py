"""Prints the logits that transformers gives for a folder it can open, as JSON rows; called by test/e2e/huggingface.test.ts.

Usage: python scripts/logits-with-transformers.py FOLDER INPUT   (INPUT: safetensors with "input" [batch, channels, height, width])
"""

import json
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageClassification

folder, images = sys.argv[1:]
model, told = AutoModelForImageClassification.from_pretrained(folder, output_loading_info=True)
# What was not found would be random, and transformers only warns of it.
assert not any(told.values()), told
with torch.no_grad():
    logits = model.eval()(load_file(images)["input"]).logits
print(json.dumps(logits.tolist()))
