"""Writes test/fixtures/ep-numpy.json: power EP by dense matrices and a fine grid for each tilted integral, one site at a time,
which shares nothing with the library. Needs numpy."""
import json
import numpy as np

GRID = np.linspace(-1, 1, 400001)


def tilted(log_site, m, v, alpha):
    """Normaliser, mean and variance of N(t; m, v) site(t)^alpha on a wide, even grid."""
    low, high = m - 14 * np.sqrt(v), m + 14 * np.sqrt(v)
    t = 0.5 * (low + high) + 0.5 * (high - low) * GRID
    h = alpha * log_site(t) - 0.5 * (t - m) ** 2 / v
    top = h.max()
    w = np.exp(h - top)
    total = w.sum()
    mean = (w * t).sum() / total
    variance = (w * (t - mean) ** 2).sum() / total
    return top + np.log(total * (t[1] - t[0])) - 0.5 * np.log(2 * np.pi * v), mean, variance


def ep(prior_mean, prior_covariance, directions, log_sites, alpha, sweeps=400, damping=0.0):
    n, d = directions.shape
    p0 = np.linalg.inv(prior_covariance)
    h0 = p0 @ prior_mean
    tau, nu = np.zeros(n), np.zeros(n)
    for sweep in range(sweeps):
        change = 0
        for i in range(n):
            s = np.linalg.inv(p0 + directions.T @ (tau[:, None] * directions))
            mu = s @ (h0 + directions.T @ nu)
            a = directions[i]
            v, m = a @ s @ a, a @ mu
            pc = 1 / v - alpha * tau[i]
            mc = (m / v - alpha * nu[i]) / pc
            _, mt, vt = tilted(log_sites[i], mc, 1 / pc, alpha)
            new_tau, new_nu = (1 / vt - pc) / alpha, (mt / vt - mc * pc) / alpha
            change = max(change, abs(new_tau - tau[i]) * v, abs(new_nu - nu[i]) * np.sqrt(v))
            tau[i] += (1 - damping) * (new_tau - tau[i])
            nu[i] += (1 - damping) * (new_nu - nu[i])
        if change < 1e-11:
            break
    p = p0 + directions.T @ (tau[:, None] * directions)
    s, h = np.linalg.inv(p), h0 + directions.T @ nu
    mu = s @ h
    # log Z = log ∫ prior Π site approximations, each with its own constant
    log_z = 0.5 * (h @ mu - prior_mean @ h0) + 0.5 * (np.linalg.slogdet(p0)[1] - np.linalg.slogdet(p)[1])
    for i in range(n):
        a = directions[i]
        v, m = a @ s @ a, a @ mu
        vc = 1 / (1 / v - alpha * tau[i])
        mc = vc * (m / v - alpha * nu[i])
        log_hat, _, _ = tilted(log_sites[i], mc, vc, alpha)
        log_own, _, _ = tilted(lambda t: nu[i] * t - 0.5 * tau[i] * t * t, mc, vc, alpha)
        log_z += (log_hat - log_own) / alpha
    return {"mean": mu.tolist(), "covariance": s.ravel().tolist(), "logZ": log_z}


def logistic(y):
    return lambda t: -np.logaddexp(0, (1 - 2 * y) * t)


def student(y, nu, scale):
    from math import lgamma, log, pi
    c = lgamma((nu + 1) / 2) - lgamma(nu / 2) - 0.5 * log(nu * pi) - log(scale)
    return lambda t: c - 0.5 * (nu + 1) * np.log1p(((y - t) / scale) ** 2 / nu)


out = {}
x = np.array([-2, -1, -0.5, 0.3, 1, 1.7, 2.2, 3])
y = np.array([0, 0, 1, 0, 1, 0, 1, 1])
design = np.stack([np.ones_like(x), x], 1)
out["logistic"] = {
    str(alpha): ep(np.zeros(2), 4 * np.eye(2), design, [logistic(v) for v in y], alpha) for alpha in (1, 0.5, 0.1)
}
xr = np.arange(6.0)
yr = np.array([0.1, 1.2, 1.9, 9, 4.1, 5.2])
design = np.stack([np.ones_like(xr), xr], 1)
out["student"] = {"1": ep(np.zeros(2), 100 * np.eye(2), design, [student(v, 4, 0.5) for v in yr], 1, damping=0.2)}
xg = np.array([-2, -1.2, -0.3, 0.4, 1.1, 2.5])
yg = np.array([0, 0, 1, 1, 0, 1])
kernel = 2 * np.exp(-0.5 * (xg[:, None] - xg[None, :]) ** 2) + 1e-6 * np.eye(6)
out["gp"] = {"1": ep(np.zeros(6), kernel, np.eye(6), [logistic(v) for v in yg], 1)}
path = "test/fixtures/ep-numpy.json"
with open(path, "w") as f:
    json.dump(out, f, indent=1)
    f.write("\n")
print(json.dumps({k: {a: v["logZ"] for a, v in r.items()} for k, r in out.items()}))
