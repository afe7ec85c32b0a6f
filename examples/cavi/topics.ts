// Topics of short texts (latent Dirichlet allocation): which words belong together, and what each text is about.
// Run: npx tsx examples/cavi/topics.ts
import { categorical, cavi, dirichlet, full, model, type Tensor } from "ansatz";

interface Texts {
  readonly topics: number;
  readonly texts: number;
  readonly words: number;
  /** Of each distinct word of each text: which text, which word, and how often. */
  readonly text: Tensor;
  readonly word: Tensor;
  readonly count: Tensor;
}

const lda = model(({ sample, observe, plate }, { topics, texts, words, text, word, count }: Texts) => {
  const vocabulary = plate("topic", topics, () => sample("vocabulary", dirichlet(full(count, [words], 0.1))));
  const share = plate("text", texts, () => sample("share", dirichlet(full(count, [topics], 0.1))));
  plate("entry", word.shape[0]!, { copies: count }, (i) => {
    const probs = share.at(text.at(i)).reshape([1, topics]).matmul(vocabulary).reshape([words]);
    observe("word", categorical(probs), word.at(i));
  });
});

const titles = [
  "stars galaxies telescope light stars dust",
  "telescope mirror light galaxies survey stars",
  "dust stars planets orbit light telescope",
  "planets orbit moon dust rocks ice",
  "protein cells gene blood cells",
  "gene mutation cells protein growth",
  "blood pressure heart cells oxygen",
  "growth gene cells mutation blood protein",
  "market prices trade bank rates",
  "bank rates prices growth trade debt",
  "debt market bank trade crisis rates",
  "survey prices market growth rates bank",
];

const words = [...new Set(titles.flatMap((title) => title.split(" ")))];
const entries = titles.flatMap((title, text) => {
  const all = title.split(" ");
  return [...new Set(all)].map((word) => [text, words.indexOf(word), all.filter((w) => w === word).length] as const);
});
const column = (k: 0 | 1 | 2) => entries.map((entry) => entry[k]);
const sizes = { topics: 3, texts: titles.length, words: words.length };
const data = { ...sizes, text: column(0), word: column(1), count: column(2) };

const { elbo, factors } = await cavi(lda, data, { restarts: 20 });
console.log(`bound ${elbo.toFixed(2)} nats`);
const row = (site: string, i: number, n: number) => {
  const of = factors[site]!.parameters.concentration!.values.slice(i * n, (i + 1) * n);
  const total = of.reduce((a, b) => a + b, 0);
  return Array.from(of, (a, k) => [a / total, k] as const).sort((a, b) => b[0] - a[0]);
};
for (let k = 0; k < sizes.topics; k++) {
  const top = row("vocabulary", k, sizes.words).slice(0, 6).map(([, w]) => words[w]); // biome-ignore format: short
  console.log(`topic ${k + 1}: ${top.join(", ")}`);
}
for (const t of [3, 11]) {
  const about = row("share", t, sizes.topics).filter(([share]) => share > 0.1).map(([share, k]) => `${(100 * share).toFixed(0)} % topic ${k + 1}`); // biome-ignore format: short
  console.log(`"${titles[t]}": ${about.join(", ")}`);
}
