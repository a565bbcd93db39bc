// Bundles the example's page into a folder, `example/out` if none is given: the same components that Next.js builds.

import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = process.argv[2] ?? here("../example/out");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const file of ["index.html", "app/icon.svg"]) copyFileSync(here(`../example/${file}`), `${folder}/${basename(file)}`);
await build({
  entryPoints: [here("../example/main.tsx")],
  outdir: folder,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  alias: {
    "@todo-workers/client": here("../src/index.ts"),
    "@todo-workers/client/react": here("../src/react.ts"),
    // One React, also where the example has its own.
    react: here("../node_modules/react"),
    "react-dom": here("../node_modules/react-dom"),
  },
  absWorkingDir: here(".."),
});
