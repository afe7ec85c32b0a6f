import { FAILURE_WORD, SLEEPERS_WORD } from "../native.ts";
import { atomic, call, type Expr, type FuncRef, i32, i64, unreachable } from "./assembler/expr.ts";
import type { ModuleBuilder } from "./assembler/module.ts";

/** How often to look before going to sleep. */
const LOOKS = 100_000;
/** Longest sleep before looking again, in nanoseconds. */
const PATIENCE = 100_000_000n;

/** Words of the block: phase and parts taken in one word (24 and 8 bits), parts done. */
const DONE = 4;
const SLEEPERS = 4 * SLEEPERS_WORD;

export interface Meeting {
  /** (block, phase, parts) → the part to do now, or −1 when the phase is over. */
  readonly enter: FuncRef;
  /** (block, phase, parts): a part is done; the last one opens the next phase. */
  readonly leave: FuncRef;
}

/**
 * Threads meet in a block of shared memory. A phase is open for taking parts while the first word holds its number; whoever finishes
 * the last part moves it on. A thread that was not running when a phase was worked off finds it over, and goes on to the next.
 */
export function meetingFunctions(m: ModuleBuilder): Meeting {
  const open = (word: Expr, phase: Expr) => i32.eq(i32.shr_u(word, i32.const(8)), i32.and(phase, i32.const(0xffffff)));
  const wait = m.once("meeting.wait", () =>
    m.function("wait", ["i32", "i32"], [], (f, block, phase) => {
      const looks = f.let(i32.const(LOOKS));
      f.while(
        () => looks,
        () => {
          f.if(i32.eqz(open(atomic.load(block!), phase!)), () => f.return());
          f.set(looks, i32.sub(looks, i32.const(1)));
        },
      );
      const word = f.let(atomic.load(block!));
      f.do(atomic.add(block!, i32.const(1), SLEEPERS));
      f.while(
        () => {
          f.set(word, atomic.load(block!));
          return open(word, phase!);
        },
        () => {
          f.do(atomic.wait(block!, word, i64.const(PATIENCE)));
          f.if(atomic.load(block!, 4 * FAILURE_WORD), () => f.do(unreachable));
        },
      );
      f.do(atomic.add(block!, i32.const(-1), SLEEPERS));
    }),
  );
  const enter = m.once("meeting.enter", () =>
    m.function("enter", ["i32", "i32", "i32"], ["i32"], (f, block, phase, parts) => {
      const word = f.local("i32");
      f.while(
        () => {
          f.set(word, atomic.load(block!));
          return open(word, phase!);
        },
        () => {
          const taken = i32.and(word, i32.const(255));
          f.if(
            i32.lt_u(taken, parts!),
            () => {
              const before = atomic.compareExchange(block!, word, i32.add(word, i32.const(1)));
              f.if(i32.eq(before, word), () => f.return(taken));
            },
            () => f.do(call(wait, block!, phase!)),
          );
        },
      );
      return i32.const(-1);
    }),
  );
  const leave = m.once("meeting.leave", () =>
    m.function("leave", ["i32", "i32", "i32"], [], (f, block, phase, parts) => {
      f.if(i32.lt_u(i32.add(atomic.add(block!, i32.const(1), DONE), i32.const(1)), parts!), () => f.return());
      f.do(atomic.store(block!, i32.const(0), DONE));
      f.do(atomic.store(block!, i32.shl(i32.add(phase!, i32.const(1)), i32.const(8))));
      f.if(atomic.load(block!, SLEEPERS), () => f.do(atomic.notify(block!, i32.const(-1))));
    }),
  );
  return { enter, leave };
}
