"""What every Python peer of the model benchmarks shares: reading requests, timing, and the layout of parameters.

A peer prints one JSON line about itself, then answers each JSON object on standard input with one on standard output:

  {"do": "prepare", "model", "data"}        reads the data file and compiles log density and gradient: {"seconds"}
  {"do": "density", "points"}               at unconstrained points: {"values", "gradients"}
  {"do": "time", "points", "milliseconds"}  microseconds of one call, the points in turn: {"us"}
  {"do": "nuts", "model", "data", "chains", "warmUp", "draws", "seed", "out"}
      draws [chains, draws, parameters] as float64 into the file `out`: {"compileSeconds", "seconds"}
  {"do": "advi", "model", "data", "seed", "steps"}
      {"seconds", "means": {parameter: number}, "steps"}; compile included

A peer without one of these answers {"absent": why}.
"""

import json
import sys
import time

import numpy as np

# Sites in the order of the unconstrained vector, with their shapes; J, D, K are in the data.
SITES = {
    "eight-schools": lambda d: [("mu", 1), ("tau", 1), ("t", d["J"])],
    "logistic": lambda d: [("alpha", 1), ("beta", d["D"])],
    "gp": lambda d: [("rho", 1), ("alpha", 1), ("sigma", 1)],
    "gp200": lambda d: [("rho", 1), ("alpha", 1), ("sigma", 1)],
    "mixture": lambda d: [("mu", 2), ("sigma", 2), ("theta", 1)],
    "autoregression": lambda d: [("alpha", 1), ("beta", d["K"]), ("sigma", 1)],
}

# What is reported: eight schools' theta stands in for t.
REPORTED = {
    **{name: None for name in SITES},
    "eight-schools": ["mu", "tau", "theta"],
}


def read_data(file: str) -> dict:
    with open(file) as lines:
        data = json.load(lines)
    return {k: np.asarray(v) if isinstance(v, list) else v for k, v in data.items()}


def reported_sites(model: str, data: dict) -> list[str]:
    return REPORTED[model] or [name for name, _ in SITES[model](data)]


def write_draws(file: str, model: str, data: dict, draws: dict) -> None:
    """`draws[name]` is [chains, draws, ...shape] of each reported site."""
    flat = [np.asarray(draws[n], float).reshape(*np.shape(draws[n])[:2], -1) for n in reported_sites(model, data)]
    np.ascontiguousarray(np.concatenate(flat, axis=2)).tofile(file)


def named_means(model: str, data: dict, means: dict) -> dict:
    """{"theta[1]": …} of the reported sites."""
    named = {}
    for name in reported_sites(model, data):
        value = np.asarray(means[name], float)
        if value.ndim == 0:
            named[name] = float(value)
        else:
            named |= {f"{name}[{i + 1}]": float(v) for i, v in enumerate(value)}
    return named


def microseconds(call, points: np.ndarray, milliseconds: float) -> float:
    """Of one call, over as many calls as fill the time."""
    calls, done, started = 0, 0.0, time.perf_counter()
    while done < milliseconds:
        for point in points:
            call(point)
        calls += len(points)
        done = (time.perf_counter() - started) * 1e3
    return done * 1e3 / calls


class Peer:
    """Answers requests; a subclass has `compile(model, data)`, which returns u -> (value, gradient), and what else it offers."""

    about: dict = {}

    def compile(self, model: str, data: dict):
        raise NotImplementedError

    def do_prepare(self, request: dict) -> dict:
        self.data = read_data(request["data"])
        started = time.perf_counter()
        self.call = self.compile(request["model"], self.data)
        return {"seconds": time.perf_counter() - started}

    def do_density(self, request: dict) -> dict:
        found = [self.call(np.array(u)) for u in request["points"]]
        return {
            "values": [float(value) for value, _ in found],
            "gradients": [np.asarray(gradient).tolist() for _, gradient in found],
        }

    def timed(self):
        """What is timed: the same as is checked, unless a peer has a shorter way to its results."""
        return self.call

    def do_time(self, request: dict) -> dict:
        points = np.array(request["points"])
        return {"us": microseconds(self.timed(), points, request["milliseconds"])}

    def serve(self) -> None:
        print(json.dumps({**self.about, "python": sys.version.split()[0]}), flush=True)
        out = sys.stdout
        sys.stdout = sys.stderr  # what libraries print is no answer
        for line in sys.stdin:
            request = json.loads(line)
            handler = getattr(self, "do_" + request["do"], None)
            try:
                answer = handler(request) if handler else {"absent": f"offers no {request['do']}"}
            except Exception as error:  # one failure must not end the others' run
                answer = {"absent": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
            print(json.dumps(answer), file=out, flush=True)
