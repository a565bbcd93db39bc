// Runs the tests of test/ in this Node, which may be too old to read TypeScript. `node scripts/test.mjs <name>`: only those.

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const wanted = process.argv[2] ?? "";
const files = readdirSync("test").filter((file) => file.endsWith(".test.ts") && file.includes(wanted));
rmSync("build", { recursive: true, force: true });
await build({
  entryPoints: files.map((file) => `test/${file}`),
  outdir: "build",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  format: "esm",
  platform: "node",
  packages: "external",
  sourcemap: "inline",
});
const made = files.map((file) => `build/${file.replace(/ts$/, "mjs")}`);
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-reporter", "dot", ...made], { stdio: "inherit" });
process.exit(status ?? 1);
