"""Reads safetensors files with the Python package and prints what it found, one JSON document a line.

Usage: python scripts/check-safetensors-with-python.py FILE...   (needs safetensors; exit code 1 if one is refused)
"""

import hashlib
import json
import sys

from safetensors import deserialize


def describe(path):
    with open(path, "rb") as file:
        data = file.read()
    tensors = [
        {
            "name": name,
            "dtype": tensor["dtype"],
            "shape": tensor["shape"],
            "sha256": hashlib.sha256(bytes(tensor["data"])).hexdigest(),
        }
        for name, tensor in deserialize(data)
    ]
    header_length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + header_length]).get("__metadata__")
    return {"file": path, "metadata": metadata, "tensors": sorted(tensors, key=lambda item: item["name"])}


def main(paths):
    if not paths:
        sys.exit(__doc__)
    failed = False
    for path in paths:
        try:
            print(json.dumps(describe(path)))
        except Exception as error:  # any refusal is a finding, whatever its class
            print(f"{path}: {error}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
