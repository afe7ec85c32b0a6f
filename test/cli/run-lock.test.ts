import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockName, lockRun } from "../../cli/run-lock.ts";

let run: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), "ansatz-lock-"));
});
afterEach(() => rmSync(run, { recursive: true }));

const lock = () => join(run, lockName);
const writeLock = (holder: object) => writeFileSync(lock(), `${JSON.stringify(holder)}\n`);

test("a run is held until it is given back", () => {
  const release = lockRun(run);
  expect(() => lockRun(run)).toThrow(`process ${process.pid} is training this run`);
  release();
  release();
  expect(readdirSync(run)).toEqual([]);
  lockRun(run)();
});

test("a live process keeps its run, and the error says which process it is", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  try {
    writeLock({ pid: child.pid, host: hostname(), started: null });
    expect(() => lockRun(run)).toThrow(`process ${child.pid} is training this run`);
  } finally {
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve));
  }
  lockRun(run)();
  expect(existsSync(lock())).toBe(false);
});

test("the lock of a process that ended is taken over", () => {
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  writeLock({ pid, host: hostname(), started: "an earlier boot/1" });
  const release = lockRun(run);
  expect(JSON.parse(readFileSync(lock(), "utf8")).pid).toBe(process.pid);
  release();
});

test.runIf(process.platform === "linux")("a later process of the same number does not keep it locked", () => {
  writeLock({ pid: process.ppid, host: hostname(), started: "an earlier boot/1" });
  lockRun(run)();
  writeLock({ pid: process.pid, host: hostname(), started: "an earlier boot/1" });
  lockRun(run)();
});

test("a lock that is no JSON, as a full disk may leave it, is taken over", () => {
  writeFileSync(lock(), "");
  lockRun(run)();
});

test("a lock from another machine stands, because nobody here can tell whether its process lives", () => {
  writeLock({ pid: 1, host: "elsewhere", started: null });
  expect(() => lockRun(run)).toThrow(`process 1 on elsewhere. If that process is gone, delete ${lock()}`);
});

test("a lock that changed hands is not given back by its former holder", () => {
  const release = lockRun(run);
  writeLock({ pid: 1, host: "elsewhere", started: null });
  release();
  expect(existsSync(lock())).toBe(true);
});
