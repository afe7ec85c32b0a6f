"""Cholesky factors, solves and their gradients by PyTorch in float64: the oracle for our linear algebra.

    python scripts/make-linalg-fixture.py        # needs: pip install torch

writes test/fixtures/linalg-torch.json: for each size {"a", "y", "x", "factor", "logDet", "solution", "inverse", "logDensity",
"gradient", "hessianProduct"}, matrices by rows. `logDensity` is that of y under N(0, a) without its constant, `gradient` its derivative
by the elements of the lower triangle (an element below the diagonal stands for its mirror image too), `hessianProduct` the derivative of
Σ gradient · x by the same, x being lower triangular.
"""

import json
from pathlib import Path

import torch

SIZES = [1, 2, 3, 4, 5, 7, 11, 18]


def case(n: int, generator: torch.Generator) -> dict:
    root = torch.randn(n, n, generator=generator, dtype=torch.float64)
    a = root @ root.T / n + 0.5 * torch.eye(n, dtype=torch.float64)
    y = torch.randn(n, 1, generator=generator, dtype=torch.float64)
    x = torch.randn(n, n, generator=generator, dtype=torch.float64).tril()
    lower = a.tril().requires_grad_()
    symmetric = lower + lower.tril(-1).T
    factor = torch.linalg.cholesky(symmetric)
    whitened = torch.linalg.solve_triangular(factor, y, upper=False)
    log_density = -0.5 * (whitened**2).sum() - factor.diagonal().log().sum()
    (gradient,) = torch.autograd.grad(log_density, lower, create_graph=True)
    (product,) = torch.autograd.grad((gradient.tril() * x).sum(), lower)
    values = {
        "a": symmetric,
        "y": y,
        "x": x,
        "factor": factor,
        "logDet": torch.logdet(symmetric),
        "solution": torch.linalg.solve(symmetric, y),
        "inverse": torch.linalg.inv(symmetric),
        "logDensity": log_density,
        "gradient": gradient.tril(),
        "hessianProduct": product.tril(),
    }
    return {"n": n, **{name: value.detach().flatten().tolist() for name, value in values.items()}}


def main() -> None:
    generator = torch.Generator().manual_seed(3)
    cases = [case(n, generator) for n in SIZES]
    path = Path(__file__).parent.parent / "test" / "fixtures" / "linalg-torch.json"
    path.write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
