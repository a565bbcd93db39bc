import path from "node:path";
import type { NextConfig } from "next";

/** A page without a server of its own: `out` is served by `todo-workers web`, or by any other server of files. */
const config: NextConfig = {
  output: "export",
  turbopack: { root: path.resolve(import.meta.dirname) },
};

export default config;
