import type { BlasVendor } from "../native.ts";

/** A library that may be there, by the name that the system's loader knows or by its path. */
export interface Candidate {
  readonly name: string;
  readonly vendor: BlasVendor;
}

const LINUX: Candidate[] = [
  // Fedora ships serial, pthreads and OpenMP builds apart; Debian's and others' libopenblas is the threaded one.
  { name: "libopenblasp.so.0", vendor: "openblas" },
  { name: "libopenblas.so.0", vendor: "openblas" },
  { name: "libopenblas.so", vendor: "openblas" },
  { name: "libmkl_rt.so.3", vendor: "mkl" },
  { name: "libmkl_rt.so.2", vendor: "mkl" },
  { name: "libmkl_rt.so.1", vendor: "mkl" },
  { name: "libmkl_rt.so", vendor: "mkl" },
  { name: "libblis-mt.so.4", vendor: "blis" },
  { name: "libblis.so.4", vendor: "blis" },
  { name: "libblis.so", vendor: "blis" },
  { name: "libcblas.so.3", vendor: "reference" },
  { name: "libblas.so.3", vendor: "reference" },
];

const MACOS: Candidate[] = [
  { name: "/System/Library/Frameworks/Accelerate.framework/Accelerate", vendor: "accelerate" },
  { name: "/opt/homebrew/opt/openblas/lib/libopenblas.dylib", vendor: "openblas" },
  { name: "/usr/local/opt/openblas/lib/libopenblas.dylib", vendor: "openblas" },
  { name: "libmkl_rt.2.dylib", vendor: "mkl" },
];

const WINDOWS: Candidate[] = [
  { name: "libopenblas.dll", vendor: "openblas" },
  { name: "openblas.dll", vendor: "openblas" },
  { name: "mkl_rt.3.dll", vendor: "mkl" },
  { name: "mkl_rt.2.dll", vendor: "mkl" },
  { name: "mkl_rt.1.dll", vendor: "mkl" },
];

/** What is tried on a platform (`process.platform`), in this order. */
export function platformCandidates(platform: string): readonly Candidate[] {
  return platform === "win32" ? WINDOWS : platform === "darwin" ? MACOS : LINUX;
}

/**
 * What ANSATZ_BLAS asks for: a vendor ("openblas", "mkl", "blis", "accelerate", "reference") stands for its libraries on this
 * platform, anything else is a name or path that the system's loader resolves.
 */
export function requestedCandidates(request: string, platform: string): readonly Candidate[] {
  const ofVendor = platformCandidates(platform).filter((c) => c.vendor === request.toLowerCase());
  return ofVendor.length > 0 ? ofVendor : [{ name: request, vendor: vendorOfName(request) }];
}

/** The vendor that a file name tells. */
export function vendorOfName(name: string): BlasVendor {
  const file = name.toLowerCase();
  if (file.includes("openblas")) return "openblas";
  if (file.includes("mkl")) return "mkl";
  if (file.includes("blis")) return "blis";
  if (file.includes("accelerate")) return "accelerate";
  return "unknown";
}
