"""The same step as bench/step.mjs in PyTorch, as a user of PyTorch would write it: prints one JSON line.

    python3 bench/pytorch_step.py --mode finetune --dim 192 --depth 12 --heads 3 --tokens 197 --batch 16 --classes 100

Eager mode, scaled_dot_product_attention, fused AdamW, all threads. Needs torch.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=1e-6), nn.LayerNorm(dim, eps=1e-6)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        heads = self.qkv(self.norm1(x)).view(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*heads.unbind(0))
        x = x + self.proj(attended.transpose(1, 2).reshape(batch, tokens, dim))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.embed = nn.Linear(o.patch_dim, o.dim)
        self.cls = nn.Parameter(torch.randn(1, 1, o.dim) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, o.tokens, o.dim) * 0.02)
        self.blocks = nn.Sequential(*[Block(o.dim, o.heads) for _ in range(o.depth)])
        self.norm, self.head = nn.LayerNorm(o.dim, eps=1e-6), nn.Linear(o.dim, o.classes)

    def forward(self, patches):
        x = torch.cat([self.cls.expand(len(patches), -1, -1), self.embed(patches)], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["finetune", "eval"], default="finetune")
    sizes = dict(dim=192, depth=12, heads=3, tokens=197, batch=16, classes=100, patch_dim=768, steps=7, warmup=2, threads=0)
    for name, default in sizes.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    o = parser.parse_args()
    torch.manual_seed(0)
    if o.threads:
        torch.set_num_threads(o.threads)
    model = ViT(o)
    x, y = torch.randn(o.batch, o.tokens - 1, o.patch_dim), torch.randint(o.classes, (o.batch,))
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.05, fused=True)

    def train():
        loss = F.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()

    def evaluate():
        with torch.no_grad():
            model(x)

    step = train if o.mode == "finetune" else evaluate
    times = []
    for i in range(o.warmup + o.steps):
        start = time.perf_counter()
        step()
        if i >= o.warmup:
            times.append((time.perf_counter() - start) * 1e3)
    median = statistics.median(times)
    print(json.dumps({
        "mode": o.mode, "dim": o.dim, "depth": o.depth, "tokens": o.tokens, "batch": o.batch,
        "median_ms": round(median, 2), "min_ms": round(min(times), 2), "images_per_s": round(o.batch / median * 1e3, 2),
        "threads": torch.get_num_threads(), "torch": torch.__version__,
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }))


if __name__ == "__main__":
    main()
