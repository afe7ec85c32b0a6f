"""BayesPy's variational message passing on the small models, answering the requests of speed.ts."""

import pathlib
import sys
import time

import bayespy
import numpy as np
from bayespy.inference import VB
from bayespy.nodes import (
    Bernoulli, Beta, Categorical, Dirichlet, Gamma, Gaussian, GaussianARD, Mixture, SumMultiply, Wishart,
)

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "peers" / "models"))
from serving import Peer  # noqa: E402


def normal(data):
    y = np.array(data["y"])
    mu = GaussianARD(0, 1e-6)
    tau = Gamma(1e-3, 1e-3)
    anchor = GaussianARD(0, tau)
    anchor.observe(0.5)
    seen = GaussianARD(mu, tau, plates=y.shape)
    seen.observe(y)
    return VB(seen, anchor, mu, tau)


def pca(data):
    x = np.array(data["x"])
    rows, columns = x.shape
    alpha = Gamma(1e-3, 1e-3, plates=(4,))
    tau = Gamma(1e-3, 1e-3)
    w = GaussianARD(0, alpha, shape=(4,), plates=(columns, 1))
    z = GaussianARD(0, 1, shape=(4,), plates=(1, rows))
    seen = GaussianARD(SumMultiply("d,d->", w, z), tau)
    seen.observe(x.T)
    w.initialize_from_random()
    z.initialize_from_random()
    return VB(seen, alpha, tau, w, z)


def mixture(data):
    x = np.array(data["x"])
    weights = Dirichlet(1e-3 * np.ones(6))
    z = Categorical(weights, plates=(len(x),))
    mu = Gaussian(np.zeros(2), 0.1 * np.identity(2), plates=(6,))
    # Wishart by degrees of freedom and inverse scale.
    precision = Wishart(2, 2 * np.identity(2), plates=(6,))
    seen = Mixture(z, Gaussian, mu, precision)
    seen.observe(x)
    z.initialize_from_random()
    return VB(seen, weights, mu, precision, z)


def bernoulli(data):
    x = np.array(data["x"])
    weights = Dirichlet(0.1 * np.ones(3))
    z = Categorical(weights, plates=(len(x), 1))
    theta = Beta([0.5, 0.5], plates=(x.shape[1], 3))
    seen = Mixture(z, Bernoulli, theta)
    seen.observe(x)
    z.initialize_from_random()
    return VB(seen, weights, theta, z)


MODELS = {"normal": normal, "pca": pca, "mixture": mixture, "bernoulli": bernoulli}


class BayesPy(Peer):
    about = {"peer": "bayespy", "versions": {"bayespy": bayespy.__version__, "numpy": np.__version__}, "threads": 0, "blas": ""}

    def do_small(self, r: dict) -> dict:
        np.random.seed(r["seed"])
        began = time.perf_counter()
        fit = MODELS[r["name"]](r["data"])
        fit.update(repeat=1000, tol=r["tolerance"], verbose=False)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "elbo": float(fit.compute_lowerbound()), "sweeps": int(fit.iter)}


BayesPy().serve()
