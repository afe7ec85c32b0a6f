"""Five steps of each optimizer by PyTorch in float64, at stored gradients: the oracle for our updates.

    python scripts/make-optimizer-fixture.py        # needs: pip install torch

writes test/fixtures/optimizers-torch.json: {"start": [...], "gradients": [[...], ...], "cases": {NAME: {"options": {...},
"parameters": [[...], ...]}}}, parameters after each step. Options have our names.
"""

import json
from pathlib import Path

import torch

STEPS, SIZE = 5, 6

CASES = {
    "sgd": ({"lr": 0.1}, lambda p: torch.optim.SGD(p, lr=0.1)),
    "sgd with momentum": ({"lr": 0.1, "momentum": 0.9}, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "adagrad": ({"lr": 0.05, "epsilon": 1e-10}, lambda p: torch.optim.Adagrad(p, lr=0.05, eps=1e-10)),
    "rmsprop": (
        {"lr": 0.01, "decay": 0.95, "epsilon": 1e-6},
        lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.95, eps=1e-6),
    ),
    "adam": (
        {"lr": 0.02, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-4},
        lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.99), eps=1e-4),
    ),
    "adamw": ({"lr": 0.02, "weightDecay": 0.3}, lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.3)),
}


def main() -> None:
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(SIZE, generator=generator, dtype=torch.float64)
    gradients = torch.randn(STEPS, SIZE, generator=generator, dtype=torch.float64)
    gradients[:, 0] = 0
    cases = {}
    for name, (options, make) in CASES.items():
        parameter = start.clone().requires_grad_()
        optimizer = make([parameter])
        path = []
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
            path.append(parameter.detach().tolist())
        cases[name] = {"options": options, "parameters": path}
    meta = {"source": "scripts/make-optimizer-fixture.py", "torch": torch.__version__}
    content = {"meta": meta, "start": start.tolist(), "gradients": gradients.tolist(), "cases": cases}
    path = Path(__file__).parent.parent / "test" / "fixtures" / "optimizers-torch.json"
    path.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
