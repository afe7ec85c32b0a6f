"""EP on probit regression beside ours: GPy (as a Gaussian process with a linear kernel), or, with the argument `numpy`, the updates of
Minka (2001) and of Rasmussen and Williams (2006, section 3.6) in NumPy over the weights, one rank-one change a site."""

import pathlib
import sys
import time

import numpy as np
from scipy.special import log_ndtr

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "peers" / "models"))
from serving import Peer  # noqa: E402


def numpy_ep(x, y, tolerance):
    """log Z and mean of w ~ N(0, I), y in ±1."""
    n, d = x.shape
    signed = x * y[:, None]
    tau, nu, log_z = np.zeros(n), np.zeros(n), np.zeros(n)
    covariance, mean = np.eye(d), np.zeros(d)
    for sweep in range(200):
        change = 0.0
        for i in range(n):
            a = signed[i]
            va = covariance @ a
            v, m = a @ va, a @ mean
            cavity_tau, cavity_nu = 1 / v - tau[i], m / v - nu[i]
            s2, cm = 1 / cavity_tau, cavity_nu / cavity_tau
            z = cm / np.sqrt(1 + s2)
            log_z[i] = log_ndtr(z)
            ratio = np.exp(-0.5 * z * z - 0.9189385332046727 - log_z[i])
            gain = s2 * ratio / np.sqrt(1 + s2)
            variance = s2 - s2 * s2 * ratio * (z + ratio) / (1 + s2)
            new_tau, new_nu = 1 / variance - cavity_tau, (cm + gain) / variance - cavity_nu
            change = max(change, abs((cm + gain) - m) / np.sqrt(v), abs(new_tau - tau[i]) * v)
            delta = new_tau - tau[i]
            scale = delta / (1 + delta * v)
            mean = mean + va * ((new_nu - nu[i]) - scale * (m + v * (new_nu - nu[i])))
            covariance = covariance - scale * np.outer(va, va)
            tau[i], nu[i] = new_tau, new_nu
        precision = np.eye(d) + signed.T @ (signed * tau[:, None])
        covariance = np.linalg.inv(precision)
        mean = covariance @ (signed.T @ nu)
        if change < tolerance:
            break
    v = np.einsum("nd,de,ne->n", signed, covariance, signed)
    m = signed @ mean
    s2 = 1 / (1 / v - tau)
    cm = s2 * (m / v - nu)
    # Each site's scale is such that it integrates over its cavity as its likelihood does.
    total = np.sum(log_ndtr(cm / np.sqrt(1 + s2)) + 0.5 * np.log1p(tau * s2))
    total -= 0.5 * np.sum((cm / s2 + nu) ** 2 / (1 / s2 + tau) - cm * cm / s2)
    total += 0.5 * mean @ np.linalg.solve(covariance, mean) + 0.5 * np.linalg.slogdet(covariance)[1]
    return total, mean, sweep + 1


class Numpy(Peer):
    about = {"peer": "numpy-ep", "versions": {"numpy": np.__version__}, "threads": 0, "blas": ""}

    def do_probit(self, r: dict) -> dict:
        x, y = np.array(r["data"]["x"]), 2 * np.array(r["data"]["y"]) - 1
        began = time.perf_counter()
        log_z, mean, sweeps = numpy_ep(x, y, r["tolerance"])
        return {"seconds": time.perf_counter() - began, "logZ": log_z, "mean": mean.tolist(), "sweeps": sweeps}


class Gpy(Peer):
    about = {"peer": "gpy", "versions": {}, "threads": 0, "blas": ""}

    def do_probit(self, r: dict) -> dict:
        import GPy

        x, y = np.array(r["data"]["x"]), np.array(r["data"]["y"])[:, None]
        began = time.perf_counter()
        kernel = GPy.kern.Linear(x.shape[1], variances=1.0)
        ep = GPy.inference.latent_function_inference.EP(epsilon=r["tolerance"])
        model = GPy.core.GP(X=x, Y=y, kernel=kernel, likelihood=GPy.likelihoods.Bernoulli(), inference_method=ep)
        log_z = float(np.squeeze(model.log_likelihood()))
        seconds = time.perf_counter() - began
        mean = x.T @ np.asarray(model.posterior.woodbury_vector)
        return {"seconds": seconds, "logZ": log_z, "mean": np.ravel(mean).tolist(), "version": GPy.__version__}


(Numpy if "numpy" in sys.argv[1:] else Gpy)().serve()
