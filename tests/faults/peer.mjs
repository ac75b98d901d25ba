// The page's own connection on Node's own WebSocket, led by lines of JSON.
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = process.argv[2];

// What the bundler does for the page: names without endings, the server's own tables.
registerHooks({
  resolve(name, context, next) {
    if (name.startsWith("@protocol/")) {
      const path = `${root}/app/protocol/${name.slice("@protocol/".length)}`;
      return { url: pathToFileURL(path).href, shortCircuit: true };
    }
    return next(/^\.\/[^.]+$/.test(name) ? `${name}.ts` : name, context);
  },
  load(url, context, next) {
    if (!url.endsWith(".json")) return next(url, context);
    const source = `export default ${readFileSync(fileURLToPath(url), "utf8")}`;
    return { format: "module", source, shortCircuit: true };
  },
});
const { Connection } = await import(pathToFileURL(`${root}/web/src/client/connection.ts`).href);

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const peers = new Map();

function open({ id, url, protocol, hello, ticket, pongs }) {
  const peer = { socket: null, connection: null };
  class Watched extends WebSocket {
    constructor(address, spoken) {
      super(address, protocol ?? spoken);
      peer.socket = this;
      this.addEventListener("message", ({ data }) => {
        tell({ id, kind: "frame", type: JSON.parse(data).type });
      });
      this.addEventListener("close", ({ code, reason }) => {
        tell({ id, kind: "closed", code, reason });
      });
    }
    send(data) {
      if (data === '{"type":"pong"}' && !pongs) return;
      if (hello === null && data.startsWith('{"type":"hello"')) return;
      super.send(data);
    }
  }
  const environment = {
    now: () => Date.now(),
    setTimeout,
    clearTimeout,
    random: () => Math.random(),
    WebSocket: Watched,
  };
  peer.connection = new Connection(environment, {
    url: () => url,
    hello: (given) => ({ type: "hello", ...hello, ...(given === null ? {} : { ticket: given }) }),
    ticket: async () => ticket,
    onFrame: () => undefined,
    onStatus: ({ kind, code, retryAt }) => {
      const wait = retryAt === undefined ? null : retryAt - Date.now();
      tell({ id, kind: "status", status: kind, code: code ?? null, wait });
    },
    onForget: () => tell({ id, kind: "forgets" }),
  });
  peers.set(id, peer);
  peer.connection.open();
}

for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...rest } = JSON.parse(line);
  const peer = peers.get(rest.id);
  if (what === "open") open(rest);
  else if (what === "text") peer.socket.send(rest.text);
  else if (what === "bytes") peer.socket.send(new Uint8Array([0, 1, 2]));
  else if (what === "leave") peer.connection.close();
}
