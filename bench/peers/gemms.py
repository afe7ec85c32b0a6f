"""The floor under a step: its matrix products alone in OpenBLAS, plus one pass over the bytes that Adam must move.

OpenBLAS is the system's (the one our Node process loads, ANSATZ_BLAS names another), not NumPy's. The pass reads the
gradient, both moments and the parameters and writes the moments and the parameters, 7 x 3.26 MB, with the least
arithmetic that keeps a compiler from dropping any of it, split over the threads. Where no C compiler is found, it is
memcpy over the same number of bytes.

Each answer holds gemmMs and passMs beside their sums, ms. The two are timed in separate loops with a pause between,
so that OpenBLAS's waiting threads do not take the pass's processor; each is then at its best, as a floor should be.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from protocol import BATCH, HIDDEN, LATENT, LAYERS, PIXELS, THREADS

CPU_INFO = Path("/proc/cpuinfo")
if CPU_INFO.exists() and "avx512f" in CPU_INFO.read_text():
    os.environ.setdefault("OPENBLAS_CORETYPE", "SkylakeX")  # 0.3.21 takes newer processors for AVX2 ones
os.environ.setdefault("OPENBLAS_NUM_THREADS", str(THREADS))

import numpy as np

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
PARAMETERS = sum(fan_in * fan_out + fan_out for fan_in, fan_out in LAYERS.values())
PAUSE = 0.1

PASS_SOURCE = """
#include <stddef.h>
void pass(size_t n, const float *restrict g, float *restrict m, float *restrict v, float *restrict p) {
#pragma omp parallel for simd schedule(static)
  for (size_t i = 0; i < n; i++) {
    const float a = 0.9f * m[i] + 0.1f * g[i], b = 0.999f * v[i] + 0.001f * g[i];
    m[i] = a; v[i] = b; p[i] -= 0.001f * (a - b);
  }
}
"""


def open_blas() -> ctypes.CDLL:
    blas = ctypes.CDLL(os.environ.get("ANSATZ_BLAS", "libopenblas.so.0"))
    blas.cblas_sgemm.restype = None
    blas.openblas_get_config.restype = ctypes.c_char_p
    blas.openblas_get_corename.restype = ctypes.c_char_p
    return blas


def uniform(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).random(shape, dtype=np.float32)


def gemm(blas: ctypes.CDLL, a: np.ndarray, b: np.ndarray, transpose_a: bool, transpose_b: bool) -> Callable[[], None]:
    """c = op(a) op(b), as one closure with all its arguments made beforehand."""
    rows, inner = a.shape[::-1] if transpose_a else a.shape
    columns = b.shape[0] if transpose_b else b.shape[1]
    c = np.zeros((rows, columns), np.float32)
    flags = [ctypes.c_int(TRANSPOSED if transposed else PLAIN) for transposed in (transpose_a, transpose_b)]
    sizes = [ctypes.c_int(size) for size in (rows, columns, inner)]
    pointer = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, c)]
    stride = [ctypes.c_int(array.shape[1]) for array in (a, b, c)]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    arguments = [ctypes.c_int(ROW_MAJOR), *flags, *sizes, one, pointer[0], stride[0], pointer[1], stride[1], zero]
    arguments += [pointer[2], stride[2]]
    keep = (a, b, c)

    def call(function=blas.cblas_sgemm, arguments=arguments, keep=keep) -> None:
        function(*arguments)

    return call


def step_gemms(blas: ctypes.CDLL) -> list[Callable[[], None]]:
    """Forward, then per layer the weight's gradient and, but for the first layer, the input's."""
    widths = {"encoder": PIXELS, "mean": HIDDEN, "logSd": HIDDEN, "decoder": LATENT, "logits": HIDDEN}
    x = {name: uniform(BATCH, width) for name, width in widths.items()}
    w = {name: uniform(fan_in, fan_out) for name, (fan_in, fan_out) in LAYERS.items()}
    dy = {name: uniform(BATCH, fan_out) for name, (_, fan_out) in LAYERS.items()}
    forward = [gemm(blas, x[name], w[name], False, False) for name in LAYERS]
    backward = []
    for name in reversed(LAYERS):
        backward.append(gemm(blas, x[name], dy[name], True, False))
        if name != "encoder":
            backward.append(gemm(blas, dy[name], w[name], False, True))
    return forward + backward


def compiled_pass(folder: Path) -> Callable[[], None] | None:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        return None
    source, library = folder / "pass.c", folder / "pass.so"
    source.write_text(PASS_SOURCE)
    flags = ["-O3", "-march=native", "-mprefer-vector-width=512", "-fopenmp", "-ffast-math", "-shared", "-fPIC"]
    if subprocess.run([compiler, *flags, "-o", library, source], capture_output=True).returncode != 0:
        return None
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    function = ctypes.CDLL(str(library))["pass"]
    arrays = [uniform(PARAMETERS) for _ in range(4)]
    arguments = [ctypes.c_size_t(PARAMETERS), *(ctypes.c_void_p(array.ctypes.data) for array in arrays)]
    return lambda keep=arrays: function(*arguments)


def copying_pass() -> Callable[[], None]:
    size = PARAMETERS * 4 * 7 // 2  # a copied byte is read once and written once
    source, target = np.ones(size, np.uint8), np.ones(size, np.uint8)
    return lambda: ctypes.memmove(target.ctypes.data, source.ctypes.data, size)


def timed(count: int, work: Callable[[], None]) -> list[float]:
    times = []
    for _ in range(count):
        before = time.perf_counter()
        work()
        times.append((time.perf_counter() - before) * 1e3)
    return times


def main() -> None:
    blas = open_blas()
    products = step_gemms(blas)

    def gemms() -> None:
        for product in products:
            product()

    with tempfile.TemporaryDirectory() as folder:
        compiled = compiled_pass(Path(folder))
    one_pass = compiled or copying_pass()
    timed(30, gemms)
    time.sleep(PAUSE)
    timed(30, one_pass)
    print(
        json.dumps(
            {
                "peer": "gemms",
                "versions": {"OpenBLAS": blas.openblas_get_config().decode().split()[1]},
                "threads": blas.openblas_get_num_threads(),
                "blas": f"OpenBLAS {blas.openblas_get_corename().decode()}",
                "pass": "compiled" if compiled else "memcpy",
            }
        ),
        flush=True,
    )
    for line in sys.stdin:
        words = line.split()
        if words == ["quit"]:
            return
        if len(words) != 2 or words[0] != "run":
            sys.exit(f"expected `run N` or `quit` on standard input, got {line!r}")
        gemm_ms = timed(int(words[1]), gemms)
        time.sleep(PAUSE)
        pass_ms = timed(int(words[1]), one_pass)
        total = [a + b for a, b in zip(gemm_ms, pass_ms)]
        print(json.dumps({"ms": total, "gemmMs": gemm_ms, "passMs": pass_ms}), flush=True)


main()
