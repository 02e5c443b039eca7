"""Images per second of torchvision's ImageFolder in PyTorch's DataLoader: prints one JSON line.

    python3 bench/torchvision_loader.py --folder DIR --workers 2 --batch 64 --images 2000 --set full

The transform is timm's `create_transform`, as its training script makes it. Needs torch, torchvision and timm. Timed from
the first batch on, when the processes run.
"""
import argparse
import json
import os
import time

import PIL
from PIL import ImageOps
import timm
import torch
import torchvision
from timm.data import create_transform
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

posterize = ImageOps.posterize
# From version 13 on Pillow refuses to keep no bits at all, which timm asks for at the highest magnitudes.
ImageOps.posterize = lambda image, bits: posterize(image, bits) if bits > 0 else image.point(lambda _: 0)


def transform(which, size):
    common = dict(input_size=size, is_training=which != "eval", interpolation="bicubic", mean=MEAN, std=STD)
    if which == "eval":
        return create_transform(**common, crop_pct=0.875)
    if which == "crop":
        return create_transform(**common, hflip=0.5, color_jitter=None)
    return create_transform(**common, hflip=0.5, color_jitter=None, auto_augment="rand-m9-mstd0.5-inc1",
                            re_prob=0.25, re_mode="pixel")


def cpu_seconds(loader):
    """Of this process and, on Linux, the loader's so far."""
    total = sum(os.times()[:2])
    for worker in getattr(loader._iterator, "_workers", []):
        with open(f"/proc/{worker.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--set", choices=["full", "crop", "eval"], default="full")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dataset = ImageFolder(options.folder, transform(options.set, options.size))
    loader = DataLoader(dataset, batch_size=options.batch, shuffle=options.set != "eval", drop_last=True,
                        num_workers=options.workers, persistent_workers=options.workers > 0)
    most = options.images // options.batch
    counted, start = 0, None
    while counted < most:
        for images, labels in loader:
            assert images.shape[1:] == (3, options.size, options.size) and len(labels) == options.batch
            if start is None:
                start, before = time.perf_counter(), cpu_seconds(loader)
                continue
            counted += 1
            if counted == most:
                break
    elapsed = time.perf_counter() - start
    cpu = cpu_seconds(loader) - before
    print(json.dumps({
        "images": counted * options.batch,
        "images_per_second": round(counted * options.batch / elapsed, 1),
        "cpu_seconds": round(cpu, 2),
        "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__,
                     "pillow": PIL.__version__},
        "threads": os.cpu_count(),
    }))


if __name__ == "__main__":
    main()
