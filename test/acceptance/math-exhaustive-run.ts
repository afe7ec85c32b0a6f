// Checks one function over the f32 numbers in a process of its own and prints the worst result as JSON:
//
//     npx tsx test/acceptance/math-exhaustive-run.ts NAME [STRIDE [STRIDE IN THE TAILS]]
import { checkAllF32, UNARY_NAMES } from "./math-exhaustive.ts";

const [given, stride = "1", tailStride = stride] = process.argv.slice(2);
const name = UNARY_NAMES.find((known) => known === given);
if (!name) throw new Error(`${given}: expected one of ${UNARY_NAMES.join(", ")}`);
console.log(JSON.stringify(await checkAllF32(name, { stride: Number(stride), tailStride: Number(tailStride) })));
