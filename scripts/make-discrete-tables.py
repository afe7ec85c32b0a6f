"""Log probabilities, means and variances of the discrete and the multivariate distributions: the oracle for src/distributions.

    python scripts/make-discrete-tables.py        # needs: pip install scipy numpy mpmath torch

writes test/tables/discrete.json: a list of

    {"name", "params": {NAME: nested list}, "x": [event, ...], "logProb": [...], "mean", "variance"}

scipy.stats gives what it has; mpmath with 50 digits gives what scipy lacks (parameters on the log or logit scale, the ordered
logistic, large concentrations), and torch.distributions the LKJ factors. null for a log probability is minus infinity; means
and variances are left out where they do not exist or no oracle has them.
"""
import json
import os

import mpmath as mp
import numpy as np
import torch
from scipy import stats

mp.mp.dps = 50
HERE = os.path.dirname(os.path.abspath(__file__))
rows = []
torch.set_default_dtype(torch.float64)


def plain(v):
    if v is None:
        return None
    v = np.asarray(v, dtype=float)
    return v.tolist()


def finite(v):
    return None if v == -mp.inf or v == -np.inf else float(v)


def row(name, params, x, log_prob, mean=None, variance=None):
    out = {"name": name, "params": {k: plain(v) for k, v in params.items()}, "x": [plain(v) for v in x]}
    out["logProb"] = [finite(log_prob(v)) for v in x]
    if mean is not None:
        out["mean"] = plain(mean)
    if variance is not None:
        out["variance"] = plain(variance)
    rows.append(out)


def scipy_row(name, params, x, frozen, shift=0):
    def log_prob(v):
        return float(frozen.logpmf(v + shift)) if v == int(v) else -np.inf

    row(name, params, x, log_prob, frozen.mean() - shift, frozen.var())


def mp_row(name, params, x, pmf_log, support, mean=None, variance=None):
    """`pmf_log` on whole numbers; -inf outside `support` = (low, high)."""

    def log_prob(v):
        inside = v == int(v) and support[0] <= v <= support[1]
        return pmf_log(int(v)) if inside else -mp.inf

    row(name, params, x, log_prob, mean, variance)


sigmoid = lambda l: 1 / (1 + mp.exp(-mp.mpf(l)))
choose = lambda n, k: mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)

# bernoulli
for p in [0.3, 1e-9, 0.999999]:
    scipy_row("bernoulli", {"probs": p}, [0, 1, -1, 2, 0.5], stats.bernoulli(p))
for l in [-700.0, -3.5, 0.0, 0.25, 40.0]:
    p = sigmoid(l)
    mp_row("bernoulli", {"logits": l}, [0, 1, -1, 2, 0.5], lambda k: mp.log(p if k else sigmoid(-l)), (0, 1), p, p * sigmoid(-l))

# categorical
for probs in [[0.2, 0.5, 0.3], [0.125, 0.0, 0.625, 0.25], [1 / 32] * 30 + [0.03125 * 0.5, 0.03125 * 1.5]]:
    index = np.arange(len(probs))
    d = stats.rv_discrete(values=(index, probs))
    row("categorical", {"probs": probs}, [-1, 0.5, *range(len(probs)), len(probs)],
        lambda v: -np.inf if v != int(v) else float(np.log(d.pmf(v))) if d.pmf(v) > 0 else -np.inf, d.mean(), d.var())
for logits in [[0.2, -3.0, 1.5], [700.0, 0.0, -700.0, 699.0], [0.1 * i for i in range(20)]]:
    weights = [mp.exp(mp.mpf(l)) for l in logits]
    ps = [w / mp.fsum(weights) for w in weights]
    m = mp.fsum(k * p for k, p in enumerate(ps))
    v = mp.fsum((k - m) ** 2 * p for k, p in enumerate(ps))
    mp_row("categorical", {"logits": logits}, [-1, 1.5, *range(len(logits)), len(logits)], lambda k: mp.log(ps[k]), (0, len(logits) - 1), m, v)

# binomial
for n, p in [(1, 0.3), (12, 0.07), (40, 0.5), (1000, 0.9)]:
    scipy_row("binomial", {"total": n, "probs": p}, [-1, 0, 1, 0.5, n // 2, n, n + 1], stats.binom(n, p))
for n, l in [(1, 0.0), (15, -30.0), (15, 2.5), (400, -0.5)]:
    p, q = sigmoid(l), sigmoid(-l)
    mp_row("binomial", {"total": n, "logits": l}, [-1, 0, 1, 0.5, n // 2, n, n + 1],
           lambda k: choose(n, k) + k * mp.log(p) + (n - k) * mp.log(q), (0, n), n * p, n * p * q)

# betaBinomial
for n, a, b in [(1, 1.0, 1.0), (10, 0.5, 2.5), (60, 30.0, 4.0)]:
    scipy_row("betaBinomial", {"total": n, "a": a, "b": b}, [-1, 0, 1, 0.5, n // 2, n, n + 1], stats.betabinom(n, a, b))

# poisson
for r in [0.001, 1.0, 7.5, 300.0]:
    scipy_row("poisson", {"rate": r}, [-1, 0, 1, 0.5, int(r) + 2, 500], stats.poisson(r))
for l in [-20.0, -0.5, 2.0, 9.0]:
    mp_row("poisson", {"logRate": l}, [-1, 0, 1, 2.5, int(np.exp(l)), 900], lambda k: k * mp.mpf(l) - mp.exp(l) - mp.loggamma(k + 1),
           (0, mp.inf), mp.exp(l), mp.exp(l))

# negativeBinomial
def nb2(m, r):
    m, r = mp.mpf(m), mp.mpf(r)
    return lambda k: (mp.loggamma(k + r) - mp.loggamma(r) - mp.loggamma(k + 1) + k * mp.log(m / (m + r)) + r * mp.log(r / (m + r)))

for m, r in [(0.01, 0.3), (4.0, 2.5), (100.0, 0.5), (3.0, 1e4), (20.0, 1e9)]:
    mp_row("negativeBinomial", {"mean": m, "concentration": r}, [-1, 0, 1, 1.5, int(m), 400], nb2(m, r), (0, mp.inf), m, m + m * m / r)
for l, r in [(-3.0, 0.3), (1.5, 2.5), (6.0, 50.0), (1.0, 1e6)]:
    m = mp.exp(l)
    mp_row("negativeBinomial", {"logMean": l, "concentration": r}, [-1, 0, 1, 1.5, int(m), 400], nb2(m, r), (0, mp.inf), m, m + m * m / r)
for n, p in [(1, 0.5), (2.5, 0.1), (30, 0.97)]:
    scipy_row("negativeBinomial", {"total": n, "probs": p}, [-1, 0, 1, 0.5, 20], stats.nbinom(n, p))

# geometric: scipy counts trials, from 1
for p in [0.3, 1e-6, 0.999]:
    scipy_row("geometric", {"probs": p}, [-1, 0, 1, 0.5, 12], stats.geom(p), shift=1)
for l in [-30.0, 0.5, 8.0]:
    p, q = sigmoid(l), sigmoid(-l)
    mp_row("geometric", {"logits": l}, [-1, 0, 1, 0.5, 12], lambda k: mp.log(p) + k * mp.log(q), (0, mp.inf), q / p, q / p**2)

# orderedLogistic
for loc, cuts in [(0.5, [-1.0, 0.25, 3.0]), (-2.0, [0.0]), (40.0, [-3.0, -2.999999, 5.0]), (-300.0, [-1.0, 1.0]),
                  (0.1, [-4 + 0.4 * i for i in range(20)])]:
    above = [mp.mpf(1)] + [sigmoid(mp.mpf(loc) - mp.mpf(c)) for c in cuts] + [mp.mpf(0)]
    mp.mp.dps = 300
    above = [mp.mpf(1)] + [sigmoid(mp.mpf(loc) - mp.mpf(c)) for c in cuts] + [mp.mpf(0)]
    ps = [a - b for a, b in zip(above, above[1:])]
    logs = [mp.log(p) for p in ps]
    mp.mp.dps = 50
    m = mp.fsum(k * p for k, p in enumerate(ps))
    v = mp.fsum((k - m) ** 2 * p for k, p in enumerate(ps))
    mp_row("orderedLogistic", {"location": loc, "cutpoints": cuts}, [-1, 0.5, *range(len(ps)), len(ps)], lambda k: logs[k], (0, len(cuts)), m, v)

# multinomial
for n, p in [(5, [0.2, 0.5, 0.3]), (1, [0.5, 0.5]), (30, [0.01, 0.0, 0.29, 0.7])]:
    d = stats.multinomial(n, p)
    draws = np.random.default_rng(1).multinomial(n, p, 3).astype(float)
    bad = draws[0].copy()
    bad[0] += 1
    half = draws[0].copy()
    half[0] += 0.5
    half[-1] -= 0.5
    minus = draws[0].copy()
    minus[0] = -1
    minus[-1] += draws[0][0] + 1
    inside = lambda v: np.all(v == np.floor(v)) and np.all(v >= 0)
    row("multinomial", {"total": n, "probs": p}, [*draws, bad, half, minus], lambda v: d.logpmf(v) if inside(v) else -np.inf,
        d.mean(), np.diag(d.cov()))
    if min(p) > 0:
        shifted = np.log(p) + 3.7
        row("multinomial", {"total": n, "logits": shifted}, [*draws, bad, half, minus], lambda v: d.logpmf(v) if inside(v) else -np.inf,
            d.mean(), np.diag(d.cov()))

# multivariateNormal
rng = np.random.default_rng(7)
for n in [1, 2, 5]:
    mean = rng.normal(size=n)
    root = np.tril(rng.normal(size=(n, n)))
    root[np.diag_indices(n)] = np.abs(root.diagonal()) + 0.3
    cov = root @ root.T
    d = stats.multivariate_normal(mean, cov)
    x = [mean, *rng.normal(size=(3, n)) * 2]
    for key, m in [("covariance", cov), ("cholesky", root), ("precision", np.linalg.inv(cov))]:
        row("multivariateNormal", {"mean": mean, key: m}, x, d.logpdf, mean, np.diag(cov))

own = np.random.default_rng(8)
# multivariateStudentT
for n, nu in [(1, 1.5), (2, 4.0), (4, 25.0)]:
    location = own.normal(size=n)
    root = np.tril(own.normal(size=(n, n)))
    root[np.diag_indices(n)] = np.abs(root.diagonal()) + 0.3
    scale = root @ root.T
    d = stats.multivariate_t(location, scale, nu)
    x = [location, *own.normal(size=(3, n)) * 5]
    variance = np.diag(scale) * nu / (nu - 2) if nu > 2 else np.full(n, np.inf)
    for key, m in [("scale", scale), ("cholesky", root)]:
        row("multivariateStudentT", {"nu": nu, "location": location, key: m}, x, d.logpdf, location, variance if nu > 2 else None)

# dirichletMultinomial
for n, a in [(5, [0.2, 1.5, 3.0]), (1, [1.0, 1.0]), (40, [12.0, 0.05, 7.0, 2.5])]:
    d = stats.dirichlet_multinomial(a, n)
    shares = own.dirichlet(a, 3)
    draws = [own.multinomial(n, p).astype(float) for p in shares]
    bad = draws[0].copy()
    bad[0] += 1
    half = draws[0].copy()
    half[0] += 0.5
    half[-1] -= 0.5
    row("dirichletMultinomial", {"total": n, "concentration": a}, [*draws, bad, half],
        lambda v: d.logpmf(v.astype(int)) if np.all(v == np.floor(v)) and v.sum() == n else -np.inf, d.mean(), d.var())

# discreteUniform
for low, high in [(1, 6), (0, 0), (-4, 11)]:
    scipy_row("discreteUniform", {"low": low, "high": high}, [low - 1, low, high, low + 0.5, high + 1], stats.randint(low, high + 1))

# dirichlet: scipy takes no zeros where the density is finite or infinite there
for a in [[1.0, 1.0, 1.0], [0.2, 5.0, 1.5, 30.0], [2.0, 2.0]]:
    d = stats.dirichlet(a)
    x = list(rng.dirichlet(a, 3))
    outside = x[0].copy()
    outside[0] += 0.01
    negative = x[0].copy()
    negative[-1] += negative[0] + 0.1
    negative[0] = -0.1
    row("dirichlet", {"concentration": a}, [*x, outside, negative],
        lambda v: d.logpdf(v / v.sum()) if np.all(v >= 0) and abs(v.sum() - 1) < 1e-9 else -np.inf, d.mean(), d.var())

# lkjCholesky
for n, eta in [(2, 1.0), (2, 3.5), (3, 0.5), (5, 2.0), (5, 1.0)]:
    torch.manual_seed(n)
    d = torch.distributions.LKJCholesky(n, eta)
    x = d.sample((3,)).numpy()
    x = [np.tril(v) for v in x]
    x = [v / np.sqrt((v**2).sum(1, keepdims=True)) for v in x]
    row("lkjCholesky", {"concentration": eta}, [*x, x[0] * 1.01, x[0] * np.where(np.arange(n) == n - 1, -1, 1)],
        lambda v: float(d.log_prob(torch.tensor(v))) if abs((v**2).sum() - n) < 1e-6 and v[-1, -1] > 0 else -np.inf)

# wishart and inverseWishart
for n, df in [(1, 0.5), (2, 3.5), (4, 9.0)]:
    root = np.tril(rng.normal(size=(n, n))) + np.eye(n) * 1.5
    scale = root @ root.T / n
    for name, d in [("wishart", stats.wishart(df + 1, scale)), ("inverseWishart", stats.invwishart(df + 5, scale))]:
        x = [np.atleast_2d(d.rvs(random_state=i)) for i in range(3)]
        outside = x[0] - 2 * np.trace(x[0]) * np.eye(n)
        used = df + (1 if name == "wishart" else 5)
        row(name, {"df": used, "scale": scale}, [*x, outside], lambda v: -np.inf if np.linalg.eigvalsh(v)[0] < 0 else d.logpdf(v),
            np.reshape(d.mean(), (n, n)), None if name == "inverseWishart" and used - n - 1 <= 2 else np.reshape(d.var(), (n, n)))

source = f"scipy, mpmath {mp.__version__} and torch, scripts/make-discrete-tables.py"
with open(os.path.join(HERE, "..", "test", "tables", "discrete.json"), "w") as f:
    f.write('{\n"source": ' + json.dumps(source) + ',\n"rows": [\n')
    f.write(",\n".join(json.dumps(r) for r in rows))
    f.write("\n]\n}\n")
