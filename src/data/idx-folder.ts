/** Which file of a folder plays which part: names only, nothing is read here. */
export interface IdxFolder {
  readonly train: string | null;
  readonly trainLabels: string | null;
  readonly test: string | null;
  readonly testLabels: string | null;
}

type Split = "train" | "test" | "valid" | "all";

interface IdxName {
  readonly file: string;
  /**
   * What the names of one data set share: "" for MNIST, "binarized_mnist" for binarized_mnist_train-images-idx3-ubyte.
   */
  readonly set: string;
  readonly split: Split;
  readonly kind: "images" | "labels";
}

const splits: Record<string, Split> = { train: "train", t10k: "test", test: "test", valid: "valid", val: "valid" };

/** Reads `[set_]split-(images|labels)-idxN-ubyte[.gz]`, also with a dot before idxN as some unpackers leave it. */
function readName(file: string): IdxName | null {
  const [, stem, kind] = /^(.*?)(images|labels)[-.]idx\d-[a-z0-9]+(?:\.gz)?$/.exec(file) ?? [];
  if (stem === undefined || kind === undefined) return null;
  const words = stem.replace(/[-_.]+$/, "");
  const [, set, word] = /^(?:(.*)[-_.])?([^-_.]*)$/.exec(words) ?? [];
  const split = splits[word ?? ""];
  return { file, set: split ? (set ?? "") : words, split: split ?? "all", kind: kind as "images" | "labels" };
}

/** What the names must look like, for the error when none does. */
export const idxPatterns =
  "train-images-idx3-ubyte[.gz] with t10k-images-idx3-ubyte[.gz] or test-images-idx3-ubyte[.gz], optionally " +
  "train-labels-idx1-ubyte[.gz] and t10k-labels-idx1-ubyte[.gz], each also with a prefix such as binarized_mnist_, " +
  "or one NAME-images-idx3-ubyte[.gz]";

/**
 * Finds MNIST's files and those named like them. A `valid` file serves as the test file where there is none, else it is
 * left alone; an unpacked file goes before its .gz.
 *
 * @returns the parts, or `sets` that the folder holds where it does not hold exactly one
 */
export function findIdx(files: readonly string[]): IdxFolder | { readonly sets: readonly string[] } {
  const names = [...files]
    .sort()
    .map(readName)
    .filter((name) => name !== null);
  const images = names.filter((name) => name.kind === "images");
  const sets = [...new Set(images.map((name) => name.set))];
  if (sets.length !== 1) return { sets: images.map((name) => name.file) };
  const pick = (kind: IdxName["kind"], ...order: Split[]): string | null => {
    for (const split of order) {
      const found = names.find((name) => name.kind === kind && name.set === sets[0] && name.split === split);
      if (found) return found.file;
    }
    return null;
  };
  const has = (split: Split): boolean => pick("images", split) !== null;
  const trainSplit: Split = has("train") ? "train" : has("all") ? "all" : has("test") ? "test" : "valid";
  const testSplit: Split | null = trainSplit !== "train" ? null : has("test") ? "test" : has("valid") ? "valid" : null;
  return {
    train: pick("images", trainSplit),
    trainLabels: pick("labels", trainSplit),
    test: testSplit && pick("images", testSplit),
    testLabels: testSplit && pick("labels", testSplit),
  };
}
