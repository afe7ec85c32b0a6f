"""One AEVB step in float64 by PyTorch, at stored weights and stored noise: the oracle for our bound and gradients.

    python scripts/make-torch-fixture.py        # needs: pip install torch numpy

writes test/fixtures/aevb-torch.json. Densities, divergences and gradients come from torch.distributions and
torch.autograd, so that nothing here repeats a formula of ours.

Layout: {"meta": {...}, "tensors": {KEY: {"shape": [...], "data": [...]}}}, row-major data, every number printed with
the digits that give back the same float64. Every KEY starts with one of three cases:

    case1   posterior: diagonal Gaussian.          decoder: Bernoulli, by logits
    case2   posterior: diagonal Gaussian.          decoder: Gaussian with learned mean and sd
    case3   posterior: full-covariance Gaussian.   decoder: Bernoulli, by logits

and goes on with

    x                          [8, 12]      observations: 0 and 1 in case1 and case3, real in case2
    noise                      [2, 8, 3]    standard normal draws eps, [draw, example, latent]
    weights/NAME               weights [in, out] and biases [out]; a layer is y = x @ weight + bias
    ESTIMATOR/negElbo          []           nats, averaged over the batch
    ESTIMATOR/grad/NAME        gradient of that negElbo, shaped as the weight
    reference/z                [2, 8, 3]    the latent draws: intermediate values, to find where a difference begins
    reference/logLikelihood    [2, 8]       log p(x|z), summed over the 12 dimensions
    reference/logPrior         [2, 8]       log p(z), p(z) = N(0, I)
    reference/logPosterior     [2, 8]       log q(z|x)
    reference/kl               [8]          KL(q(z|x) || p(z)), closed form

with ESTIMATOR one of (Kingma & Welling 2014, "Auto-Encoding Variational Bayes", eq. 6 and eq. 7)

    generic      negElbo = -mean over batch and draws of  log p(x|z) + log p(z) - log q(z|x)
    analyticKl   negElbo = mean over batch of KL  -  mean over batch and draws of  log p(x|z)

Gradients are total: through z, and in `generic` also through the parameters of log q (not the path-derivative form).

NAME, with tanh after encoder.0 and decoder.0 and no activation on the heads:

    encoder.0        12 -> 7    hidden layer
    encoder.mean      7 -> 3    mu
    encoder.logSd     7 -> 3    case1, case2: log of the sd. z = mu + exp(logSd) * eps
                                case3: log of the diagonal of the Cholesky factor L
    encoder.lower     7 -> 3    case3 only: L's strictly lower entries in row-major order, (1,0) (2,0) (2,1).
                                z = mu + L eps, covariance L L^T
    decoder.0         3 -> 6    hidden layer
    decoder.logits    6 -> 12   case1, case3
    decoder.mean      6 -> 12   case2
    decoder.logSd     6 -> 12   case2: log of the sd

each followed by .weight or .bias.
"""

import json
from pathlib import Path

import torch
from torch.distributions import (
    Bernoulli,
    Independent,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

BATCH, OBSERVED, LATENT, DRAWS = 8, 12, 3, 2
ENCODER_HIDDEN, DECODER_HIDDEN = 7, 6

CASES = {
    "case1": {"posterior": "diagonal", "likelihood": "bernoulli", "seed": 1},
    "case2": {"posterior": "diagonal", "likelihood": "gaussian", "seed": 2},
    "case3": {"posterior": "fullCovariance", "likelihood": "bernoulli", "seed": 3},
}


def layers(posterior: str, likelihood: str) -> dict[str, tuple[int, int]]:
    encoder_heads = ["mean", "logSd"] + (["lower"] if posterior == "fullCovariance" else [])
    decoder_heads = ["logits"] if likelihood == "bernoulli" else ["mean", "logSd"]
    return {
        "encoder.0": (OBSERVED, ENCODER_HIDDEN),
        **{f"encoder.{head}": (ENCODER_HIDDEN, LATENT) for head in encoder_heads},
        "decoder.0": (LATENT, DECODER_HIDDEN),
        **{f"decoder.{head}": (DECODER_HIDDEN, OBSERVED) for head in decoder_heads},
    }


def draw_inputs(case: dict) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(case["seed"])

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weights = {}
    for name, (fan_in, fan_out) in layers(case["posterior"], case["likelihood"]).items():
        weights[f"{name}.weight"] = normal(fan_in, fan_out) / fan_in**0.5
        weights[f"{name}.bias"] = 0.3 * normal(fan_out)
    x = normal(BATCH, OBSERVED)
    if case["likelihood"] == "bernoulli":
        x = (x > 0.4).to(torch.float64)
    return x, normal(DRAWS, BATCH, LATENT), weights


def forward(case: dict, x: torch.Tensor, noise: torch.Tensor, weights: dict[str, torch.Tensor]) -> dict:
    def dense(name: str, value: torch.Tensor) -> torch.Tensor:
        return value @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    hidden = torch.tanh(dense("encoder.0", x))
    mean = dense("encoder.mean", hidden)
    sd = dense("encoder.logSd", hidden).exp()
    if case["posterior"] == "diagonal":
        z = mean + sd * noise
        q = Independent(Normal(mean, sd), 1)
        prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(sd)), 1)
    else:
        rows, columns = torch.tril_indices(LATENT, LATENT, offset=-1)
        factor = torch.diag_embed(sd)
        factor[:, rows, columns] = dense("encoder.lower", hidden)
        z = mean + (factor @ noise.unsqueeze(-1)).squeeze(-1)
        q = MultivariateNormal(mean, scale_tril=factor)
        prior = MultivariateNormal(torch.zeros_like(mean), scale_tril=torch.eye(LATENT, dtype=mean.dtype))

    hidden = torch.tanh(dense("decoder.0", z))
    if case["likelihood"] == "bernoulli":
        likelihood = Bernoulli(logits=dense("decoder.logits", hidden))
    else:
        likelihood = Normal(dense("decoder.mean", hidden), dense("decoder.logSd", hidden).exp())
    return {
        "z": z,
        "logLikelihood": Independent(likelihood, 1).log_prob(x.expand(DRAWS, BATCH, OBSERVED)),
        "logPrior": prior.log_prob(z),
        "logPosterior": q.log_prob(z),
        "kl": kl_divergence(q, prior),
    }


ESTIMATORS = {
    "generic": lambda terms: -(terms["logLikelihood"] + terms["logPrior"] - terms["logPosterior"]).mean(),
    "analyticKl": lambda terms: terms["kl"].mean() - terms["logLikelihood"].mean(),
}


def main() -> None:
    torch.set_num_threads(1)
    tensors = {}

    def store(key: str, value: torch.Tensor) -> None:
        tensors[key] = {"shape": list(value.shape), "data": value.detach().flatten().tolist()}

    for case_name, case in CASES.items():
        x, noise, weights = draw_inputs(case)
        store(f"{case_name}/x", x)
        store(f"{case_name}/noise", noise)
        for name, weight in weights.items():
            store(f"{case_name}/weights/{name}", weight.requires_grad_())
        for key, value in forward(case, x, noise, weights).items():
            store(f"{case_name}/reference/{key}", value)
        for estimator, neg_elbo_of in ESTIMATORS.items():
            neg_elbo = neg_elbo_of(forward(case, x, noise, weights))
            store(f"{case_name}/{estimator}/negElbo", neg_elbo)
            for name, gradient in zip(weights, torch.autograd.grad(neg_elbo, list(weights.values()))):
                store(f"{case_name}/{estimator}/grad/{name}", gradient)

    meta = {"source": "scripts/make-torch-fixture.py", "torch": torch.__version__, "dtype": "f64", "cases": CASES}
    compact = json.JSONEncoder(separators=(",", ":")).encode
    rows = ",\n".join(f"{compact(key)}: {compact(value)}" for key, value in tensors.items())
    path = Path(__file__).parent.parent / "test" / "fixtures" / "aevb-torch.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"meta": {json.dumps(meta)},\n"tensors": {{\n{rows}\n}}}}\n')
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
