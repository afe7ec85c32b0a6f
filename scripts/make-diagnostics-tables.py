"""What ArviZ says of stored draws, and NumPy's generator of importance weights: the oracles of test/diagnostics.

    python3 scripts/make-diagnostics-tables.py      # writes test/tables/diagnostics.json and test/tables/psis.json

Needs arviz 0.23 and scipy.
"""

import json
import warnings
from pathlib import Path

import arviz as az
import numpy as np
from arviz.stats.diagnostics import _ess_mean, _rhat, _split_chains, _z_fold, _z_scale
from arviz.stats.stats import _gpdfit
from scipy import special, stats

warnings.filterwarnings("ignore")
tables = Path(__file__).parent.parent / "test" / "tables"


def ar(rng, chains, draws, rho, shift=0.0):
    x = np.empty((chains, draws))
    x[:, 0] = rng.normal(size=chains)
    for t in range(1, draws):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * rng.normal(size=chains)
    return x + shift * np.arange(chains)[:, None]


def cases():
    rng = np.random.default_rng(20210601)
    yield "independent normals", rng.normal(size=(4, 100))
    yield "an odd number of draws", rng.normal(size=(4, 101))
    yield "one chain", ar(rng, 1, 150, 0.4)
    yield "slow chains", ar(rng, 4, 200, 0.9)
    yield "very slow chains, beyond the direct lags", ar(rng, 2, 400, 0.99)
    yield "antithetic chains", ar(rng, 4, 100, -0.6)
    yield "chains at different places", ar(rng, 4, 100, 0.3, shift=0.7)
    yield "chains of different width", rng.normal(size=(4, 100)) * np.array([1, 1, 1, 3])[:, None]
    yield "a trend", ar(rng, 2, 120, 0.2) + np.linspace(0, 3, 120)
    yield "heavy tails", rng.standard_cauchy(size=(4, 100))
    yield "ties", rng.poisson(3, size=(4, 100)).astype(float)


def rank_normalised_rhat(x):
    """az.rhat, which refuses a single chain, of its own parts."""
    split = _split_chains(x)
    return max(_rhat(_z_scale(split)), _rhat(_z_scale(_z_fold(split))))


def diagnostics():
    rows = []
    for name, x in cases():
        x = np.round(x, 6)
        energy = x
        rows.append(
            {
                "name": name,
                "draws": x.tolist(),
                "rhat": rank_normalised_rhat(x),
                "essBulk": az.ess(x, method="bulk"),
                "essTail": az.ess(x, method="tail"),
                "essMean": az.ess(x, method="mean"),
                "essSd": _ess_mean((x - x.mean()) ** 2),
                "essQuantile": {str(p): az.ess(x, method="quantile", prob=p) for p in (0.1, 0.5)},
                "mcseMean": az.mcse(x, method="mean"),
                "mcseSd": az.mcse(x, method="sd"),
                "mcseQuantile": {str(p): az.mcse(x, method="quantile", prob=p) for p in (0.05, 0.5, 0.9)},
                "quantiles": {str(p): np.quantile(x, p) for p in (0.0, 0.05, 0.3, 0.5, 0.95, 1.0)},
                "hdi": az.hdi(x.ravel(), hdi_prob=0.8).tolist(),
                "bfmi": az.bfmi(energy).tolist(),
            }
        )
    return rows


def smoothing():
    """Small weights, whole: what psislw makes of them."""
    rng = np.random.default_rng(7)
    rows = []
    for name, log_weights, reff in [
        ("light tail", rng.normal(0, 0.5, 200), 1.0),
        ("heavy tail", rng.normal(0, 2.5, 200), 1.0),
        ("correlated draws have a longer tail", rng.normal(0, 1.0, 400), 0.3),
        ("some draws without mass", np.where(rng.uniform(size=200) < 0.2, -800.0, rng.normal(0, 1, 200)), 1.0),
    ]:
        log_weights = np.round(log_weights, 6)
        smoothed, khat = az.psislw(log_weights.copy(), reff=reff)
        rows.append(
            {
                "name": name,
                "logWeights": log_weights.tolist(),
                "relativeEfficiency": reff,
                "smoothed": np.asarray(smoothed).tolist(),
                "khat": float(khat),
            }
        )
    return rows


def gaussian_weights():
    """z ~ N(0, s^2 I) in three dimensions for the target N(0, I). The body of the weights does not enter k-hat."""
    rows = []
    for s in (0.5, 0.7, 0.9, 0.99):
        z = np.random.default_rng(42).normal(0, s, (50000, 3))
        log_weights = stats.norm.logpdf(z).sum(1) - stats.norm.logpdf(z, 0, s).sum(1)
        rows.append({"s": s, "draws": len(z), "greatest": np.sort(log_weights)[-672:].tolist()})
    return rows


def pareto():
    rows = []
    for k, sigma, n in [(0.7, 2.0, 300), (-0.3, 1.0, 50), (0.2, 0.1, 20), (1.4, 5.0, 1000)]:
        x = stats.genpareto.ppf((np.arange(n) + 0.5) / n, k, scale=sigma)
        fitted = _gpdfit(x)
        rows.append({"k": k, "sigma": sigma, "n": n, "fittedK": float(fitted[0]), "fittedSigma": float(fitted[1])})
    return rows


def predictive():
    rng = np.random.default_rng(3)
    y = np.round(rng.normal(0, 1, 12), 4)
    y[5] = 4.5
    n = len(y)
    mu = y.mean() + rng.normal(size=(2, 150)) / np.sqrt(n)
    log_likelihood = np.round(stats.norm.logpdf(y, mu[..., None], 1.0), 6)
    data = az.from_dict(posterior={"mu": mu}, log_likelihood={"y": log_likelihood})
    loo = az.loo(data, pointwise=True, reff=0.8)
    waic = az.waic(data, pointwise=True)
    return {
        "logLikelihood": log_likelihood.reshape(-1, n).tolist(),
        "relativeEfficiency": 0.8,
        "loo": {
            "elpd": loo.elpd_loo,
            "se": loo.se,
            "p": loo.p_loo,
            "pointwise": loo.loo_i.values.tolist(),
            "khat": loo.pareto_k.values.tolist(),
        },
        "waic": {"elpd": waic.elpd_waic, "se": waic.se, "p": waic.p_waic, "pointwise": waic.waic_i.values.tolist()},
    }


def functions():
    p = [1e-300, 1e-20, 1e-9, 1e-4, 0.01, 0.0749, 0.0751, 0.3, 0.5, 0.7, 0.93, 0.999, 1 - 1e-12]
    beta = [(0.1586553, 1.5, 3.2), (0.8413447, 51.0, 951.0), (0.5, 0.4, 0.7), (0.01, 3000.0, 1000.0), (0.9, 1.0, 20.0)]
    return {
        "normalQuantile": [[v, special.ndtri(v)] for v in p],
        "betaQuantile": [[*v, stats.beta.ppf(*v)] for v in beta],
    }


def write(name, content):
    text = json.dumps(content, indent=None, separators=(",", ":"), default=float)
    (tables / name).write_text(text + "\n")


write(
    "diagnostics.json",
    {
        "source": f"ArviZ {az.__version__} and SciPy, by scripts/make-diagnostics-tables.py",
        "cases": diagnostics(),
        "predictive": predictive(),
        "functions": functions(),
    },
)
write(
    "psis.json",
    {
        "source": f"ArviZ {az.__version__} and NumPy's default_rng(42), by scripts/make-diagnostics-tables.py",
        "smoothing": smoothing(),
        "gaussian": gaussian_weights(),
        "pareto": pareto(),
    },
)
