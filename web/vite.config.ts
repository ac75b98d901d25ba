/** Builds the page into the Python package, which serves it. */
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";

const here = (path: string): string => decodeURIComponent(new URL(path, import.meta.url).pathname);

// Where `npm run dev` finds a running server.
const server = loadEnv("", here("."), "COLLOQUY_")["COLLOQUY_SERVER"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  resolve: {
    // Close codes and golden events are the server's own files.
    alias: { "@protocol": here("../app/protocol") },
  },
  build: {
    outDir: here("../app/web/static"),
    emptyOutDir: true,
    target: "es2022",
    // A data: address would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    fs: { allow: [here("."), here("../app/protocol")] },
    proxy: {
      "/chat": { target: server },
      "/chats": { target: server },
      "/ws": { target: server, ws: true },
    },
  },
  test: { include: ["tests/**/*.test.ts"] },
});
