// How the page is built: into the Python package, from which the server serves it.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.PARLEY_SERVER ?? "http://127.0.0.1:4000";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/parley/server/static",
    emptyOutDir: true,
    target: "es2022",
    // A data: URL in a style sheet or image would need a wider content security policy.
    assetsInlineLimit: 0,
    // The polyfill is an inline script, which the content security policy forbids.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: { port: 5173, proxy: { "/api": server, "/v1": server, "/health": server } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
