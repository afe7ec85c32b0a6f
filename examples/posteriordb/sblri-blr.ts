// The regression of sblrc-blr.ts, on a design whose columns are nearly independent.
export { default } from "./sblrc-blr.ts";
