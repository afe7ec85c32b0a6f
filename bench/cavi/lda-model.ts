// Latent Dirichlet allocation on the Associated Press corpus. The topics of tokens are summed out, which leaves their optimal factors
// in the bound; a plate over the distinct words of each document counts each as often as it stands there.
import { categorical, dirichlet, full, model, type Tensor } from "../../src/index.ts";

export interface LdaData {
  readonly topics: number;
  readonly vocabulary: number;
  readonly documents: number;
  /** Of each topic's words, and of each document's topics. */
  readonly eta: number;
  readonly alpha: number;
  /** Of each distinct word of each document: whose it is, which, and how often. */
  readonly document: Tensor;
  readonly word: Tensor;
  readonly count: Tensor;
}

export const lda = model(({ sample, observe, plate }, data: LdaData) => {
  const { topics, vocabulary, documents, eta, alpha, document, word, count } = data;
  const phi = plate("topic", topics, () => sample("phi", dirichlet(full(count, [vocabulary], eta))));
  const theta = plate("document", documents, () => sample("theta", dirichlet(full(count, [topics], alpha))));
  plate("entry", word.shape[0]!, { copies: count }, (i) => {
    const probs = theta.at(document.at(i)).reshape([1, topics]).matmul(phi).reshape([vocabulary]);
    observe("word", categorical(probs), word.at(i));
  });
});
