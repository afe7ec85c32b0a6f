/**
 * Which kernels OpenBLAS should use, where it would choose badly.
 *
 * OpenBLAS looks its kernels up by processor model when it is loaded, once and for all, and a release knows only the models of its
 * time: 0.3.21 (Debian 12) takes AVX2 or even SSE3 kernels on a newer AVX-512 server, at half the speed or less. So for old or
 * unidentified releases OPENBLAS_CORETYPE is set by what the processor can do. Releases from `SELF_RELIANT` on choose by such features
 * themselves and are left alone, as is a choice that the user made. A name that a build does not hold is ignored by OpenBLAS.
 */
export function coreTypeToSet(known: {
  /** The contents of /proc/cpuinfo, empty where there is none. */
  cpuinfo: string;
  /** OPENBLAS_CORETYPE as the user has it. */
  chosen: string | undefined;
  /** The library's resolved path, which names the release on most systems: libopenblasp-r0.3.21.so. */
  path: string;
}): string | null {
  if (known.chosen !== undefined) return null;
  const release = /(\d+)\.(\d+)\.(\d+)/.exec(known.path.split("/").at(-1) ?? "");
  if (release) {
    const number = release.slice(1).reduce((total, part) => total * 1000 + Number(part), 0);
    if (number >= SELF_RELIANT) return null;
  }
  const flags = new Set(/^flags\s*:(.*)$/m.exec(known.cpuinfo)?.[1]?.trim().split(/\s+/));
  const has = (...names: string[]) => names.every((name) => flags.has(name));
  if (has("avx512f", "avx512bw", "avx512vl", "avx512dq")) return "SkylakeX";
  if (has("avx2", "fma")) return "Haswell";
  return null;
}

/** 0.3.30 */
const SELF_RELIANT = 3030;
