export { inlineMath, MATH_NAMES, type MathName, mathFunction } from "./math-function.ts";
