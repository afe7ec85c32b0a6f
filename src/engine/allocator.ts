import { AnsatzError, InternalError } from "../base/errors.ts";

const ALIGNMENT = 64;
const PAGE = 65536;
/** Addresses below are never given out, so that 0 can mean nothing. */
const FIRST = 1024;

interface Span {
  start: number;
  end: number;
}

/** First-fit regions in one WebAssembly memory, which grows when they do not fit. Freed neighbours merge. */
export class Allocator {
  readonly memory: WebAssembly.Memory;
  private free: Span[] = [];
  private top: number;
  private used = new Map<number, number>();

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.top = memory.buffer.byteLength;
    this.free.push({ start: FIRST, end: this.top });
  }

  /** Bytes in use. */
  get usedBytes(): number {
    let total = 0;
    for (const bytes of this.used.values()) total += bytes;
    return total;
  }

  /** The address of a region of at least `bytes` bytes. Its contents are whatever was there. */
  allocate(bytes: number): number {
    const need = Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);
    let index = this.free.findIndex((s) => s.end - s.start >= need);
    if (index < 0) index = this.grow(need);
    const span = this.free[index]!;
    const address = span.start;
    span.start += need;
    if (span.start === span.end) this.free.splice(index, 1);
    this.used.set(address, need);
    return address;
  }

  release(address: number): void {
    const bytes = this.used.get(address);
    if (bytes === undefined) throw new InternalError(`address ${address} was not allocated, or was released before`);
    this.used.delete(address);
    this.insert({ start: address, end: address + bytes });
  }

  private grow(need: number): number {
    const last = this.free.at(-1);
    const tail = last && last.end === this.top ? last.end - last.start : 0;
    const pages = Math.ceil((need - tail) / PAGE);
    try {
      this.memory.grow(pages);
    } catch {
      throw new AnsatzError(
        `out of memory: ${(need / 2 ** 20).toFixed(0)} MiB more were needed on top of ${(this.top / 2 ** 20).toFixed(0)} MiB ` +
          "(WebAssembly addresses 4 GiB); use a smaller batch, fewer draws at a time or less data",
      );
    }
    const start = this.top;
    this.top += pages * PAGE;
    this.insert({ start, end: this.top });
    return this.free.length - 1;
  }

  private insert(span: Span): void {
    const at = this.free.findIndex((s) => s.start > span.start);
    const index = at < 0 ? this.free.length : at;
    this.free.splice(index, 0, span);
    const next = this.free[index + 1];
    if (next && next.start === span.end) {
      span.end = next.end;
      this.free.splice(index + 1, 1);
    }
    const previous = this.free[index - 1];
    if (previous && previous.end === span.start) {
      previous.end = span.end;
      this.free.splice(index, 1);
    }
  }
}
