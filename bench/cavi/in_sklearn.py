"""scikit-learn's variational mixture and LDA, answering the requests of speed.ts."""

import json
import pathlib
import sys
import time
import warnings

import numpy as np
import sklearn
from scipy.sparse import csr_matrix
from sklearn.decomposition import LatentDirichletAllocation
from sklearn.mixture import BayesianGaussianMixture

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "peers" / "models"))
from serving import Peer  # noqa: E402

warnings.filterwarnings("ignore")


class Started(BayesianGaussianMixture):
    """Begins from given responsibilities."""

    def _initialize_parameters(self, X, *_args, **_named):
        self._initialize(X, self.start)


class Sklearn(Peer):
    about = {"peer": "scikit-learn", "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__}, "threads": 0, "blas": ""}

    def do_mixture(self, r: dict) -> dict:
        x = np.fromfile(r["x"]).reshape(r["rows"], r["columns"])
        start = np.fromfile(r["start"]).reshape(r["rows"], r["components"])
        d = r["columns"]
        fit = Started(
            n_components=r["components"], covariance_type="full", tol=0, reg_covar=0, max_iter=r["sweeps"] - 1,
            weight_concentration_prior_type="dirichlet_distribution", weight_concentration_prior=1.0,
            mean_precision_prior=0.1, mean_prior=np.zeros(d), degrees_of_freedom_prior=d, covariance_prior=d * np.eye(d),
        )
        fit.start = start
        began = time.perf_counter()
        fit.fit(x)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "perSweep": seconds / r["sweeps"], "means": fit.means_.ravel().tolist()}

    def do_lda(self, r: dict) -> dict:
        """`sweeps` passes; the topics as float64 into the file `start`."""
        with open(r["entries"]) as file:
            given = json.load(file)
        counts = csr_matrix(
            (np.array(given["count"], float), (given["document"], given["word"])),
            shape=(given["documents"], given["vocabulary"]),
        )
        fit = LatentDirichletAllocation(
            n_components=given["topics"], doc_topic_prior=given["alpha"], topic_word_prior=given["eta"],
            learning_method="batch", max_iter=r["sweeps"], random_state=r["seed"], evaluate_every=-1, n_jobs=1,
        )
        began = time.perf_counter()
        fit.fit(counts)
        seconds = time.perf_counter() - began
        fit.components_.astype("<f8").tofile(r["start"])
        return {"seconds": seconds}


Sklearn().serve()
