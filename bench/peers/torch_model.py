"""The benchmark's model in PyTorch: 784-500-20-500-784, tanh, Bernoulli logits, analytic KL, one draw."""

import torch
from torch import nn
from torch.nn import functional as F

from protocol import LAYERS


class Aevb(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name, (fan_in, fan_out) in LAYERS.items():
            self.add_module(name, nn.Linear(fan_in, fan_out))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Negative ELBO in nats, averaged over the batch; images are u8, [batch, 784]."""
        x = images.to(torch.float32)
        hidden = torch.tanh(self.encoder(x))
        mean, log_sd = self.mean(hidden), self.logSd(hidden)
        sd = log_sd.exp()
        z = mean + sd * torch.randn_like(sd)
        logits = self.logits(torch.tanh(self.decoder(z)))
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        rate = 0.5 * (mean.square() + sd.square() - 1).sum() - log_sd.sum()
        return (distortion + rate) / x.shape[0]


def about(peer: str, **more: object) -> dict:
    blas = [word for word in torch.__config__.show().splitlines() if "Math Kernel" in word or "MKL-DNN" in word]
    return {
        "peer": peer,
        "versions": {"torch": torch.__version__},
        "threads": torch.get_num_threads(),
        "blas": "; ".join(word.strip(" -") for word in blas),
        **more,
    }
