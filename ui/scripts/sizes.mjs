// Prints what a first visit loads, packed as the network carries it, and fails above the budget.
import { readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const MAX_SCRIPT_BYTES = 200 * 1024;
const MAX_REQUESTS = 15;

const root = join(dirname(fileURLToPath(import.meta.url)), "../../src/parley/server/static");
const page = readFileSync(join(root, "index.html"), "utf8");
const first = [...page.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1]);
const packed = (path) => gzipSync(readFileSync(join(root, path)), { level: 9 }).length;
const shown = (bytes) => `${(bytes / 1024).toFixed(1).padStart(7)} KB`;

let script = 0;
for (const path of first) {
  if (path.endsWith(".js")) script += packed(path);
  console.log(`first  ${shown(packed(path))}  ${path}`);
}
for (const name of readdirSync(join(root, "assets"))) {
  const path = `assets/${name}`;
  if (!first.includes(path) && statSync(join(root, path)).isFile()) console.log(`later  ${shown(packed(path))}  ${path}`);
}
const requests = first.length + 1;
console.log(`first load: ${shown(script).trim()} of script (at most ${MAX_SCRIPT_BYTES / 1024}), ${requests} requests (at most ${MAX_REQUESTS})`);
if (script > MAX_SCRIPT_BYTES || requests > MAX_REQUESTS) process.exit(1);
