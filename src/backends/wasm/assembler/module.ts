import { InternalError } from "../../../base/errors.ts";
import { u32, utf8 } from "./encoding.ts";
import {
  call,
  type Expr,
  type FuncRef,
  i32,
  instr,
  type Token,
  type ValType,
  type VectorConstant,
  write,
} from "./expr.ts";

const VALTYPE: Record<ValType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const VOID_BLOCK = 0x40;

/** A local variable: reads as an expression, is written by `FuncBuilder.set`. */
export interface Local extends Expr {
  readonly index: number;
}

/** Builds one function body, statement by statement. */
export class FuncBuilder {
  readonly code: Token[] = [];
  readonly locals: ValType[] = [];
  private readonly paramCount: number;
  /** Open blocks, loops and ifs, so that labels can be named instead of counted. */
  private depth = 0;

  constructor(params: readonly ValType[]) {
    this.paramCount = params.length;
  }

  /** A new local, zero at the start of the function. */
  local(type: ValType): Local {
    this.locals.push(type);
    return makeLocal(this.paramCount + this.locals.length - 1, type);
  }

  /** Evaluates once into a new local. */
  let(value: Expr): Local {
    const local = this.local(value.type as ValType);
    this.set(local, value);
    return local;
  }

  set(local: Local, value: Expr): void {
    if (local.type !== value.type)
      throw new InternalError(`wasm: cannot set a ${local.type} local to a ${value.type} value`);
    write(value, this.code);
    this.code.push(0x21, ...u32(local.index));
  }

  /** A statement: a store, a call without result. A value, if there is one, is dropped. */
  do(statement: Expr): void {
    write(statement, this.code);
    if (statement.type !== "void") this.code.push(0x1a);
  }

  /** Calls a function with several results, each into a new local. */
  letCall(f: FuncRef, ...args: Expr[]): Local[] {
    write(call(f, ...args), this.code);
    const locals = f.results.map((type) => this.local(type));
    for (const local of [...locals].reverse()) this.code.push(0x21, ...u32(local.index));
    return locals;
  }

  if(condition: Expr, then: () => void, otherwise?: () => void): void {
    write(condition, this.code);
    this.open(0x04);
    then();
    if (otherwise) {
      this.code.push(0x05);
      otherwise();
    }
    this.close();
  }

  /** Repeats `body` while it calls nothing but falls through to a true `again()`: a do-while loop. */
  doWhile(body: () => void, again: () => Expr): void {
    this.open(0x03);
    body();
    write(again(), this.code);
    this.code.push(0x0d, 0);
    this.close();
  }

  /** Tests before the first turn. */
  while(condition: () => Expr, body: () => void): void {
    this.open(0x02);
    this.open(0x03);
    write(i32.eqz(condition()), this.code);
    this.code.push(0x0d, 1);
    body();
    this.code.push(0x0c, 0);
    this.close();
    this.close();
  }

  /** for (index = from; index < to; index += step), signed; `to` is evaluated on each turn. */
  for(index: Local, from: Expr, to: Expr, step: number, body: () => void): void {
    this.set(index, from);
    this.while(
      () => i32.lt_s(index, to),
      () => {
        body();
        this.set(index, i32.add(index, i32.const(step)));
      },
    );
  }

  /** A block that `leave()` jumps out of. */
  block(body: (leave: (condition?: Expr) => void) => void): void {
    this.open(0x02);
    const level = this.depth;
    body((condition) => {
      if (condition) write(condition, this.code);
      this.code.push(condition ? 0x0d : 0x0c, ...u32(this.depth - level));
    });
    this.close();
  }

  /** Runs `cases[index]`; an index outside runs the last case. */
  switch(index: Expr, cases: readonly (() => void)[]): void {
    const n = cases.length;
    for (let i = 0; i <= n; i++) this.open(0x02);
    write(index, this.code);
    this.code.push(0x0e, ...u32(n - 1), ...cases.slice(0, -1).flatMap((_, i) => u32(i)), ...u32(n - 1));
    this.close();
    for (let i = 0; i < n; i++) {
      cases[i]!();
      this.code.push(0x0c, ...u32(n - 1 - i));
      this.close();
    }
  }

  return(...values: Expr[]): void {
    for (const value of values) write(value, this.code);
    this.code.push(0x0f);
  }

  private open(opcode: number): void {
    this.code.push(opcode, VOID_BLOCK);
    this.depth++;
  }

  private close(): void {
    this.code.push(0x0b);
    this.depth--;
  }
}

const makeLocal = (index: number, type: ValType): Local => ({ ...instr(type, [0x20, ...u32(index)]), index });

interface Definition extends FuncRef {
  readonly builder: FuncBuilder;
}
interface Import extends FuncRef {
  readonly module: string;
}

/** One WebAssembly module under construction: imports a memory, defines functions, exports some of them. */
export class ModuleBuilder {
  private readonly imports: Import[] = [];
  private readonly functions: Definition[] = [];
  private readonly exports: [string, FuncRef][] = [];
  private readonly named = new Map<string, FuncRef>();
  private readonly memory: { module: string; name: string; shared: boolean };

  constructor(memory = { module: "env", name: "memory", shared: false }) {
    this.memory = memory;
  }

  importFunction(module: string, name: string, params: readonly ValType[], results: readonly ValType[]): FuncRef {
    return this.once(`import ${module}.${name}`, () => {
      const ref: Import = { module, name, params, results };
      this.imports.push(ref);
      return ref;
    });
  }

  /**
   * Defines a function. `build` receives its builder and parameters, and returns the result, the results, or nothing
   * (when it has no result, or returned through `FuncBuilder.return`).
   */
  function(
    name: string,
    params: readonly ValType[],
    results: readonly ValType[],
    build: (f: FuncBuilder, ...params: Local[]) => Expr | readonly Expr[] | void,
  ): FuncRef {
    const builder = new FuncBuilder(params);
    const definition: Definition = { name, params, results, builder };
    const value = build(builder, ...params.map((type, i) => makeLocal(i, type)));
    if (value) for (const expr of Array.isArray(value) ? (value as Expr[]) : [value as Expr]) write(expr, builder.code);
    else if (results.length) builder.code.push(0x00);
    this.functions.push(definition);
    return definition;
  }

  /** The function known as `key`, defined by `define` at the first request: how shared routines are linked on demand. */
  once(key: string, define: () => FuncRef): FuncRef {
    const known = this.named.get(key);
    if (known) return known;
    const ref = define();
    this.named.set(key, ref);
    return ref;
  }

  export(name: string, ref: FuncRef): void {
    this.exports.push([name, ref]);
  }

  /** The imported functions, as module.name. */
  get importNames(): string[] {
    return this.imports.map((i) => `${i.module}.${i.name}`);
  }

  encode(): Uint8Array<ArrayBuffer> {
    const all: FuncRef[] = [...this.imports, ...this.functions];
    const indexOf = new Map(all.map((ref, i) => [ref, i]));
    const typeKeys: string[] = [];
    const typeBytes: number[][] = [];
    const typeOf = (ref: FuncRef): number => {
      const key = `${ref.params.join()}:${ref.results.join()}`;
      let index = typeKeys.indexOf(key);
      if (index < 0) {
        index = typeKeys.push(key) - 1;
        const list = (types: readonly ValType[]) => [...u32(types.length), ...types.map((t) => VALTYPE[t])];
        typeBytes.push([0x60, ...list(ref.params), ...list(ref.results)]);
      }
      return index;
    };
    const { module, name, shared } = this.memory;
    const memoryImport = [...utf8(module), ...utf8(name), 0x02, ...(shared ? [3, 0, ...u32(65536)] : [0, 0])];
    const functionImports = this.imports.map((f) => [...utf8(f.module), ...utf8(f.name), 0x00, ...u32(typeOf(f))]);
    const declarations = this.functions.map((f) => u32(typeOf(f)));
    const exports = this.exports.map(([as, ref]) => [...utf8(as), 0x00, ...u32(indexOf.get(ref)!)]);
    const constants = new Map<string, number>();
    const globals: number[][] = [];
    const indexOfConstant = ({ bytes }: VectorConstant): number => {
      const key = bytes.join();
      const known = constants.get(key);
      if (known !== undefined) return known;
      globals.push([VALTYPE.v128, 0, 0xfd, 12, ...bytes, 0x0b]);
      constants.set(key, constants.size);
      return constants.size - 1;
    };
    const bodies = this.functions.map((f) => encodeBody(f.builder, indexOf, indexOfConstant));

    const out: number[][] = [[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]];
    const section = (id: number, items: number[][]) => {
      const bytes = [u32(items.length), ...items];
      out.push([id, ...u32(bytes.reduce((n, b) => n + b.length, 0))], ...bytes);
    };
    section(1, typeBytes);
    section(2, [memoryImport, ...functionImports]);
    section(3, declarations);
    if (globals.length) section(6, globals);
    section(7, exports);
    section(10, bodies);
    const encoded = new Uint8Array(out.reduce((n, b) => n + b.length, 0));
    let at = 0;
    for (const bytes of out) {
      encoded.set(bytes, at);
      at += bytes.length;
    }
    return encoded;
  }
}

function encodeBody(
  f: FuncBuilder,
  indexOf: ReadonlyMap<FuncRef, number>,
  indexOfConstant: (constant: VectorConstant) => number,
): number[] {
  const runs: [number, ValType][] = [];
  for (const type of f.locals) {
    const last = runs.at(-1);
    if (last && last[1] === type) last[0]++;
    else runs.push([1, type]);
  }
  const body = [...u32(runs.length)];
  for (const [count, type] of runs) body.push(...u32(count), VALTYPE[type]);
  for (const token of f.code) {
    if (typeof token === "number") body.push(token);
    else if ("bytes" in token) body.push(0x23, ...u32(indexOfConstant(token)));
    else for (const byte of u32(indexOf.get(token)!)) body.push(byte);
  }
  body.push(0x0b);
  return [...u32(body.length), ...body];
}
