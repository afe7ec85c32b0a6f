/** The names of elements that are opened and never closed, or closed and not open, in order of appearance. */
export function unbalanced(html: string): string[] {
  const empty = new Set(["meta", "img", "br"]);
  const open: string[] = [];
  const wrong: string[] = [];
  const body = html.replace(/<(style|script)[\s\S]*?<\/\1>/g, "").replace("<!doctype html>", "");
  for (const [, slash, name = "", selfClosing] of body.matchAll(/<(\/?)([a-zA-Z][\w-]*)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (selfClosing || empty.has(name)) continue;
    if (!slash) open.push(name);
    else if (open.pop() !== name) wrong.push(name);
  }
  return [...wrong, ...open];
}
