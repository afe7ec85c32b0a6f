"""The line protocol of a peer, its data and its sizes: what every Python peer of the AEVB step shares.

A peer prepares itself (compiles, warms up), prints one JSON line about itself, then answers lines on standard input:
`run N` runs N training steps and prints {"ms": [N numbers], "negElbo": the last bound}; `quit` ends it.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

BATCH, PIXELS, HIDDEN, LATENT = 100, 784, 500, 20
ROWS = 60_000
LEARNING_RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
WARM_UP = 30
THREADS = int(os.environ.get("PEERS_THREADS", os.cpu_count() or 1))

# name -> (fan in, fan out): 815,824 parameters, 3.26 MB in f32. Adam reads g, m, v, p and writes m, v, p: 22.8 MB.
LAYERS = {
    "encoder": (PIXELS, HIDDEN),
    "mean": (HIDDEN, LATENT),
    "logSd": (HIDDEN, LATENT),
    "decoder": (LATENT, HIDDEN),
    "logits": (HIDDEN, PIXELS),
}


def binary_images() -> np.ndarray:
    """Stands in for shuffled, binarised MNIST: [60000, 784] of 0 and 1, with MNIST's share of ink."""
    return (np.random.default_rng(0).random((ROWS, PIXELS), dtype=np.float32) < 0.13).astype(np.uint8)


def batch_starts():
    """The first row of each successive minibatch, epoch after epoch."""
    start = 0
    while True:
        yield start
        start = (start + BATCH) % ROWS


def serve(about: dict, step: Callable[[], float | None], warm_up: int = WARM_UP) -> None:
    """Warm up, announce, then time `step` on request. `step` returns when its work is done, not when it is queued."""
    for _ in range(warm_up):
        step()
    print(json.dumps({**about, "python": sys.version.split()[0]}), flush=True)
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            return
        if len(words) != 2 or words[0] != "run":
            sys.exit(f"expected `run N` or `quit` on standard input, got {line!r}")
        times, neg_elbo = [], None
        for _ in range(int(words[1])):
            before = time.perf_counter()
            neg_elbo = step()
            times.append((time.perf_counter() - before) * 1e3)
        print(json.dumps({"ms": times, "negElbo": None if neg_elbo is None else float(neg_elbo)}), flush=True)
