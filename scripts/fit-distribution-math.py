"""The polynomials of src/distributions, and the table of the normal distribution function that checks one of them.

    python3 scripts/fit-distribution-math.py        # needs: pip install mpmath

prints the coefficients of MILLS in src/distributions/normal-cdf.ts and FAR in src/distributions/special/bessel.ts, lowest power first, with
the relative error of the rounded polynomial, and writes test/tables/normal-cdf.json: rows of z, log Phi(z) and its first two derivatives.
"""

import json
from pathlib import Path

import mpmath as mp

mp.mp.dps = 60


def chebyshev(f, degree, count):
    """Monomial coefficients of the Chebyshev interpolant of f on [-1, 1] at `count` nodes, cut at `degree`."""
    nodes = [mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    values = [f(s) for s in nodes]
    c = [
        2 / mp.mpf(count) * sum(v * mp.cos(mp.pi * j * (2 * i + 1) / (2 * count)) for i, v in enumerate(values))
        for j in range(degree + 1)
    ]
    c[0] /= 2
    basis = [[mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]]
    for n in range(2, degree + 1):
        new = [mp.mpf(0)] + [2 * x for x in basis[-1]]
        for i, x in enumerate(basis[-2]):
            new[i] -= x
        basis.append(new)
    return [float(sum(c[j] * basis[j][i] for j in range(i, degree + 1) if i < len(basis[j]))) for i in range(degree + 1)]


def horner(coefficients, s):
    value = 0.0
    for c in reversed(coefficients):
        value = value * s + c
    return value


def mills(t):
    """Phi(-t) / phi(t)"""
    t = mp.mpf(t)
    if t < 1000:
        return mp.sqrt(mp.pi / 2) * mp.exp(t * t / 2) * mp.erfc(t / mp.sqrt(2))
    total, term = mp.mpf(0), mp.mpf(1)
    for k in range(20):
        total += term
        term *= -(2 * k + 1) / t**2
    return total / t


def scaled_bessel(k):
    """sqrt(k) e^-k I0(k), by its asymptotic series where k is large (DLMF 10.40.1)"""
    k = mp.mpf(k)
    if k < 2000:
        return mp.besseli(0, k) * mp.exp(-k) * mp.sqrt(k)
    total, term = mp.mpf(0), mp.mpf(1)
    for j in range(30):
        total += term
        term *= mp.mpf((2 * j + 1) ** 2) / ((j + 1) * 8 * k)
    return total / mp.sqrt(2 * mp.pi)


def report(name, coefficients, error):
    print(f"{name}, relative error {float(error):.1e}:\n  " + ", ".join(repr(c) for c in coefficients) + "\n")


def main():
    def f(s):
        return mp.mpf(1) if s == 1 else mills(5 * (1 + s) / (1 - s)) * (5 * (1 + s) / (1 - s) + mp.mpf(3) / 2)

    c = chebyshev(f, 23, 60)
    points = [i / 40 for i in range(1600)] + [40 * 1.3**i for i in range(60)]
    report("MILLS", c, max(abs(horner(c, 1 - 10 / (t + 5)) / (t + 1.5) / mills(t) - 1) for t in points))

    c = chebyshev(lambda s: 1 / mp.sqrt(2 * mp.pi) if s == -1 else scaled_bessel(20 / (1 + s)), 17, 60)
    points = [10 + i / 5 for i in range(300)] + [70 * 1.3**i for i in range(40)]
    report("FAR", c, max(abs(horner(c, 20 / k - 1) / scaled_bessel(k) - 1) for k in points))

    rows = []
    for z in (-1e8, -1e4, -300, -37.5, -20, -8, -5, -3, -1.5, -1, -0.4, -1e-3, 0, 1e-9, 0.3, 0.9, 1.4, 2.5, 4, 6, 8.5, 12, 20, 30):
        t = mp.mpf(z)
        if t < 0:
            log_cdf, hazard = mp.log(mills(-t)) - t * t / 2 - mp.log(2 * mp.pi) / 2, 1 / mills(-t)
        else:
            density = mp.exp(-t * t / 2) / mp.sqrt(2 * mp.pi)
            log_cdf, hazard = mp.log1p(-mills(t) * density), density / (1 - mills(t) * density)
        rows.append([z, float(log_cdf), float(hazard), float(-hazard * (t + hazard))])
    path = Path(__file__).parent.parent / "test/tables/normal-cdf.json"
    path.write_text('{"rows": [\n' + ",\n".join(json.dumps(r) for r in rows) + "\n]}\n")


if __name__ == "__main__":
    main()
