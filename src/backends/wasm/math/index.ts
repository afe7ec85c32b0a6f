export {
  inlineMath,
  loadSpecialMath,
  MATH_NAMES,
  type MathName,
  mathFunction,
  SPECIAL_NAMES,
} from "./math-function.ts";
