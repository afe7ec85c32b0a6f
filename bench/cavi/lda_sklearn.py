"""scikit-learn's LatentDirichletAllocation on the rows that lda.ts writes: prints one line of JSON, writes the topics as f64.

python lda_sklearn.py ROWS.json TOPICS.f64 batch|online
"""

import json
import sys
import time

import numpy as np
import sklearn
from scipy.sparse import csr_matrix
from sklearn.decomposition import LatentDirichletAllocation

rows_file, topics_file, method = sys.argv[1:4]
with open(rows_file) as file:
    given = json.load(file)
counts = csr_matrix(
    (np.array(given["count"], float), (given["document"], given["word"])),
    shape=(given["documents"], given["vocabulary"]),
)
model = LatentDirichletAllocation(
    n_components=given["topics"],
    doc_topic_prior=given["alpha"],
    topic_word_prior=given["eta"],
    learning_method=method,
    max_iter=given["passes"],
    batch_size=given["batch"],
    total_samples=given["documents"],
    random_state=given["seed"],
    n_jobs=1,
    evaluate_every=-1,
)
started = time.perf_counter()
model.fit(counts)
seconds = time.perf_counter() - started
model.components_.astype("<f8").tofile(topics_file)
print(json.dumps({"version": sklearn.__version__, "passes": int(model.n_iter_), "seconds": seconds}))
