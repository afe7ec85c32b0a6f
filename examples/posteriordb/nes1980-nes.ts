// The regression of nes2000-nes.ts, on the survey of 1980.
export { default } from "./nes2000-nes.ts";
