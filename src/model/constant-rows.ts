import type { Rewrite } from "./substitute.ts";

/** A gather whose index has become one constant is a row, repeated: cheaper, and it fuses. */
export const rowOfConstant: Rewrite = (b, node, [table, given]) => {
  if (node.op !== "gather") return null;
  let index = given!;
  while (index.op === "cast" || index.op === "reshape" || index.op === "broadcast") index = index.inputs[0]!;
  if (index.op !== "const") return null;
  const rows = table!.shape[0]!;
  const at = Math.max(0, Math.min(rows - 1, index.attrs.value as number));
  const rest = table!.shape.slice(1);
  const row = b.reshape(b.slice(table!, [at, ...rest.map(() => 0)], [1, ...rest]), rest);
  const lead = given!.shape.length;
  return lead ? b.broadcast(row, node.shape, rest.map((_, d) => d + lead)) : row; // biome-ignore format: short
};
