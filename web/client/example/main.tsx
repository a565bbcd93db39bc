/** The page without Next.js: `npm run example` in web/client bundles it by esbuild, within a second. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./app/page.css";
import Page from "./app/page";

createRoot(document.body).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
