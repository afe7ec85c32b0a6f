"""PyMC. `nutpie`: log density and gradient compiled by numba, as nutpie does; `nutpie bare` times calls in a compiled loop, as
nutpie's sampler makes them, without Python."""

import ctypes
import os
import sys
import time

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from serving import Peer, named_means, read_data, reported_sites, write_draws

NUTPIE = "nutpie" in sys.argv
BARE = "bare" in sys.argv


def eight_schools(J, y, sigma):
    mu = pm.Normal("mu", 0, 5)
    tau = pm.HalfCauchy("tau", 5)
    t = pm.Normal("t", 0, 1, shape=J)
    theta = pm.Deterministic("theta", mu + tau * t)
    pm.Normal("y", theta, sigma, observed=y)


def logistic(N, D, x, y):
    alpha = pm.Normal("alpha", 0, 5)
    beta = pm.Normal("beta", 0, 1, shape=D)
    pm.Bernoulli("y", logit_p=pt.dot(x, beta) + alpha, observed=y)


def process(N, x, y):
    rho = pm.Gamma("rho", 25, 4)
    alpha = pm.HalfNormal("alpha", 2)
    sigma = pm.HalfNormal("sigma", 1)
    squares = (x[:, None] - x) ** 2
    covariance = alpha**2 * pt.exp(-0.5 * squares / rho**2) + sigma * pt.eye(N)
    pm.MvNormal("y", np.zeros(N), cov=covariance, observed=y)


def mixture(N, y):
    mu = pm.Normal("mu", 0, 2, shape=2, transform=pm.distributions.transforms.ordered, initval=[-1.0, 1.0])
    sigma = pm.HalfNormal("sigma", 2, shape=2)
    theta = pm.Beta("theta", 5, 5)
    pm.NormalMixture("y", w=pt.stack([theta, 1 - theta]), mu=mu, sigma=sigma, observed=y)


def autoregression(K, T, y):
    alpha = pm.Normal("alpha", 0, 10)
    beta = pm.Normal("beta", 0, 10, shape=K)
    sigma = pm.HalfCauchy("sigma", 2.5)
    past = np.stack([y[K - k - 1 : T - k - 1] for k in range(K)], axis=1)
    pm.Normal("y[t]", pt.dot(past, beta) + alpha, sigma, observed=y[K:])


MODELS = {
    "eight-schools": eight_schools,
    "logistic": logistic,
    "gp": process,
    "gp200": process,
    "mixture": mixture,
    "autoregression": autoregression,
}


def built(name, data):
    with pm.Model() as model:
        MODELS[name](**data)
    return model


class Pymc(Peer):
    about = {
        "peer": "-".join(sys.argv[1:]) or "pymc",
        "versions": {"pymc": pm.__version__, "pytensor": pytensor.__version__},
        "threads": len(os.sched_getaffinity(0)),
        "blas": "numba's" if NUTPIE else pytensor.config.blas__ldflags or "numpy's",
    }
    if NUTPIE:
        import nutpie

        about["versions"]["nutpie"] = nutpie.__version__

    def compile(self, name, data):
        model = built(name, data)
        if not NUTPIE:
            function = model.logp_dlogp_function(ravel_inputs=True)
            function.set_extra_values({})
            function._pytensor_function.trust_input = True
            return function
        import nutpie

        self.compiled = nutpie.compile_pymc_model(model)
        dim = self.compiled.n_dim
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int64, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
        )
        raw = kind(self.compiled.compiled_logp_func.address)
        gradient, value = np.zeros(dim), np.zeros(1)
        into, out, user = gradient.ctypes.data, value.ctypes.data, self.compiled.user_data.ctypes.data

        if BARE:
            import numba

            @numba.njit
            def loop(at, stride, count, times):
                for _ in range(times):
                    for p in range(count):
                        raw(dim, at + p * stride, into, out, user)

            self.loop = loop
            loop(np.zeros(dim).ctypes.data, 8 * dim, 1, 1)

        def call(u):
            if raw(dim, u.ctypes.data, into, out, user):
                raise FloatingPointError("the log density is not finite")
            return value[0], gradient.copy()

        return call

    def do_time(self, request):
        if not BARE:
            return super().do_time(request)
        points = np.array(request["points"])
        times = 1
        while True:  # as many calls in one as take long enough
            before = time.perf_counter()
            self.loop(points.ctypes.data, points.strides[0], len(points), times)
            done = (time.perf_counter() - before) * 1e3
            if done >= request["milliseconds"] / 2:
                return {"us": done * 1e3 / (times * len(points))}
            times *= 2

    def do_nuts(self, request):
        data = read_data(request["data"])
        if not NUTPIE:
            return {"absent": "PyMC's own sampler is slower than nutpie, which stands for it"}
        import nutpie

        started = time.perf_counter()
        model = built(request["model"], data)
        compiled = nutpie.compile_pymc_model(model)
        compile_seconds = time.perf_counter() - started
        started = time.perf_counter()
        trace = nutpie.sample(
            compiled,
            draws=request["draws"],
            tune=request["warmUp"],
            chains=request["chains"],
            cores=os.cpu_count(),
            seed=request["seed"],
            progress_bar=False,
            save_warmup=False,
        )
        seconds = time.perf_counter() - started
        draws = {name: trace.posterior[name].values for name in reported_sites(request["model"], data)}
        write_draws(request["out"], request["model"], data, draws)
        return {"compileSeconds": compile_seconds, "seconds": seconds}

    def do_advi(self, request):
        if NUTPIE:
            return {"absent": "nutpie has no ADVI"}
        data = read_data(request["data"])
        started = time.perf_counter()
        model = built(request["model"], data)
        with model:
            callbacks = []
            if request.get("stopping"):
                callbacks.append(pm.callbacks.CheckParametersConvergence(tolerance=1e-2))
            approximation = pm.fit(
                request["steps"], method="advi", random_seed=request["seed"], progressbar=False, callbacks=callbacks
            )
            posterior = approximation.sample(4000, random_seed=request["seed"] + 1).posterior
        means = {n: posterior[n].values.mean((0, 1)) for n in reported_sites(request["model"], data)}
        seconds = time.perf_counter() - started
        steps = len(approximation.hist)
        return {"seconds": seconds, "steps": steps, "means": named_means(request["model"], data, means)}


if __name__ == "__main__":
    Pymc().serve()
