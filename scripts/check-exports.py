"""Opens what scripts/write-exports.ts wrote with the programs that it is for, and compares the numbers.

    npx tsx scripts/write-exports.ts FOLDER && python3 scripts/check-exports.py FOLDER

Checks what the installed packages can: xarray and zarr (2 or 3); arviz.from_zarr with zarr < 3 and xarray < 2025;
arviz.from_cmdstan; cmdstanpy; pandas with pyarrow; safetensors. Says what it skipped.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
raw = json.loads((folder / "expected.json").read_text())
expected = {
    name: np.array(site["values"]).reshape(raw["chains"], raw["draws"], *site["shape"])
    for name, site in raw["sites"].items()
}


def same(read, what):
    for name, values in expected.items():
        assert np.array_equal(read(name), values), (what, name)
    print("ok", what)


def present(*packages):
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        print("skipped, for want of", *missing)
    return not missing


if present("xarray", "zarr"):
    import xarray as xr
    import zarr

    ZipStore = getattr(zarr, "ZipStore", None) or zarr.storage.ZipStore
    for name in ("plain.zarr", "zlib.zarr", "store.zarr.zip"):
        store = ZipStore(folder / name, mode="r") if name.endswith("zip") else str(folder / name)
        for consolidated in (True, False):
            data = xr.open_zarr(store, group="posterior", consolidated=consolidated)
            same(lambda variable: data[variable].values, f"{name} by xarray, zarr {zarr.__version__}")
            assert data.theta.dims == ("chain", "draw", "school")
            assert list(data.school.values) == ["A", "Bé", "C", "Dddd"]
        stats = xr.open_zarr(store, group="sample_stats")
        assert stats.diverging.dtype == bool and stats.tree_depth.dtype == np.int64
        assert xr.open_zarr(store).attrs["seed"] == 7

if present("arviz"):
    import arviz as az

    if zarr.__version__ < "3":
        for name in ("plain.zarr", "zlib.zarr"):
            data = az.from_zarr(str(folder / name))
            same(lambda variable: data.posterior[variable].values, f"{name} by arviz.from_zarr")
            az.summary(data), az.loo(data), az.bfmi(data)
    for name in ("stan", "stan-without-stats"):
        data = az.from_cmdstan(sorted(map(str, (folder / name).glob("*.csv"))))
        same(lambda variable: data.posterior[variable].values, f"{name} by arviz.from_cmdstan")

if present("cmdstanpy"):
    import cmdstanpy

    fit = cmdstanpy.from_csv(sorted(map(str, (folder / "stan").glob("*.csv"))))
    same(lambda variable: fit.stan_variable(variable).reshape(expected[variable].shape), "stan by cmdstanpy")
    # Not fit.divergences, which leaves out the first draw (cmdstanpy 1.3.2).
    assert list(fit.method_variables()["divergent__"].sum(0)) == [3, 3, 3] and list(fit.step_size) == [0.3] * 3

if present("pandas", "pyarrow"):
    import pandas as pd

    table = pd.read_parquet(folder / "draws.parquet")
    for name, values in expected.items():
        for index in np.ndindex(values.shape[2:]):
            column = name + (f"[{','.join(str(i + 1) for i in index)}]" if index else "")
            assert np.array_equal(table[column].values, values[(..., *index)].ravel()), column
    assert table.diverging.dtype == bool and table.chain.iloc[-1] == 2 and table.draw.iloc[-1] == 19
    print("ok draws.parquet by pandas")

if present("safetensors"):
    from safetensors.numpy import load_file

    tensors = load_file(folder / "posterior.safetensors")
    same(lambda variable: tensors[f"draws/{variable}"], "posterior.safetensors by safetensors")
