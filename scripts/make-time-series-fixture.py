"""Log densities of time-series models with their gradients, and solutions of differential equations: oracles for `scan` and `ode`.

    python scripts/make-time-series-fixture.py        # needs: pip install numpy scipy

writes test/fixtures/time-series.json. Gradients are by complex steps (h = 1e-30, exact to rounding: Squire & Trapp 1998); the
Lotka-Volterra solution is by DOP853 at tolerances of 1e-13, its gradients by central differences of it.
"""

import json
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

T = 60


def series():
    generator = np.random.default_rng(2024)
    return np.round(np.cumsum(generator.standard_normal(T)) * 0.3 + generator.standard_normal(T), 3)


Y = series()


def logsumexp(x, axis):
    top = np.max(x.real, axis=axis, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=axis)) + np.squeeze(top, axis=axis)


def garch(p):
    """GARCH(1,1): p = mu, alpha0, alpha1, beta1, sigma1."""
    mu, alpha0, alpha1, beta1, sigma = p
    total = 0
    variance = sigma**2
    for t, y in enumerate(Y):
        if t > 0:
            variance = alpha0 + alpha1 * (Y[t - 1] - mu) ** 2 + beta1 * variance
        total += -0.5 * np.log(2 * np.pi * variance) - 0.5 * (y - mu) ** 2 / variance
    return total


def arma(p):
    """ARMA(1,1): p = mu, phi, theta, sigma."""
    mu, phi, theta, sigma = p
    total = 0
    error = 0
    for t, y in enumerate(Y):
        nu = mu + phi * mu if t == 0 else mu + phi * Y[t - 1] + theta * error
        error = y - nu
        total += -0.5 * np.log(2 * np.pi) - np.log(sigma) - 0.5 * (error / sigma) ** 2
    return total


def hmm(p):
    """A chain of two states with normal emissions: p = log-odds of leaving each state, two means, log sd."""
    leave = 1 / (1 + np.exp(-p[:2]))
    log_transition = np.log(np.array([[1 - leave[0], leave[0]], [leave[1], 1 - leave[1]]]))
    means, sd = p[2:4], np.exp(p[4])

    def emission(y):
        return -0.5 * np.log(2 * np.pi) - np.log(sd) - 0.5 * ((y - means) / sd) ** 2

    alpha = np.log(0.5) + emission(Y[0])
    for y in Y[1:]:
        alpha = logsumexp(alpha[:, None] + log_transition, 0) + emission(y)
    return logsumexp(alpha, 0)


def case(f, at):
    at = np.array(at)
    step = 1e-30
    gradient = []
    for i in range(len(at)):
        z = at.astype(complex)
        z[i] += 1j * step
        gradient.append(f(z).imag / step)
    return {"at": at.tolist(), "value": float(f(at)), "gradient": gradient}


def lotka_volterra(p, times):
    """du/dt = (a - b v) u, dv/dt = (-c + d u) v: p = a, b, c, d, u0, v0."""
    a, b, c, d, u0, v0 = p

    def f(_t, y):
        return [(a - b * y[1]) * y[0], (-c + d * y[0]) * y[1]]

    span = (times[0], times[-1])
    return solve_ivp(f, span, [u0, v0], method="DOP853", rtol=1e-13, atol=1e-13, t_eval=times).y.T


def prey_and_predators():
    times = np.linspace(0, 20, 21)
    p = np.array([0.55, 0.028, 0.8, 0.024, 33.0, 6.0])

    def last(q):
        return lotka_volterra(q, times)[-1]

    gradient = []
    for i in range(len(p)):
        h = 1e-4 * p[i]
        e = np.eye(len(p))[i] * h
        # Of order 4: the fourth differences leave an error of order h^4.
        gradient.append((-last(p + 2 * e) + 8 * last(p + e) - 8 * last(p - e) + last(p - 2 * e)) / (12 * h))
    return {
        "at": p.tolist(),
        "times": times.tolist(),
        "solution": lotka_volterra(p, times).tolist(),
        "gradientOfLast": np.array(gradient).T.tolist(),
    }


fixture = {
    "y": Y.tolist(),
    "garch": case(garch, [0.2, 0.3, 0.4, 0.35, 1.1]),
    "arma": case(arma, [0.1, 0.6, -0.3, 0.9]),
    "hmm": case(hmm, [-1.0, -1.5, -0.5, 1.2, 0.1]),
    "lotkaVolterra": prey_and_predators(),
}
path = Path(__file__).parent.parent / "test" / "fixtures" / "time-series.json"
path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
