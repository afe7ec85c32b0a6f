import { OptionError } from "../base/errors.ts";

/**
 * Names as a format allows them: every character that it does not know becomes "_".
 *
 * @param forbidden  one such character, with the flags "gu"
 * @param format     what errors call it
 * @returns          the new name of each
 * @throws           OptionError where two names become the same
 */
export function portableNames(names: readonly string[], forbidden: RegExp, format: string): Map<string, string> {
  const taken = new Map<string, string>();
  const renamed = new Map<string, string>();
  for (const name of names) {
    const portable = name.replace(forbidden, "_");
    const other = taken.get(portable);
    if (other !== undefined) {
      throw new OptionError(
        `"${other}" and "${name}" would both be called "${portable}" in ${format}. Rename one of the sites.`,
      );
    }
    taken.set(portable, name);
    renamed.set(name, portable);
  }
  return renamed;
}
