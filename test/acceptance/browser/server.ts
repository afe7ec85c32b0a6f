import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Server {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves modules, and a page that loads the first of them, on a free port of this machine. */
export async function serve(scripts: ReadonlyMap<string, Uint8Array>): Promise<Server> {
  const [entry] = scripts.keys();
  // An icon of its own keeps the browser from asking for one.
  const head = '<!doctype html><meta charset="utf-8"><title>Ansatz</title><link rel="icon" href="data:,">';
  const page = `${head}<script type="module" src="/${entry}"></script>`;
  const server = createServer(({ url = "" }, response) => {
    const script = scripts.get(url.slice(1));
    if (url === "/") response.setHeader("content-type", "text/html").end(page);
    else if (script) response.setHeader("content-type", "text/javascript").end(script);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
