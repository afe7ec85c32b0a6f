"""Stan: C++ by the stanc and with the headers that httpstan (pystan) brings, called through ctypes (stan_calls.cpp).

Compiled models are kept in the folder that PEERS_STAN names (default: a folder of the user's cache) with the seconds that stanc and
the C++ compiler took. `python in_stan.py` serves, `python in_stan.py bare` times calls in a C++ loop, as Stan's own samplers make them; `python in_stan.py
build` compiles all models that are not there.
"""

import ctypes
import hashlib
import importlib.util
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from serving import Peer, named_means, read_data, reported_sites, write_draws

HERE = Path(__file__).parent
# Found, not imported: importing it takes a second that only building needs.
HTTPSTAN = Path(importlib.util.find_spec("httpstan").submodule_search_locations[0])
KEPT = Path(os.environ.get("PEERS_STAN", Path.home() / ".cache" / "ansatz-bench-stan"))
FLAGS = ["-std=c++17", "-O3", "-march=native", "-fPIC", "-shared", "-w", "-D_REENTRANT", "-DBOOST_DISABLE_ASSERTS"]
FILES = {"gp200": "gp"}
BARE = "bare" in sys.argv


def build(model: str) -> tuple[Path, float]:
    """The shared library of a model, and what compiling it took, in seconds."""
    source = HERE / "stan" / f"{FILES.get(model, model)}.stan"
    calls = HERE / "stan_calls.cpp"
    digest = hashlib.sha256(source.read_bytes() + calls.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    library = KEPT / f"{source.stem}-{digest}.so"
    record = library.with_suffix(".json")
    if not record.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        header = library.with_suffix(".hpp")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        name = source.stem.replace("-", "_") + "_model"
        subprocess.run([HTTPSTAN / "stanc", "--O1", "--name", name, "--o", header, source], check=True)
        includes = ["-I", HTTPSTAN / "include", f'-DMODEL_FILE="{header}"']
        links = ["-L", HTTPSTAN / "lib", f"-Wl,-rpath,{HTTPSTAN / 'lib'}", "-l:libtbb.so.2"]
        subprocess.run(["g++", *FLAGS, *includes, calls, "-o", library, *links], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Processor time: compiling is one thread's work, and other work on the machine must not count.
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        record.write_text(json.dumps({"seconds": seconds}))
    return library, json.loads(record.read_text())["seconds"]


class Compiled:
    def __init__(self, model: str, data_file: str):
        library, self.compile_seconds = build(model)
        lib = ctypes.CDLL(str(library))
        lib.model_new.restype = ctypes.c_void_p
        lib.log_density_gradient.restype = ctypes.c_double
        lib.log_density_gradient.argtypes = [ctypes.c_void_p] * 3
        lib.many.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        lib.nuts.argtypes = [ctypes.c_void_p, *[ctypes.c_uint] * 2, *[ctypes.c_int] * 3, ctypes.c_void_p]
        lib.advi.argtypes = [
            ctypes.c_void_p, ctypes.c_uint, ctypes.c_double, *[ctypes.c_int] * 2, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int,
        ]  # fmt: skip
        self.lib = lib
        self.model = ctypes.c_void_p(lib.model_new(data_file.encode()))
        self.dim = lib.model_dim(self.model)
        text = ctypes.create_string_buffer(1 << 16)
        lib.model_names(self.model, text, len(text))
        self.names = text.value.decode().split()

    def columns(self, site: str) -> list[int]:
        return [i for i, name in enumerate(self.names) if name.split(".")[0] == site]

    def chain(self, arguments: tuple) -> np.ndarray:
        seed, chain, warm_up, draws = arguments
        out = np.empty((draws, len(self.names)))
        if self.lib.nuts(self.model, seed, chain, warm_up, draws, len(self.names), out.ctypes.data):
            raise RuntimeError("Stan's sampler failed")
        return out


kept: Compiled | None = None


def one_chain(arguments: tuple) -> np.ndarray:
    return kept.chain(arguments)


class Stan(Peer):
    about = {
        "peer": "stan-bare" if BARE else "stan",
        "versions": {"stan": "2.35", "httpstan": "4.13"},
        "threads": 1,
        "blas": "Eigen",
    }

    def do_prepare(self, request):
        global kept
        kept = Compiled(request["model"], request["data"])
        lib, model = kept.lib, kept.model
        gradient = np.zeros(kept.dim)
        into = gradient.ctypes.data
        evaluate = lib.log_density_gradient

        def call(u):
            return evaluate(model, u.ctypes.data, into), gradient.copy()

        self.call = call
        return {"seconds": kept.compile_seconds}

    def do_time(self, request):
        if not BARE:
            return super().do_time(request)
        points = np.array(request["points"])
        calls, done, started = 1, 0.0, time.perf_counter()
        while True:  # as many calls in one as take long enough
            before = time.perf_counter()
            kept.lib.many(kept.model, points.ctypes.data, len(points), calls)
            done = (time.perf_counter() - before) * 1e3
            if done >= request["milliseconds"] / 2 or time.perf_counter() - started > 10:
                return {"us": done * 1e3 / (calls * len(points))}
            calls *= 2

    def do_nuts(self, request):
        global kept
        data = read_data(request["data"])
        kept = Compiled(request["model"], request["data"])
        jobs = [(request["seed"], c + 1, request["warmUp"], request["draws"]) for c in range(request["chains"])]
        started = time.perf_counter()
        # A process a chain, as many at a time as there are cores: CmdStanPy's default.
        with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
            rows = np.stack(pool.map(one_chain, jobs, chunksize=1))
        seconds = time.perf_counter() - started
        draws = {site: rows[:, :, kept.columns(site)] for site in reported_sites(request["model"], data)}
        write_draws(request["out"], request["model"], data, draws)
        return {"compileSeconds": kept.compile_seconds, "seconds": seconds}

    def do_advi(self, request):
        data = read_data(request["data"])
        made = Compiled(request["model"], request["data"])
        draws = 4000
        out = np.empty((draws + 1, len(made.names)))
        log = ctypes.create_string_buffer(1 << 16)
        started = time.perf_counter()
        width = len(made.names)
        tolerance = request.get("tolerance", 0.01)
        code = made.lib.advi(made.model, request["seed"], tolerance, draws, width, out.ctypes.data, log, len(log))
        seconds = time.perf_counter() - started
        if code:
            raise RuntimeError(f"Stan's ADVI failed: {log.value.decode()[-200:]}")
        means = {}
        for site in reported_sites(request["model"], data):
            columns = out[1:, made.columns(site)].mean(0)
            means[site] = columns if len(columns) > 1 else columns[0]
        lines = [line.split() for line in log.value.decode().splitlines()]
        steps = max((int(words[0]) for words in lines if words and words[0].isdigit()), default=None)
        return {
            "seconds": seconds,
            "compileSeconds": made.compile_seconds,
            "steps": steps,
            "means": named_means(request["model"], data, means),
        }


if __name__ == "__main__":
    if sys.argv[1:] == ["build"]:
        for stan_file in sorted((HERE / "stan").glob("*.stan")):
            print(stan_file.stem, *build(stan_file.stem))
    else:
        Stan().serve()
