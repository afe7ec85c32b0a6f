/**
 * The errors that a user can cause. Every message says what, where, what was expected and what to do; the command line prints
 * `message` alone, without a stack.
 */
export class AnsatzError extends Error {
  override name = "AnsatzError";
}

/** A shape or dtype that does not fit, found while a graph is traced. */
export class ShapeError extends AnsatzError {
  override name = "ShapeError";
}

/** Data outside a likelihood's support, or NaN, found before the first step. */
export class SupportError extends AnsatzError {
  override name = "SupportError";
}

/** A file or data set that cannot be read: says the file, the row where there is one, and what was found. */
export class DataError extends AnsatzError {
  override name = "DataError";
}

/** Options that contradict each other or name nothing known. */
export class OptionError extends AnsatzError {
  override name = "OptionError";
}

/** A bound, gradient or parameter that became NaN or infinite; `message` names the first place. */
export class NonFiniteError extends AnsatzError {
  override name = "NonFiniteError";
}

/** A failure of the engine itself (a verifier's finding, a missing rule): a bug to report, never the user's fault. */
export class InternalError extends AnsatzError {
  override name = "InternalError";
}
