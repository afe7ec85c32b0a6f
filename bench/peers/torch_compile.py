"""PyTorch, torch.compile of the whole step: bound, gradient and Adam in one graph, parameters updated in place.

Measured beside the other documented forms (compiled model with eager fused Adam, compiled model with compiled
optimizer.step, compiled training function, max-autotune, cpp_wrapper), this one was the fastest.
"""

import torch
from torch.func import functional_call, grad_and_value

from protocol import BATCH, BETA1, BETA2, EPSILON, LEARNING_RATE, THREADS, batch_starts, binary_images, serve
from torch_model import Aevb, about

torch.set_num_threads(THREADS)
torch.manual_seed(0)
images = torch.from_numpy(binary_images())
model = Aevb()
weights = {name: weight.detach().clone() for name, weight in model.named_parameters()}
first = {name: torch.zeros_like(weight) for name, weight in weights.items()}
second = {name: torch.zeros_like(weight) for name, weight in weights.items()}
count = torch.zeros(())
starts = batch_starts()


@torch.compile(fullgraph=True)
def train(batch: torch.Tensor) -> torch.Tensor:
    gradients, neg_elbo = grad_and_value(lambda w: functional_call(model, w, (batch,)))(weights)
    count.add_(1)
    scale1, scale2 = 1 / (1 - BETA1**count), 1 / (1 - BETA2**count)
    for name, gradient in gradients.items():
        first[name].lerp_(gradient, 1 - BETA1)
        second[name].lerp_(gradient.square(), 1 - BETA2)
        weights[name].sub_(LEARNING_RATE * (first[name] * scale1) / ((second[name] * scale2).sqrt() + EPSILON))
    return neg_elbo


def step() -> torch.Tensor:
    start = next(starts)
    return train(images[start : start + BATCH])


serve(about("torch-compile", adam="in the compiled graph"), step)
