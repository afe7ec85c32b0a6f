"""Makes test/tables/*.json, the oracle of the wasm math tests, with mpmath at 80 digits.

    python3 scripts/make-math-tables.py                     all committed tables
    python3 scripts/make-math-tables.py exp pow             some of them
    python3 scripts/make-math-tables.py --points 20000 --seed 7 --out DIR lgamma      a denser throw-away set

A row is a string of hexadecimal bit patterns and a decimal: input (for pow two inputs), the correctly rounded result,
and 256 times what the rounding dropped of its magnitude, in units in its last place, so that errors below one ulp can
be told.
"""

import argparse
import json
import os
import random
import struct

import mpmath
from mpmath import mp, mpf

mp.dps = 80
INF = mpf("inf")
NAN = mpf("nan")


class Format:
    def __init__(self, name, code, integer, precision, lowest):
        self.name, self.code, self.integer, self.precision, self.lowest = name, code, integer, precision, lowest
        self.bits = struct.calcsize(code) * 8

    def decode(self, bits):
        return struct.unpack(self.code, struct.pack(self.integer, bits))[0]

    def encode(self, x):
        return struct.unpack(self.integer, struct.pack(self.code, x))[0]

    def hex(self, bits):
        return format(bits, f"0{self.bits // 4}x")

    @property
    def infinity(self):
        return self.encode(float("inf"))

    def round(self, v, sign=0):
        """(bits, residual in 1/256 ulp) of a real number; `sign` is the sign of a zero."""
        if mpmath.isnan(v):
            return self.encode(float("nan")), 0
        top = (sign if v == 0 else int(v < 0)) << (self.bits - 1)
        if mpmath.isinf(v):
            return top | self.infinity, 0
        if v == 0:
            return top, 0
        a = abs(v)
        exponent = max(mpmath.frexp(a)[1] - self.precision, self.lowest)
        scaled = mpmath.ldexp(a, -exponent)
        whole = int(mpmath.nint(scaled))
        residual = int(mpmath.nint((scaled - whole) * 256))
        if whole >= 1 << self.precision:
            whole >>= 1
            exponent += 1
        if whole < 1 << (self.precision - 1):
            return top | whole, residual
        biased = exponent - self.lowest + 1
        bits = (biased << (self.precision - 1)) + (whole - (1 << (self.precision - 1)))
        return (top | self.infinity, 0) if bits >= self.infinity else (top | bits, residual)


F32 = Format("f32", "<f", "<I", 24, -149)
F64 = Format("f64", "<d", "<Q", 53, -1074)


def is_integer(x):
    return x == mpmath.floor(x)


def log(x):
    return NAN if x < 0 else -INF if x == 0 else x if x == INF else mpmath.log(x)


def log1p(x):
    return NAN if x < -1 else -INF if x == -1 else x if x == INF else mpmath.log1p(x)


def sigmoid(x):
    if mpmath.isinf(x):
        return mpf(0 if x < 0 else 1)
    if x < -100000 or x > 100000:
        return mpf(0 if x < 0 else 1)
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    if x == -INF or x < -100000:
        return mpf(0)
    if x == INF or x > 100000:
        return x
    return mpmath.log1p(mpmath.exp(x))


def exp(x):
    return INF if x > 100000 else mpf(0) if x < -100000 else mpmath.exp(x)


def expm1(x):
    return INF if x > 100000 else mpf(-1) if x < -100000 else mpmath.expm1(x)


def tanh(x):
    if abs(x) < mpf(2) ** -200:
        return x
    return mpmath.sign(x) if abs(x) > 1000 else mpmath.tanh(x)


def sin(x):
    return NAN if mpmath.isinf(x) else mpmath.sin(x)


def cos(x):
    return NAN if mpmath.isinf(x) else mpmath.cos(x)


def erf(x):
    if abs(x) < mpf(2) ** -200:
        return 2 / mpmath.sqrt(mpmath.pi) * x
    return mpmath.sign(x) if abs(x) > 20 else mpmath.erf(x)


def erfinv(x):
    if abs(x) >= 1:
        return x * INF if abs(x) == 1 else NAN
    if abs(x) < mpf(2) ** -100:
        return mpmath.sqrt(mpmath.pi) / 2 * (x + mpmath.pi / 12 * x**3)
    return mpmath.erfinv(x)


def lgamma(x):
    if mpmath.isinf(x) or (x <= 0 and is_integer(x)):
        return INF
    if x > 0:
        return mpmath.re(mpmath.loggamma(x))
    return mpmath.log(mpmath.pi / abs(x * mpmath.sinpi(x))) - mpmath.re(mpmath.loggamma(-x))


def digamma(x):
    if x == INF:
        return INF
    if x < 0 and is_integer(x):
        return NAN
    if x > 0:
        return mpmath.psi(0, x)
    return mpmath.psi(0, 1 - x) - mpmath.pi * mpmath.cospi(x) / mpmath.sinpi(x)


def power(x, y):
    """C99, annex F.10.4.4, without the signs of zeros, which `power_sign` gives."""
    if y == 0 or x == 1:
        return mpf(1)
    if mpmath.isnan(x) or mpmath.isnan(y):
        return NAN
    if mpmath.isinf(y):
        return mpf(1) if abs(x) == 1 else INF if (abs(x) > 1) == (y > 0) else mpf(0)
    negative = power_sign(x, y)
    if x == 0 or mpmath.isinf(x):
        size = INF if (x == 0) == (y < 0) else mpf(0)
        return -size if negative else size
    if x < 0 and not is_integer(y):
        return NAN
    t = y * mpmath.log(abs(x))
    size = INF if t > 10000 else mpf(0) if t < -10000 else mpmath.exp(t)
    return -size if negative else size


def power_sign(x, y, zero_is_negative=False):
    odd = not mpmath.isinf(y) and is_integer(y) and not is_integer(y / 2)
    return odd and (x < 0 or (x == 0 and zero_is_negative))


# name: (function, is odd at 0, [(low, high, "lin" | "log")] regions where it is hard or in use)
PI = float(mpmath.pi)
FUNCTIONS = {
    "exp": (exp, False, [(-1, 1, "lin"), (-90, 90, "lin"), (-105, -85, "lin"), (-746, 711, "lin"),
                               (-746, -700, "lin")]),
    "log": (log, False, [(0.5, 2, "lin"), (0.99, 1.01, "lin"), (0.7, 0.71, "lin"), (1.41, 1.42, "lin"),
                               (1e-300, 1e300, "log")]),
    "log1p": (log1p, True, [(-1, 1, "lin"), (-0.3, 0.5, "lin"), (1e-12, 1e12, "log"), (-1, -0.999, "lin"),
                               (-1e-3, 1e-3, "lin")]),
    "expm1": (expm1, True, [(-1, 1, "lin"), (0.3, 0.4, "lin"), (-0.4, -0.3, "lin"), (-45, 90, "lin"),
                               (-1e-3, 1e-3, "lin")]),
    "tanh": (tanh, True, [(-1, 1, "lin"), (0.5, 0.6, "lin"), (-20, 20, "lin"), (1e-9, 1, "log")]),
    "sigmoid": (sigmoid, False, [(-10, 10, "lin"), (-105, -80, "lin"), (-746, -700, "lin"), (-40, 40, "lin")]),
    "softplus": (softplus, False, [(-10, 10, "lin"), (-105, -80, "lin"), (-746, -700, "lin"), (-40, 40, "lin")]),
    "sin": (sin, True, [(-4, 4, "lin"), (-1000, 1000, "lin"), (1e5, 1e7, "log"), (1e7, 1e300, "log"),
                               (3.1415, 3.1417, "lin")]),
    "cos": (cos, False, [(-4, 4, "lin"), (-1000, 1000, "lin"), (1e5, 1e7, "log"), (1e7, 1e300, "log"),
                               (1.5707, 1.5709, "lin")]),
    "lgamma": (lgamma, False, [(0.9, 1.1, "lin"), (1.9, 2.1, "lin"), (0, 3, "lin"), (2, 10, "lin"), (10, 1e6, "log"),
                               (-3, 0, "lin"), (-12, -2, "lin"), (-200, -12, "lin"), (-34, -30, "lin"),
                               (1e-300, 1, "log")]),
    "digamma": (digamma, False, [(1.4, 1.5, "lin"), (0, 5, "lin"), (1, 2.5, "lin"), (3.5, 10, "lin"), (10, 1e6, "log"),
                                 (-3, 0, "lin"), (-12, 0, "lin"), (-1e5, -12, "lin"), (1e-300, 1, "log")]),
    "erf": (erf, True, [(-1, 1, "lin"), (0.9, 1.1, "lin"), (-6, 6, "lin"), (1e-9, 1, "log")]),
    "erfinv": (erfinv, True, [(-1, 1, "lin"), (0.74, 0.76, "lin"), (0.99, 1, "lin"), (0.9999, 1, "lin"),
                               (1e-9, 1, "log")]),
}

SPECIALS = [
    0.0, 1.0, 2.0, 3.0, 0.5, 1.5, 2.5, 7.0, 8.0, 4.0, 10.0, 17.0, 100.0, 0.75, 0.55, 0.95, 1e-5, 1e5, 1e10, 1e30,
    2.0**20, 2.0**31, 2.0**52, PI, PI / 2, 2 * PI, 22.0, 355.0, 88.72283, 103.97, 709.78, 745.13, 1.4616321449683623,
    2.4570247382208006, 0.504083008264455, 6381956970095103.0 * 2.0**797, 13.0, 10.999999999999998, float("inf"),
]


def edge_bits(fmt):
    """Zeros, the denormals' and the normals' ends, infinities, NaN."""
    normal = 1 << (fmt.precision - 1)
    positive = [0, 1, 2, normal // 2, normal - 1, normal, normal + 1, fmt.infinity - 1, fmt.infinity]
    return positive + [p | 1 << (fmt.bits - 1) for p in positive] + [fmt.encode(float("nan"))]


def sample(fmt, region, rng):
    low, high, kind = region
    if kind == "lin":
        x = rng.uniform(low, high)
    else:
        x = float(mpmath.exp(mpf(rng.uniform(float(mpmath.log(low)), float(mpmath.log(high))))))
    return fmt.encode(x) if fmt is F64 or abs(x) < 3e38 else rng.getrandbits(32)


def inputs(fmt, regions, count, rng):
    out = edge_bits(fmt)
    for v in SPECIALS:
        if fmt is F32 and 1e38 < v < float("inf"):
            continue
        for s in (v, -v):
            b = fmt.encode(s)
            out += [b] if b in (fmt.infinity, 0) or v == float("inf") or v == 0 else [b - 1, b, b + 1]
    while len(out) < count:
        k = rng.randrange(len(regions) + 1)
        out.append(rng.getrandbits(fmt.bits) if k == len(regions) else sample(fmt, regions[k], rng))
    return sorted(set(out))


def unary_rows(name, fmt, count, rng):
    f, odd, regions = FUNCTIONS[name]
    for bits in inputs(fmt, regions, count, rng):
        x = fmt.decode(bits)
        sign = 1 if odd and bits >> (fmt.bits - 1) else 0
        if x != x:
            value = NAN
        elif x == 0 and name == "digamma":
            value = INF if bits else -INF
        else:
            value = f(mpf(x))
        result, residual = fmt.round(value, sign)
        yield f"{fmt.hex(bits)} {fmt.hex(result)} {residual}"


def pow_rows(fmt, count, rng):
    edges = [fmt.decode(b) for b in edge_bits(fmt)]
    values = edges + [1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 1.5, -1.5, 2.0 ** (fmt.precision - 1) + 1,
                      2.0**fmt.precision,
                      fmt.decode(fmt.encode(1.0) - 1), fmt.decode(fmt.encode(1.0) + 1)]
    pairs = [(x, y) for x in values for y in values]
    if count < 2000:
        pairs = [p for i, p in enumerate(pairs) if i % 2 == 0 or p[0] in (0.0, 1.0, -1.0) or p[1] != p[1]]
    limit = 128 if fmt is F32 else 1024
    for _ in range(count):
        kind = rng.randrange(6)
        if kind == 0:
            x, y = rng.uniform(0, 10), rng.uniform(-20, 20)
        elif kind == 1:  # all the way to the ends of the range
            x = fmt.decode(rng.randrange(1, fmt.infinity))
            y = float(rng.uniform(-1.06, 1.06) * limit / mpmath.log(mpf(x), 2)) if x != 1 else 5.0
        elif kind == 2:
            x = 1 + rng.uniform(-1, 1) * 2.0 ** -rng.randrange(4, fmt.precision - 1)
            y = rng.uniform(-1, 1) * 2.0 ** rng.randrange(30)
        elif kind == 3:
            x, y = rng.uniform(-20, 20), float(rng.randrange(-60, 60))
        elif kind == 4:
            x, y = rng.uniform(0.7, 1.42), rng.uniform(-2, 2) * limit
        else:
            x, y = fmt.decode(rng.getrandbits(fmt.bits)), fmt.decode(rng.getrandbits(fmt.bits))
        pairs.append((x, y))
    seen = set()
    for x, y in pairs:
        try:
            bx, by = fmt.encode(x), fmt.encode(y)
        except OverflowError:
            continue
        if (bx, by) in seen:
            continue
        seen.add((bx, by))
        x, y = fmt.decode(bx), fmt.decode(by)
        value = power(mpf(x), mpf(y))
        negative_zero = bx >> (fmt.bits - 1) == 1
        if x == 0 and negative_zero and y == y and power_sign(mpf(x), mpf(y), True):
            value = -value
        sign = 1 if x == x and y == y and power_sign(mpf(x), mpf(y), negative_zero) else 0
        result, residual = fmt.round(value, sign)
        yield f"{fmt.hex(bx)} {fmt.hex(by)} {fmt.hex(result)} {residual}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "..", "test", "tables"))
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    for name in options.names or [*FUNCTIONS, "pow"]:
        rng = random.Random(f"{options.seed} {name}")
        table = {"source": f"mpmath {mpmath.__version__}, {mp.dps} digits, scripts/make-math-tables.py"}
        for fmt in (F32, F64):
            make = pow_rows(fmt, options.points, rng) if name == "pow" else unary_rows(name, fmt, options.points, rng)
            table[fmt.name] = list(make)
        with open(os.path.join(options.out, f"{name}.json"), "w") as file:
            json.dump(table, file, indent=0)
            file.write("\n")
        print(name, len(table["f32"]), len(table["f64"]), flush=True)


main()
