"""Log densities of distributions of numbers, with their gradients, distribution functions and moments, by mpmath: the oracle of
test/distributions.

    python3 scripts/make-distribution-tables.py        # needs: pip install mpmath scipy

writes test/tables/distributions.json: {NAME: [{"params": {...}, "x": [...], "logProb": [...], "gradient": {"x": [...], PARAM: [...]},
"logCdf": [...] or null, "logSurvival": ..., "mean": number or null, "variance": ...}]}. Densities are written as in textbooks and
evaluated with 60 digits, so that nothing cancels; at the first case of each they are compared with scipy.stats.
"""

import json
from pathlib import Path

import mpmath as mp
from scipy import stats

mp.mp.dps = 60
HALF = mp.mpf(1) / 2
inf = mp.inf


def ncdf(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2


def student(z, nu):
    return mp.loggamma((nu + 1) / 2) - mp.loggamma(nu / 2) - mp.log(nu * mp.pi) / 2 - (nu + 1) / 2 * mp.log1p(z * z / nu)


def student_tail(z, nu):
    """P(T > z), z >= 0"""
    return mp.betainc(nu / 2, HALF, 0, nu / (nu + z * z), regularized=True) / 2


def gamma_cdf(x, a):
    return mp.gammainc(a, 0, x, regularized=True)


def gamma_sf(x, a):
    return mp.gammainc(a, x, inf, regularized=True)


def normal_pdf(x, m, s):
    return -(((x - m) / s) ** 2) / 2 - mp.log(s) - mp.log(2 * mp.pi) / 2


# NAME: (density, distribution function, survival function, mean, variance, [(params, x)], scipy)
T = {}

T["normal"] = dict(
    f=lambda x, mean, sd: normal_pdf(x, mean, sd),
    cdf=lambda x, mean, sd: ncdf((x - mean) / sd),
    sf=lambda x, mean, sd: ncdf((mean - x) / sd),
    mean=lambda mean, sd: mean,
    var=lambda mean, sd: sd**2,
    cases=[
        ({"mean": 0, "sd": 1}, [-40, -8, -2.5, -1e-3, 0, 0.7, 3, 9, 38]),
        ({"mean": -3.5, "sd": 0.25}, [-7, -3.6, -3.5, -3, 1]),
        ({"mean": 1e5, "sd": 30}, [99900, 1e5, 100050]),
    ],
    scipy=lambda mean, sd: stats.norm(mean, sd),
)
T["logNormal"] = dict(
    f=lambda x, location, scale: normal_pdf(mp.log(x), location, scale) - mp.log(x),
    cdf=lambda x, location, scale: ncdf((mp.log(x) - location) / scale),
    sf=lambda x, location, scale: ncdf((location - mp.log(x)) / scale),
    mean=lambda location, scale: mp.exp(location + scale**2 / 2),
    var=lambda location, scale: mp.expm1(scale**2) * mp.exp(2 * location + scale**2),
    cases=[
        ({"location": 0, "scale": 1}, [1e-12, 0.03, 0.5, 1, 2.5, 40, 1e9]),
        ({"location": 2, "scale": 0.3}, [1, 7, 8, 20]),
    ],
    scipy=lambda location, scale: stats.lognorm(scale, scale=float(mp.exp(location))),
)
T["studentT"] = dict(
    f=lambda x, nu, location, scale: student((x - location) / scale, nu) - mp.log(scale),
    cdf=lambda x, nu, location, scale: student_tail((location - x) / scale, nu)
    if x < location
    else 1 - student_tail((x - location) / scale, nu),
    sf=lambda x, nu, location, scale: student_tail((x - location) / scale, nu)
    if x > location
    else 1 - student_tail((location - x) / scale, nu),
    mean=lambda nu, location, scale: location if nu > 1 else None,
    var=lambda nu, location, scale: nu / (nu - 2) * scale**2 if nu > 2 else None,
    cases=[
        ({"nu": 3, "location": 0, "scale": 1}, [-1e6, -30, -2, -0.1, 0.3, 1, 8, 1e4]),
        ({"nu": 0.7, "location": 1, "scale": 2}, [-1e3, -1, 0.5, 4, 1e5]),
        ({"nu": 12.5, "location": -2, "scale": 0.1}, [-4, -2.1, -2.02, -1.7]),
        ({"nu": 1e3, "location": 0, "scale": 1}, [-9, -1, 0.5, 3]),
        ({"nu": 1e8, "location": 0, "scale": 1}, [-9, -1, 0.5, 3]),
    ],
    scipy=lambda nu, location, scale: stats.t(nu, location, scale),
)
T["cauchy"] = dict(
    f=lambda x, location, scale: -mp.log(mp.pi * scale) - mp.log1p(((x - location) / scale) ** 2),
    cdf=lambda x, location, scale: mp.atan2(scale, location - x) / mp.pi,
    sf=lambda x, location, scale: mp.atan2(scale, x - location) / mp.pi,
    cases=[
        ({"location": 0, "scale": 1}, [-1e12, -50, -1, -0.01, 0.2, 3, 1e8]),
        ({"location": 5, "scale": 0.4}, [-20, 4.9, 5.3, 90]),
    ],
    scipy=lambda location, scale: stats.cauchy(location, scale),
)
T["halfNormal"] = dict(
    f=lambda x, sd: mp.log(2) + normal_pdf(x, 0, sd),
    cdf=lambda x, sd: mp.erf(x / sd / mp.sqrt(2)),
    sf=lambda x, sd: 2 * ncdf(-x / sd),
    mean=lambda sd: sd * mp.sqrt(2 / mp.pi),
    var=lambda sd: sd**2 * (1 - 2 / mp.pi),
    cases=[({"sd": 1}, [1e-9, 0.1, 1, 4, 30]), ({"sd": 2.5}, [0.2, 3, 11])],
    scipy=lambda sd: stats.halfnorm(0, sd),
)
T["halfCauchy"] = dict(
    f=lambda x, scale: mp.log(2 / mp.pi) - mp.log(scale) - mp.log1p((x / scale) ** 2),
    cdf=lambda x, scale: mp.atan2(x, scale) * 2 / mp.pi,
    sf=lambda x, scale: mp.atan2(scale, x) * 2 / mp.pi,
    cases=[({"scale": 1}, [1e-8, 0.3, 1, 20, 1e10]), ({"scale": 5}, [0.1, 4, 300])],
    scipy=lambda scale: stats.halfcauchy(0, scale),
)
T["halfStudentT"] = dict(
    f=lambda x, nu, scale: mp.log(2) + student(x / scale, nu) - mp.log(scale),
    cdf=lambda x, nu, scale: mp.betainc(HALF, nu / 2, 0, (x / scale) ** 2 / (nu + (x / scale) ** 2), regularized=True),
    sf=lambda x, nu, scale: 2 * student_tail(x / scale, nu),
    mean=lambda nu, scale: 2 * scale * mp.sqrt(nu / mp.pi) * mp.gamma((nu + 1) / 2) / mp.gamma(nu / 2) / (nu - 1),
    var=lambda nu, scale: nu / (nu - 2) * scale**2
    - (2 * scale * mp.sqrt(nu / mp.pi) * mp.gamma((nu + 1) / 2) / mp.gamma(nu / 2) / (nu - 1)) ** 2,
    cases=[({"nu": 4, "scale": 1}, [0.02, 0.5, 2, 30]), ({"nu": 3, "scale": 2.5}, [0.1, 3, 1e3])],
    scipy=None,
)
T["laplace"] = dict(
    f=lambda x, location, scale: -abs(x - location) / scale - mp.log(2 * scale),
    cdf=lambda x, location, scale: mp.exp((x - location) / scale) / 2
    if x < location
    else 1 - mp.exp((location - x) / scale) / 2,
    sf=lambda x, location, scale: mp.exp((location - x) / scale) / 2
    if x > location
    else 1 - mp.exp((x - location) / scale) / 2,
    mean=lambda location, scale: location,
    var=lambda location, scale: 2 * scale**2,
    cases=[({"location": 0, "scale": 1}, [-600, -3, -0.1, 0.2, 5, 60]), ({"location": -1, "scale": 3}, [-9, -1.5, 0, 14])],
    scipy=lambda location, scale: stats.laplace(location, scale),
)
T["logistic"] = dict(
    f=lambda x, location, scale: -(x - location) / scale - 2 * mp.log1p(mp.exp(-(x - location) / scale)) - mp.log(scale),
    cdf=lambda x, location, scale: 1 / (1 + mp.exp(-(x - location) / scale)),
    sf=lambda x, location, scale: 1 / (1 + mp.exp((x - location) / scale)),
    mean=lambda location, scale: location,
    var=lambda location, scale: (mp.pi * scale) ** 2 / 3,
    cases=[({"location": 0, "scale": 1}, [-600, -3, -0.1, 0, 0.2, 5, 60]), ({"location": 2, "scale": 0.3}, [-9, 1.5, 2.1, 14])],
    scipy=lambda location, scale: stats.logistic(location, scale),
)
T["gamma"] = dict(
    f=lambda x, shape, rate: shape * mp.log(rate) - mp.loggamma(shape) + (shape - 1) * mp.log(x) - rate * x,
    cdf=lambda x, shape, rate: gamma_cdf(rate * x, shape),
    sf=lambda x, shape, rate: gamma_sf(rate * x, shape),
    mean=lambda shape, rate: shape / rate,
    var=lambda shape, rate: shape / rate**2,
    cases=[
        ({"shape": 2.5, "rate": 1}, [1e-8, 0.1, 1, 2.4, 2.6, 9, 200]),
        ({"shape": 0.3, "rate": 2}, [1e-12, 0.01, 0.1, 0.4, 1, 30]),
        ({"shape": 1, "rate": 0.1}, [1e-3, 5, 90]),
        ({"shape": 40, "rate": 3}, [2, 12, 13.4, 40]),
        ({"shape": 1e5, "rate": 10}, [9800, 10000, 10090]),
    ],
    scipy=lambda shape, rate: stats.gamma(shape, scale=1 / rate),
)
T["inverseGamma"] = dict(
    f=lambda x, shape, scale: shape * mp.log(scale) - mp.loggamma(shape) - (shape + 1) * mp.log(x) - scale / x,
    cdf=lambda x, shape, scale: gamma_sf(scale / x, shape),
    sf=lambda x, shape, scale: gamma_cdf(scale / x, shape),
    mean=lambda shape, scale: scale / (shape - 1) if shape > 1 else None,
    var=lambda shape, scale: scale**2 / (shape - 1) ** 2 / (shape - 2) if shape > 2 else None,
    cases=[
        ({"shape": 3, "scale": 2}, [0.01, 0.3, 1, 5, 1e4]),
        ({"shape": 0.5, "scale": 0.01}, [1e-4, 0.02, 3]),
        ({"shape": 2e4, "scale": 1e4}, [0.49, 0.5, 0.51]),
    ],
    scipy=lambda shape, scale: stats.invgamma(shape, scale=scale),
)
T["chiSquared"] = dict(
    f=lambda x, nu: (nu / 2 - 1) * mp.log(x) - x / 2 - nu / 2 * mp.log(2) - mp.loggamma(nu / 2),
    cdf=lambda x, nu: gamma_cdf(x / 2, nu / 2),
    sf=lambda x, nu: gamma_sf(x / 2, nu / 2),
    mean=lambda nu: nu,
    var=lambda nu: 2 * nu,
    cases=[({"nu": 3}, [0.01, 1, 3.5, 30]), ({"nu": 1}, [1e-4, 0.5, 8]), ({"nu": 50}, [20, 49, 80])],
    scipy=lambda nu: stats.chi2(nu),
)
T["exponential"] = dict(
    f=lambda x, rate: mp.log(rate) - rate * x,
    cdf=lambda x, rate: -mp.expm1(-rate * x),
    sf=lambda x, rate: mp.exp(-rate * x),
    mean=lambda rate: 1 / rate,
    var=lambda rate: 1 / rate**2,
    cases=[({"rate": 1}, [1e-15, 0.2, 1, 700]), ({"rate": 7}, [0.01, 0.5, 3])],
    scipy=lambda rate: stats.expon(scale=1 / rate),
)
T["weibull"] = dict(
    f=lambda x, shape, scale: mp.log(shape) - mp.log(scale) + (shape - 1) * mp.log(x / scale) - (x / scale) ** shape,
    cdf=lambda x, shape, scale: -mp.expm1(-((x / scale) ** shape)),
    sf=lambda x, shape, scale: mp.exp(-((x / scale) ** shape)),
    mean=lambda shape, scale: scale * mp.gamma(1 + 1 / shape),
    var=lambda shape, scale: scale**2 * (mp.gamma(1 + 2 / shape) - mp.gamma(1 + 1 / shape) ** 2),
    cases=[({"shape": 1.5, "scale": 2}, [1e-6, 0.4, 2, 15]), ({"shape": 0.6, "scale": 1}, [1e-5, 0.3, 40]), ({"shape": 8, "scale": 5}, [2, 5, 6.5])],
    scipy=lambda shape, scale: stats.weibull_min(shape, scale=scale),
)
T["pareto"] = dict(
    f=lambda x, shape, scale: mp.log(shape) - mp.log(scale) - (shape + 1) * mp.log(x / scale),
    cdf=lambda x, shape, scale: 1 - (scale / x) ** shape,
    sf=lambda x, shape, scale: (scale / x) ** shape,
    mean=lambda shape, scale: shape * scale / (shape - 1),
    var=lambda shape, scale: shape * scale**2 / (shape - 1) ** 2 / (shape - 2),
    cases=[({"shape": 2.5, "scale": 1}, [1.001, 2, 90]), ({"shape": 4, "scale": 3}, [3.5, 5, 1e6])],
    scipy=lambda shape, scale: stats.pareto(shape, scale=scale),
)
T["beta"] = dict(
    f=lambda x, a, b: (a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(a + b),
    mean=lambda a, b: a / (a + b),
    var=lambda a, b: a * b / (a + b) ** 2 / (a + b + 1),
    cases=[
        ({"a": 2, "b": 3}, [1e-9, 0.1, 0.4, 0.9, 0.999]),
        ({"a": 0.4, "b": 0.7}, [1e-6, 0.2, 0.8, 0.99]),
        ({"a": 30, "b": 4}, [0.3, 0.88, 0.97]),
        ({"a": 3e6, "b": 1e6}, [0.749, 0.75, 0.7505]),
        ({"a": 0.5, "b": 2e5}, [1e-7, 2e-6, 3e-5]),
    ],
    scipy=lambda a, b: stats.beta(a, b),
)
T["uniform"] = dict(
    f=lambda x, low, high: -mp.log(high - low),
    cdf=lambda x, low, high: (x - low) / (high - low),
    sf=lambda x, low, high: (high - x) / (high - low),
    mean=lambda low, high: (low + high) / 2,
    var=lambda low, high: (high - low) ** 2 / 12,
    cases=[({"low": 0, "high": 1}, [0.01, 0.5, 0.9]), ({"low": -3, "high": 12}, [-2.5, 0, 11])],
    scipy=lambda low, high: stats.uniform(low, high - low),
)
T["vonMises"] = dict(
    f=lambda x, location, concentration: concentration * mp.cos(x - location) - mp.log(2 * mp.pi * mp.besseli(0, concentration)),
    mean=lambda location, concentration: location,
    cases=[
        ({"location": 0, "concentration": 1}, [-3, -1, 0.2, 2]),
        ({"location": 0, "concentration": 0.01}, [-3, 1, 2]),
        ({"location": -0.5, "concentration": 9.9}, [-2, -0.4, 1]),
        ({"location": -0.5, "concentration": 10.1}, [-2, -0.4, 1]),
        ({"location": 0.3, "concentration": 400}, [0.1, 0.3, 0.5]),
        ({"location": 0, "concentration": 20000}, [-0.02, 0.001, 0.01]),
    ],
    scipy=lambda location, concentration: stats.vonmises(concentration, location),
)
T["truncatedNormal"] = dict(
    f=lambda x, mean, sd, low, high: normal_pdf(x, mean, sd) - mp.log(ncdf((high - mean) / sd) - ncdf((low - mean) / sd)),
    cases=[
        ({"mean": 0.5, "sd": 2, "low": -1, "high": 4}, [-0.9, 0, 3.9]),
        ({"mean": 0, "sd": 1, "low": 8, "high": 9}, [8.01, 8.2, 8.7]),
        ({"mean": 0, "sd": 1, "low": -12, "high": -9}, [-11, -9.5, -9.01]),
    ],
    scipy=lambda mean, sd, low, high: stats.truncnorm((low - mean) / sd, (high - mean) / sd, mean, sd),
)
T["truncatedBelowGamma"] = dict(
    f=lambda x, shape, rate, low: T["gamma"]["f"](x, shape, rate) - mp.log(gamma_sf(rate * low, shape)),
    cases=[({"shape": 2, "rate": 1, "low": 3}, [3.01, 4, 20]), ({"shape": 0.5, "rate": 3, "low": 0.1}, [0.11, 0.5, 4])],
    scipy=None,
)
T["normalMixture"] = dict(
    f=lambda x, weight, mean, gap: mp.log(
        weight * mp.exp(normal_pdf(x, mean, 1)) + (1 - weight) * mp.exp(normal_pdf(x, mean + gap, mp.mpf(1) / 2))
    ),
    cdf=lambda x, weight, mean, gap: weight * ncdf(x - mean) + (1 - weight) * ncdf(2 * (x - mean - gap)),
    sf=lambda x, weight, mean, gap: weight * ncdf(mean - x) + (1 - weight) * ncdf(2 * (mean + gap - x)),
    mean=lambda weight, mean, gap: mean + (1 - weight) * gap,
    var=lambda weight, mean, gap: weight + (1 - weight) / 4 + weight * (1 - weight) * gap**2,
    cases=[({"weight": 0.3, "mean": -1, "gap": 3}, [-30, -1, 0.5, 2, 40])],
    scipy=None,
)
T["logitNormal"] = dict(
    f=lambda x, mean, sd: normal_pdf(mp.log(x) - mp.log1p(-x), mean, sd) - mp.log(x) - mp.log1p(-x),
    cdf=lambda x, mean, sd: ncdf((mp.log(x) - mp.log1p(-x) - mean) / sd),
    sf=lambda x, mean, sd: ncdf((mean - mp.log(x) + mp.log1p(-x)) / sd),
    cases=[({"mean": 0.4, "sd": 1.5}, [1e-6, 0.2, 0.7, 0.999])],
    scipy=None,
)


def number(v):
    return None if v is None else float(v)


def log_of(function, other, x, params):
    """log of a probability; next to 1 by its complement"""
    value = function(x, **params)
    if value > HALF:
        return float(mp.log1p(-other(x, **params)))
    return float(mp.log(value)) if value > 0 else None


def main():
    table = {}
    for name, row in T.items():
        out = []
        for i, (given, xs) in enumerate(row["cases"]):
            params = {k: mp.mpf(v) for k, v in given.items()}
            points = [mp.mpf(x) for x in xs]
            case = {"params": given, "x": xs, "logProb": [float(row["f"](x, **params)) for x in points]}
            gradient = {"x": [float(mp.diff(lambda t: row["f"](t, **params), x)) for x in points]}
            for p in params:
                gradient[p] = [
                    float(mp.diff(lambda t: row["f"](x, **{**params, p: t}), params[p])) for x in points
                ]
            case["gradient"] = gradient
            for key, function, other in (("logCdf", "cdf", "sf"), ("logSurvival", "sf", "cdf")):
                case[key] = [log_of(row[function], row[other], x, params) for x in points] if "cdf" in row else None
            for key, function in (("mean", "mean"), ("variance", "var")):
                case[key] = number(row[function](**params)) if function in row else None
            if i == 0 and row["scipy"]:
                theirs = row["scipy"](**given)
                for x, ours in zip(xs, case["logProb"]):
                    assert abs(theirs.logpdf(x) - ours) <= 1e-8 * max(1, abs(ours)), (name, x, theirs.logpdf(x), ours)
                if case["variance"] is not None:
                    assert abs(theirs.mean() - case["mean"]) < 1e-8 * max(1, abs(case["mean"])), name
                    assert abs(theirs.var() - case["variance"]) < 1e-8 * max(1, case["variance"]), name
            out.append(case)
        table[name] = out

    mp.mp.dps = 40
    slopes = []
    for a in (1, 1.3, 2.5, 8, 60, 900, 1e5):
        for z in (-4, -1, -0.01, 0.02, 1.5, 5):
            x = a + z * a**0.5 if a + z * a**0.5 > 0 else a * 10.0**z
            upper = x > a
            derivative = mp.diff(lambda t: gamma_sf(x, t) if upper else gamma_cdf(x, t), a, h=mp.mpf(10) ** -12)
            density = mp.exp(T["gamma"]["f"](mp.mpf(x), mp.mpf(a), mp.mpf(1)))
            slopes.append([a, x, float((derivative if upper else -derivative) / density / x)])
    table["gammaDrawSlope"] = slopes

    slopes = []
    for k in (0.01, 0.5, 3, 30, 500):
        for share in (0.05, 0.3, 0.7, 1, 2, 4, 6):
            x = share / (1 + k) ** 0.5
            if x > 3.1:
                continue
            k_ = mp.mpf(k)
            A = mp.besseli(1, k_) / mp.besseli(0, k_)
            integral = mp.quad(lambda t: (mp.cos(t) - A) * mp.exp(k_ * (mp.cos(t) - mp.cos(x))), [0, x / 2, x])
            slopes.append([k, x, float(-integral)])
    table["vonMisesDrawSlope"] = slopes

    path = Path(__file__).parent.parent / "test/tables/distributions.json"
    lines = [f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case) for case in rows) + "\n]" for name, rows in table.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
