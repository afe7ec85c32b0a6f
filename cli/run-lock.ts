import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { AnsatzError } from "../src/node.ts";

/** Who holds a run directory. `started` tells two processes of one number apart, where the system says when they began. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly started: string | null;
}

export const lockName = "lock";

/**
 * Takes a run directory for this process, so that two processes never write one run. The lock of a process that is gone
 * (killed, or lost with the machine) is taken over.
 *
 * @returns  gives the directory back; may be called twice
 * @throws   AnsatzError when a live process, or one of another machine, holds it
 */
export function lockRun(directory: string): () => void {
  const path = join(directory, lockName);
  const own: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
  const text = `${JSON.stringify(own)}\n`;
  const draft = join(directory, `.${lockName}.${process.pid}.tmp`);
  writeFileSync(draft, text);
  try {
    // A hard link appears with its whole content or not at all, and never replaces a file.
    for (let attempt = 0; attempt < 5; attempt++) {
      if (linked(draft, path)) return () => release(path, text);
      const found = readIfPresent(path);
      if (found === null) continue;
      const holder = parse(found);
      if (holder && !isStale(holder, own)) throw held(directory, path, holder, own);
      removeStale(path, found, `${draft}.old`);
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new AnsatzError(`${path} changes hands all the time: other processes are starting this run. Try again later.`);
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS") throw error;
    return written(to, readFileSync(from, "utf8")); // a file system without hard links
  }
}

function written(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Takes a stale lock away. It is renamed first: of several processes that see the same stale lock one gets it, and where
 * what it got is a fresh lock, that came in between, it is put back.
 */
function removeStale(path: string, stale: string, aside: string): void {
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (readIfPresent(aside) !== stale) linked(aside, path);
  rmSync(aside, { force: true });
}

function release(path: string, text: string): void {
  if (readIfPresent(path) !== text) return;
  try {
    unlinkSync(path);
  } catch {
    // Gone already.
  }
}

function isStale(holder: Holder, own: Holder): boolean {
  if (holder.host !== own.host) return false;
  if (holder.pid === own.pid) return holder.started !== own.started || holder.started === null;
  if (!isAlive(holder.pid)) return true;
  const started = startOf(holder.pid);
  return started !== null && holder.started !== null && started !== holder.started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return startOf(pid) !== "ended";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // alive, and another user's
  }
}

/**
 * Boot and clock tick at which a process began (Linux: proc_pid_stat(5), field 22); "ended" for one whose parent has not yet
 * collected it; null where nothing is told.
 */
function startOf(pid: number): string | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    // The second field is the program's name in parentheses and may hold blanks; the third is the state.
    const later = fields.slice(fields.lastIndexOf(")") + 2).split(" ");
    return later[0] === "Z" || later[0] === "X" ? "ended" : `${boot}/${later[19]}`;
  } catch {
    return null;
  }
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function parse(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Partial<Holder>;
    return typeof value.pid === "number" && typeof value.host === "string"
      ? ({ started: null, ...value } as Holder)
      : null;
  } catch {
    return null;
  }
}

const held = (directory: string, path: string, holder: Holder, own: Holder): AnsatzError =>
  new AnsatzError(
    holder.host === own.host
      ? `${directory} is in use: process ${holder.pid} is training this run. Wait for it to end, or stop it.`
      : `${directory} is in use by process ${holder.pid} on ${holder.host}. If that process is gone, delete ${path}.`,
  );
