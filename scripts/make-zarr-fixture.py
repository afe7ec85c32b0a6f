"""The Zarr store that xarray writes of a small posterior: the oracle of test/posterior/inference-data.test.ts.

    python3 scripts/make-zarr-fixture.py        # needs: pip install "zarr<3" "xarray<2025" numpy

writes test/fixtures/zarr-xarray.json: {PATH: text of a JSON file, or base64 of a chunk}. The numbers are those of `values` in the
test, exact in binary.
"""

import base64
import json
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr

chains, draws = 2, 5


def values(count, start):
    return (np.arange(start, start + count) * 7919 % 1000) / 8 - 60


labels = {"chain": np.arange(chains), "draw": np.arange(draws)}
posterior = xr.Dataset(
    {
        "mu": (["chain", "draw"], values(10, 0).reshape(chains, draws)),
        "theta": (["chain", "draw", "school"], values(30, 1).reshape(chains, draws, 3)),
        "a": (["chain", "draw", "a_dim_0", "a_dim_1"], values(40, 2).reshape(chains, draws, 2, 2)),
    },
    coords=labels | {"school": ["A", "Bé", "Third"], "a_dim_0": [0, 1], "a_dim_1": [0, 1]},
)
sample_stats = xr.Dataset(
    {
        "lp": (["chain", "draw"], values(10, 3).reshape(chains, draws)),
        "tree_depth": (["chain", "draw"], (np.arange(10) % 4).reshape(chains, draws)),
        "diverging": (["chain", "draw"], (np.arange(10) % 3 == 0).reshape(chains, draws)),
    },
    coords=labels,
)
observed_data = xr.Dataset({"y": (["school"], values(3, 4))}, coords={"school": ["A", "Bé", "Third"]})


def encoding(data):
    """One chunk a chain, no compression."""
    return {
        name: {"compressor": None, "chunks": [1, *array.shape[1:]] if "chain" in array.dims else list(array.shape)}
        for name, array in data.data_vars.items()
    } | {name: {"compressor": None} for name in data.coords}


with tempfile.TemporaryDirectory() as folder:
    for name, data in [("posterior", posterior), ("sample_stats", sample_stats), ("observed_data", observed_data)]:
        data.to_zarr(folder, group=name, mode="a", encoding=encoding(data), consolidated=False)
    files = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            text = path.name.startswith(".z")
            files[path.relative_to(folder).as_posix()] = (
                path.read_text() if text else base64.b64encode(path.read_bytes()).decode()
            )

target = Path(__file__).parent.parent / "test" / "fixtures" / "zarr-xarray.json"
target.write_text(json.dumps(files, indent=0) + "\n")
