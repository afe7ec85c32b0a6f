"""Fits the coefficients of src/backends/wasm/math with mpmath, and prints them with the error that remains.

    python3 scripts/fit-math.py            all sets
    python3 scripts/fit-math.py exp-f32    the sets whose names start so

Polynomials: minimax by the Remez exchange in a weighted norm; on intervals from 0 one coefficient after the other is
rounded to the target dtype and the rest refitted (so that the high orders absorb the rounding of the low ones).
Rationals: interpolation at Chebyshev nodes, denominator 1 + q1 u + ..., which is within a small factor of minimax.
The printed error is max |weight · (fit − target)| of the rounded coefficients, evaluated at 60 digits.
"""

import struct
import sys

from mpmath import (atanh, cos, cot, erf, erfc, erfinv, exp, expm1, linspace, log, log1p, loggamma, lu_solve, matrix,
                    mp,
                    mpf, pi, psi, sin, sqrt, tanh)

mp.dps = 60


def to_f32(x):
    return mpf(struct.unpack("<f", struct.pack("<f", float(x)))[0])


def to_f64(x):
    return mpf(float(x))


ROUND = {"f32": to_f32, "f64": to_f64}


def evaluate(coefficients, u):
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * u + c
    return total


def chebyshev(a, b, n):
    return [(a + b) / 2 - (b - a) / 2 * cos(pi * (2 * k + 1) / (2 * n)) for k in range(n)]


def remez(points, target, weight, degrees):
    """The coefficients of u^d, d in degrees, that minimise max |weight · (Σ c_d u^d − target)| over the grid points."""
    n = len(degrees)
    nodes = [round((len(points) - 1) * (1 - float(cos(pi * k / n))) / 2) for k in range(n + 1)]
    best = None
    for _ in range(30):
        a = matrix(n + 1, n + 1)
        b = matrix(n + 1, 1)
        for i, k in enumerate(nodes):
            for j, d in enumerate(degrees):
                a[i, j] = points[k] ** d
            a[i, n] = (-1) ** i / weight[k]
            b[i] = target[k]
        x = lu_solve(a, b)
        c = [x[j] for j in range(n)]
        level = abs(x[n])
        dense = [mpf(0)] * (max(degrees) + 1)
        for d, value in zip(degrees, c):
            dense[d] = value
        error = [w * (evaluate(dense, u) - t) for u, t, w in zip(points, target, weight)]
        worst = max(abs(e) for e in error)
        if best is None or worst < best[0]:
            best = (worst, c)
        if worst <= level * mpf("1.01"):
            break
        # one extremum in each run of equal sign, then drop the smallest end until n + 1 remain
        runs = []
        for k, e in enumerate(error):
            if runs and (e > 0) == (error[runs[-1]] > 0):
                if abs(e) > abs(error[runs[-1]]):
                    runs[-1] = k
            else:
                runs.append(k)
        while len(runs) > n + 1:
            if abs(error[runs[0]]) < abs(error[runs[-1]]):
                runs.pop(0)
            else:
                runs.pop()
        if len(runs) < n + 1:
            break
        nodes = runs
    return best[1]


def polynomial(f, a, b, degree, weight, dtype, points=400):
    a, b = mpf(a), mpf(b)
    us = [(a + b) / 2 - (b - a) / 2 * cos(pi * k / (points - 1)) for k in range(points)]
    # no node at a removable singularity
    us = [u if u != 0 else (b - a) / 10**12 for u in us]
    target = [f(u) for u in us]
    w = [abs(weight(u)) for u in us]
    w = [max(v, max(w) / 10**9) for v in w]
    rest = list(target)
    coefficients = []
    straddles = a < 0 < b  # there u^d … u^n without the low orders is no Chebyshev system: round all at once
    if straddles:
        coefficients = [ROUND[dtype](c) for c in remez(us, target, w, list(range(degree + 1)))]
    for d in range(0 if not straddles else degree + 1, degree + 1):
        c = ROUND[dtype](remez(us, rest, w, list(range(d, degree + 1)))[0])
        coefficients.append(c)
        rest = [t - c * u**d for t, u in zip(rest, us)]
    error = max(abs(v * (evaluate(coefficients, u) - t)) for u, t, v in zip(us, target, w))
    return {"": coefficients}, error


def rational(f, a, b, p, q, weight, dtype, points=400):
    a, b = mpf(a), mpf(b)
    n = p + q + 1
    m = matrix(n, n)
    rhs = matrix(n, 1)
    for i, u in enumerate(chebyshev(a, b, n)):
        value = f(u)
        for j in range(p + 1):
            m[i, j] = u**j
        for j in range(1, q + 1):
            m[i, p + j] = -value * u**j
        rhs[i] = value
    x = lu_solve(m, rhs)
    above = [ROUND[dtype](x[j]) for j in range(p + 1)]
    below = [mpf(1)] + [ROUND[dtype](x[p + j]) for j in range(1, q + 1)]
    us = [u for u in linspace(a, b, points)]
    us = [u if u != 0 else (b - a) / 10**12 for u in us]
    assert all(evaluate(below, u) > 0 for u in us), "pole"
    error = max(abs(weight(u) * (evaluate(above, u) / evaluate(below, u) - f(u))) for u in us)
    return {".p": above, ".q": below}, error


def one(_):
    return mpf(1)


LN2 = log(mpf(2))
SQRT2 = sqrt(mpf(2))


def exp_tail(r):  # e^r = 1 + r + r² q(r)
    return (expm1(r) - r) / r**2


def log_tail(z):  # log(1+f) = f − f²/2 + s (f²/2 + z P(z)), s = f / (2 + f), z = s²
    s = sqrt(z)
    return (2 * atanh(s) - 2 * s) / (s * z)


def log_tail_weight(z):  # s z P relative to log(1+f) = 2 atanh s
    return z * sqrt(z) / (2 * atanh(sqrt(z)))


def log_tail_rest(z):  # P(z) = 2/3 + z Q(z)
    return (log_tail(z) - mpf(2) / 3) / z


def sin_tail(z):
    r = sqrt(z)
    return (sin(r) - r) / (r * z)


def cos_tail(z):
    return (cos(sqrt(z)) - 1 + z / 2) / z**2


def tanh_tail(z):
    x = sqrt(z)
    return (tanh(x) - x) / (x * z)


def erf_core(z):
    return erf(sqrt(z)) / sqrt(z)


def log_erfc(x):
    return log(erfc(x))


# The rationals are fitted to what a constant leaves, so that their rounding errors count less.


def less(constant, f):
    return lambda u: f(u) - constant


def erfinv_core(u):  # erfinv(x) = x (1 + R(u)), u = 9/16 − x²: all coefficients of one sign, so nothing cancels
    x = sqrt(mpf(9) / 16 - u)
    return erfinv(x) / x if x > mpf(10) ** -20 else sqrt(pi) / 2


TAIL = mpf(37) / 32
FAR = mpf(11) / 4


def erfinv_tail(start):  # erfinv(x) = w (constant + R(w − start)), w = sqrt(−log(1 − x))
    return lambda u: erfinv(-expm1(-((u + start) ** 2))) / (u + start)


def lgamma_base(u):  # lgamma(1 + t) = t (t − 1) (1/2 + R(u)), u = t + 1/2
    t = u - mpf(1) / 2
    if abs(t) < mpf(10) ** -15:
        t = mpf(10) ** -15
    if abs(t - 1) < mpf(10) ** -15:
        t = 1 + mpf(10) ** -15
    return loggamma(1 + t) / (t * (t - 1))


def stirling(z):  # lgamma(x) = (x − 1/2) log x − x + log(2π)/2 + S(1/x²) / x
    x = 1 / sqrt(z)
    return x * (loggamma(x) - (x - mpf(1) / 2) * log(x) + x - log(2 * pi) / 2)


PSI_ROOT = None


def psi_root():
    global PSI_ROOT
    if PSI_ROOT is None:
        from mpmath import findroot

        PSI_ROOT = findroot(lambda x: psi(0, x), mpf("1.4616321449683623")) - 1
    return PSI_ROOT


def digamma_base(t):  # ψ(1 + t) = (t − t0) (7/8 + R(t))
    d = t - psi_root()
    return psi(1, 1 + t) if abs(d) < mpf(10) ** -25 else psi(0, 1 + t) / d


def digamma_tail(z):  # ψ(x) = log x − 1/(2x) − z P(z), z = 1/x²
    x = 1 / sqrt(z)
    return (log(x) - 1 / (2 * x) - psi(0, x)) / z


def cot_tail(z):  # π cot(π d) = 1/d − 2d/(1 − d²) − d C(d²)
    d = sqrt(z)
    return (1 / d - pi * cot(pi * d)) / d - 2 / (1 - z)


def sinpi_core(z):
    return sin(pi * sqrt(z)) / sqrt(z)


QUARTER_PI2 = (pi / 4) ** 2 * mpf("1.0001")
LOG_Z = ((SQRT2 - 1) / (SQRT2 + 1)) ** 2

SETS = {
    "exp-f32": lambda: polynomial(exp_tail, -LN2 / 2, LN2 / 2, 4, lambda r: r * r / exp(r), "f32"),
    "expm1-f32": lambda: polynomial(exp_tail, -LN2 / 2, LN2 / 2, 5, lambda r: r * r / expm1(r), "f32"),
    "exp-f64": lambda: polynomial(exp_tail, -LN2 / 2, LN2 / 2, 9, lambda r: r * r / expm1(r), "f64"),
    "exp-narrow": lambda: polynomial(exp_tail, -LN2 / 2, LN2 / 2, 5, lambda r: r * r / exp(r), "f64"),
    "log-f32": lambda: polynomial(log_tail, 0, LOG_Z, 2, log_tail_weight, "f32"),
    "log-f64": lambda: polynomial(log_tail, 0, LOG_Z, 6, log_tail_weight, "f64"),
    "log-narrow": lambda: polynomial(log_tail, 0, LOG_Z, 3, log_tail_weight, "f64"),
    "log-double": lambda: polynomial(log_tail_rest, 0, LOG_Z, 7, lambda z: z * log_tail_weight(z), "f64"),
    "softplus-f32": lambda: polynomial(log_tail, 0, mpf(1) / 9, 4, log_tail_weight, "f32"),
    "softplus-f64": lambda: polynomial(log_tail, 0, mpf(1) / 9, 11, log_tail_weight, "f64"),
    "tanh-f32": lambda: polynomial(tanh_tail, 0, mpf("0.55") ** 2, 4, lambda z: z, "f32"),
    "tanh-f64": lambda: polynomial(tanh_tail, 0, mpf("0.55") ** 2, 10, lambda z: z, "f64"),
    "sin-f64": lambda: polynomial(sin_tail, 0, QUARTER_PI2, 5, lambda z: z, "f64"),
    "cos-f64": lambda: polynomial(cos_tail, 0, QUARTER_PI2, 5, lambda z: z * z, "f64"),
    "sin-narrow": lambda: polynomial(sin_tail, 0, QUARTER_PI2, 2, lambda z: z, "f64"),
    "cos-narrow": lambda: polynomial(cos_tail, 0, QUARTER_PI2, 2, lambda z: z * z, "f64"),
    "erf-f32": lambda: polynomial(lambda z: erf_core(z) - 1, 0, mpf("0.95") ** 2, 6, one, "f32"),
    "erf-f64": lambda: polynomial(lambda z: erf_core(z) - 1, 0, 1, 12, one, "f64"),
    "erfc-f32": lambda: polynomial(log_erfc, mpf("0.95"), 4, 6, erfc, "f32"),
    "erfc-f64": lambda: polynomial(log_erfc, 1, 6, 18, erfc, "f64"),
    "erfinv-f64": lambda: rational(less(1, erfinv_core), 0, mpf("0.5625"), 7, 7, one, "f64"),
    "erfinv-narrow": lambda: rational(less(1, erfinv_core), 0, mpf("0.5625"), 4, 3, one, "f64"),
    "erfinv-tail-f64": lambda: rational(less(0.8125, erfinv_tail(TAIL)), 0, FAR - TAIL, 8, 7, one, "f64"),
    "erfinv-far-f64": lambda: rational(less(0.9375, erfinv_tail(FAR)), 0, mpf("6.07") - FAR, 7, 7, one, "f64"),
    "erfinv-tail-narrow": lambda: rational(less(0.8125, erfinv_tail(TAIL)), 0, mpf("4.08") - TAIL, 5, 4, one, "f64"),
    "lgamma-f64": lambda: rational(less(0.5, lgamma_base), 0, 2, 10, 10, lambda u: 1 / lgamma_base(u), "f64"),
    "lgamma-narrow": lambda: rational(less(0.5, lgamma_base), 0, 2, 5, 5, lambda u: 1 / lgamma_base(u), "f64"),
    "stirling-f64": lambda: polynomial(stirling, 0, mpf(1) / 64, 6, one, "f64"),
    "stirling-narrow": lambda: polynomial(stirling, 0, mpf(1) / 64, 2, one, "f64"),
    "digamma-f64": lambda: rational(less(0.875, digamma_base), 0, 2, 7, 7, lambda t: 1 / digamma_base(t), "f64"),
    "digamma-narrow": lambda: rational(less(0.875, digamma_base), 0, 2, 4, 4, lambda t: 1 / digamma_base(t), "f64"),
    "digamma-tail-f64": lambda: rational(digamma_tail, 0, mpf(1) / 16, 5, 5, lambda z: z, "f64"),
    "digamma-tail-narrow": lambda: rational(digamma_tail, 0, mpf(1) / 16, 2, 2, lambda z: z, "f64"),
    "cot-f64": lambda: polynomial(cot_tail, 0, mpf("0.25"), 8, one, "f64"),
    "cot-narrow": lambda: polynomial(cot_tail, 0, mpf("0.25"), 4, one, "f64"),
    "sinpi-f64": lambda: polynomial(sinpi_core, 0, mpf("0.25"), 8, one, "f64"),
}


def main():
    wanted = sys.argv[1:]
    for name, fit in SETS.items():
        if wanted and not any(name.startswith(w) for w in wanted):
            continue
        parts, error = fit()
        print(f"// {name}: error 2^{float(log(error, 2)):.1f}")
        for part, coefficients in parts.items():
            values = ", ".join(repr(float(c)) for c in coefficients)
            print(f"{name}{part} = [{values}]")
        sys.stdout.flush()


main()
