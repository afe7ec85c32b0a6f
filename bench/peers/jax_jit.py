"""JAX, one jitted step with donated state; the data set lives on the device and the step slices it by a start row."""

import functools
import os

if "PEERS_THREADS" in os.environ:  # XLA sizes its pool from the visible cores, so restrict those
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: int(os.environ["PEERS_THREADS"])]))

import jax
import jaxlib
import numpy as np
from jax import numpy as jnp

from protocol import (
    BATCH,
    BETA1,
    BETA2,
    EPSILON,
    LATENT,
    LAYERS,
    LEARNING_RATE,
    batch_starts,
    binary_images,
    serve,
)


def neg_elbo(weights: dict, x: jax.Array, key: jax.Array) -> jax.Array:
    def dense(name: str, value: jax.Array) -> jax.Array:
        return value @ weights[name]["weight"] + weights[name]["bias"]

    hidden = jnp.tanh(dense("encoder", x))
    mean, log_sd = dense("mean", hidden), dense("logSd", hidden)
    sd = jnp.exp(log_sd)
    z = mean + sd * jax.random.normal(key, (BATCH, LATENT))
    logits = dense("logits", jnp.tanh(dense("decoder", z)))
    distortion = jnp.sum(jax.nn.softplus(logits) - x * logits)
    rate = 0.5 * jnp.sum(mean**2 + sd**2 - 1) - jnp.sum(log_sd)
    return (distortion + rate) / BATCH


@functools.partial(jax.jit, donate_argnums=0)
def train(state: dict, images: jax.Array, start: jax.Array) -> tuple[dict, jax.Array]:
    x = jax.lax.dynamic_slice_in_dim(images, start, BATCH).astype(jnp.float32)
    key = jax.random.fold_in(state["key"], state["count"])
    value, gradients = jax.value_and_grad(neg_elbo)(state["weights"], x, key)
    count = state["count"] + 1
    first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, state["first"], gradients)
    second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, state["second"], gradients)
    scale1, scale2 = 1 / (1 - BETA1**count), 1 / (1 - BETA2**count)
    weights = jax.tree.map(
        lambda p, m, v: p - LEARNING_RATE * (m * scale1) / (jnp.sqrt(v * scale2) + EPSILON),
        state["weights"],
        first,
        second,
    )
    return {**state, "weights": weights, "first": first, "second": second, "count": count}, value


def initial_state() -> dict:
    generator = np.random.default_rng(0)
    weights = {
        name: {
            "weight": jnp.asarray(generator.normal(0, fan_in**-0.5, (fan_in, fan_out)), jnp.float32),
            "bias": jnp.zeros(fan_out),
        }
        for name, (fan_in, fan_out) in LAYERS.items()
    }
    return {
        "weights": weights,
        "first": jax.tree.map(jnp.zeros_like, weights),
        "second": jax.tree.map(jnp.zeros_like, weights),
        "count": jnp.zeros((), jnp.int32),
        "key": jax.random.key(0),
    }


images = jnp.asarray(binary_images())
state = initial_state()
starts = batch_starts()


def step() -> jax.Array:
    global state
    state, value = train(state, images, next(starts))
    jax.block_until_ready(state)
    return value


serve(
    {
        "peer": "jax-jit",
        "versions": {"jax": jax.__version__, "jaxlib": jaxlib.__version__},
        "threads": len(os.sched_getaffinity(0)),
        "blas": "XLA CPU's own (Eigen, oneDNN)",
    },
    step,
)
