"""The same step as bench/step.mjs in PyTorch, as a user of PyTorch would write it: prints one JSON line.

    python3 bench/pytorch_step.py --mode finetune --dim 192 --depth 12 --heads 3 --tokens 197 --batch 16 --classes 100

Eager mode, scaled_dot_product_attention, fused AdamW, all threads. Needs torch. `fit` and `distill` make the weights of
templates (--template wide, --count for each matrix, a quarter of it for other tensors) and scalers in every step; `distill`
runs the ancestor in every step, too.
"""
import argparse
import json
import math
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


SPLIT = {"embed.weight": (True, False), "cls": (False, False, True), "positions": (False, False, True),
         "head.weight": (False, True), "head.bias": (False,)}


class Templates:
    """Weights as sums of Kronecker products of templates, shared by all blocks, and scalers."""

    def __init__(self, model, o):
        self.shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
        blocks = o.dim // o.template
        self.templates, self.scalers = {}, {}
        for name, shape in self.shapes.items():
            kind = self.kind(name)
            split = SPLIT.get(kind, (True,) * len(shape))
            template = [n // blocks if s else n for n, s in zip(shape, split)]
            small = len(shape) < 2 or not kind.startswith("blocks.")
            count = max(1, o.count // 4) if small else o.count
            if kind not in self.templates:
                self.templates[kind] = torch.randn(count, *template) * 0.02
            self.scalers[name] = torch.randn(count, *[a // b for a, b in zip(shape, template)]) / math.sqrt(count)

    @staticmethod
    def kind(name):
        parts = name.split(".")
        return ".".join([parts[0], *parts[2:]]) if parts[0] == "blocks" else name

    def weights(self):
        forms = {1: "ni,np->ip", 2: "nij,npq->ipjq", 3: "nijk,npqr->ipjqkr"}
        return {name: torch.einsum(forms[len(shape)], self.templates[self.kind(name)], self.scalers[name]).reshape(shape)
                for name, shape in self.shapes.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["finetune", "eval", "distill", "fit"], default="finetune")
    sizes = dict(dim=192, depth=12, heads=3, tokens=197, batch=16, classes=100, patch_dim=768, steps=7, warmup=2, threads=0,
                 template=64, count=8)
    for name, default in sizes.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    o = parser.parse_args()
    torch.manual_seed(0)
    if o.threads:
        torch.set_num_threads(o.threads)
    model = ViT(o)
    x, y = torch.randn(o.batch, o.tokens - 1, o.patch_dim), torch.randint(o.classes, (o.batch,))
    bank = Templates(model, o) if o.mode in ("distill", "fit") else None
    trained = list(model.parameters())
    if bank:
        trained = [*bank.scalers.values(), *(bank.templates.values() if o.mode == "distill" else [])]
        for tensor in trained:
            tensor.requires_grad_()
    optimiser = torch.optim.AdamW(trained, lr=5e-4, weight_decay=0.05, fused=True)

    def train():
        logits = torch.func.functional_call(model, bank.weights(), x) if bank else model(x)
        loss = F.cross_entropy(logits, y)
        if o.mode == "distill":
            with torch.no_grad():
                ancestor = model(x)
            loss = loss + F.kl_div(F.log_softmax(logits, 1), F.log_softmax(ancestor, 1), log_target=True, reduction="batchmean")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()

    def evaluate():
        with torch.no_grad():
            model(x)

    step = evaluate if o.mode == "eval" else train
    times = []
    for i in range(o.warmup + o.steps):
        start = time.perf_counter()
        step()
        if i >= o.warmup:
            times.append((time.perf_counter() - start) * 1e3)
    median = statistics.median(times)
    print(json.dumps({
        "mode": o.mode, "dim": o.dim, "depth": o.depth, "tokens": o.tokens, "batch": o.batch,
        "template": o.template, "count": o.count,
        "median_ms": round(median, 2), "min_ms": round(min(times), 2), "images_per_s": round(o.batch / median * 1e3, 2),
        "threads": torch.get_num_threads(), "torch": torch.__version__,
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }))


if __name__ == "__main__":
    main()
