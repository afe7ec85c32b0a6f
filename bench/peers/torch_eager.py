"""PyTorch, eager: nn.Linear, autograd, fused Adam (its documented fastest on CPU), gradients set to None."""

import torch

from protocol import BATCH, BETA1, BETA2, EPSILON, LEARNING_RATE, THREADS, batch_starts, binary_images, serve
from torch_model import Aevb, about

torch.set_num_threads(THREADS)
torch.manual_seed(0)
images = torch.from_numpy(binary_images())
model = Aevb()
adam = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
starts = batch_starts()


def step() -> torch.Tensor:
    start = next(starts)
    adam.zero_grad(set_to_none=True)
    neg_elbo = model(images[start : start + BATCH])
    neg_elbo.backward()
    adam.step()
    return neg_elbo.detach()


serve(about("torch-eager", adam="fused"), step)
