"""NumPyro on JAX's CPU backend in f64. `--chains parallel` gives each chain a device of its own, else they are vectorised."""

import os
import sys
import time

PARALLEL = "parallel" in sys.argv
if PARALLEL:
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4 " + os.environ.get("XLA_FLAGS", "")

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import numpy as jnp
from numpyro.infer import MCMC, NUTS, SVI, Trace_ELBO
from numpyro.infer.autoguide import AutoNormal
from numpyro.infer.util import initialize_model

from serving import SITES, Peer, named_means, read_data, reported_sites, write_draws

jax.config.update("jax_enable_x64", True)


def eight_schools(J, y, sigma):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("school", J):
        t = numpyro.sample("t", dist.Normal(0, 1))
        theta = numpyro.deterministic("theta", mu + tau * t)
        numpyro.sample("y", dist.Normal(theta, sigma), obs=y)


def logistic(N, D, x, y):
    alpha = numpyro.sample("alpha", dist.Normal(0, 5))
    beta = numpyro.sample("beta", dist.Normal(0, 1).expand([D]).to_event(1))
    numpyro.sample("y", dist.Bernoulli(logits=x @ beta + alpha), obs=y)


def process(N, x, y):
    rho = numpyro.sample("rho", dist.Gamma(25, 4))
    alpha = numpyro.sample("alpha", dist.HalfNormal(2))
    sigma = numpyro.sample("sigma", dist.HalfNormal(1))
    covariance = alpha**2 * jnp.exp(-0.5 * ((x[:, None] - x) / rho) ** 2) + sigma * jnp.eye(N)
    numpyro.sample("y", dist.MultivariateNormal(jnp.zeros(N), covariance_matrix=covariance), obs=y)


def mixture(N, y):
    mu = numpyro.sample(
        "mu", dist.ImproperUniform(dist.constraints.ordered_vector, (), event_shape=(2,))
    )
    numpyro.factor("mu prior", dist.Normal(0, 2).log_prob(mu).sum())
    sigma = numpyro.sample("sigma", dist.HalfNormal(2).expand([2]).to_event(1))
    theta = numpyro.sample("theta", dist.Beta(5, 5))
    weights = jnp.stack([theta, 1 - theta])
    numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(probs=weights), dist.Normal(mu, sigma)), obs=y)


def autoregression(K, T, y):
    alpha = numpyro.sample("alpha", dist.Normal(0, 10))
    beta = numpyro.sample("beta", dist.Normal(0, 10).expand([K]).to_event(1))
    sigma = numpyro.sample("sigma", dist.HalfCauchy(2.5))
    past = jnp.stack([y[K - k - 1 : T - k - 1] for k in range(K)], axis=1)
    numpyro.sample("y[t]", dist.Normal(past @ beta + alpha, sigma), obs=y[K:])


MODELS = {
    "eight-schools": eight_schools,
    "logistic": logistic,
    "gp": process,
    "gp200": process,
    "mixture": mixture,
    "autoregression": autoregression,
}


def on_device(data):
    return {k: jnp.asarray(v, float) if isinstance(v, np.ndarray) else v for k, v in data.items()}


class NumPyro(Peer):
    about = {
        "peer": "numpyro",
        "versions": {"numpyro": numpyro.__version__, "jax": jax.__version__},
        "threads": len(os.sched_getaffinity(0)),
        "blas": "XLA CPU",
    }

    def compile(self, model, data):
        given = on_device(data)
        info = initialize_model(jax.random.PRNGKey(0), MODELS[model], model_kwargs=given)
        offsets, at = [], 0
        for name, size in SITES[model](data):
            offsets.append((name, at, size, jnp.shape(info.param_info.z[name])))
            at += size

        def log_density(u):
            return -info.potential_fn({name: u[a : a + n].reshape(shape) for name, a, n, shape in offsets})

        compiled = jax.jit(jax.value_and_grad(log_density))
        jax.block_until_ready(compiled(np.zeros(at)))

        def call(u):
            value, gradient = compiled(u)
            return float(value), np.asarray(gradient)

        return call

    def do_nuts(self, request):
        data = read_data(request["data"])
        started = time.perf_counter()
        given = on_device(data)
        mcmc = MCMC(
            NUTS(MODELS[request["model"]]),
            num_warmup=request["warmUp"],
            num_samples=request["draws"],
            num_chains=request["chains"],
            chain_method="parallel" if PARALLEL else "vectorized",
            progress_bar=False,
        )
        mcmc.run(jax.random.PRNGKey(request["seed"]), **given)
        jax.block_until_ready(mcmc.get_samples())
        both = time.perf_counter() - started
        if request.get("once"):
            return {"seconds": both}
        # The same once more, compiled: what sampling alone takes.
        started = time.perf_counter()
        mcmc.run(jax.random.PRNGKey(request["seed"] + 1), **given)
        draws = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
        seconds = time.perf_counter() - started
        write_draws(request["out"], request["model"], data, draws)
        return {"compileSeconds": max(0.0, both - seconds), "seconds": seconds}

    def do_advi(self, request):
        data = read_data(request["data"])
        started = time.perf_counter()
        given = on_device(data)
        model = MODELS[request["model"]]
        guide = AutoNormal(model)
        svi = SVI(model, guide, numpyro.optim.Adam(request.get("rate", 0.01)), Trace_ELBO())
        steps = request["steps"]
        result = svi.run(jax.random.PRNGKey(request["seed"]), steps, progress_bar=False, **given)
        posterior = guide.sample_posterior(jax.random.PRNGKey(request["seed"] + 1), result.params, sample_shape=(4000,))
        posterior["theta"] = posterior["mu"][:, None] + posterior["tau"][:, None] * posterior["t"]
        means = {name: np.asarray(posterior[name]).mean(0) for name in reported_sites(request["model"], data)}
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "steps": steps, "means": named_means(request["model"], data, means)}


NumPyro().serve()
