// One ES module and one style sheet per widget: anywidget imports a widget from a blob URL, which cannot import a chunk.
// A folder of src/ with an index.tsx is a widget.

import { existsSync, readdirSync } from "node:fs";
import { context } from "esbuild";

const names = readdirSync("src").filter((name) => existsSync(`src/${name}/index.tsx`));

const build = await context({
  entryPoints: names.flatMap((name) => [
    { in: `src/${name}/index.tsx`, out: name },
    { in: `src/${name}/${name}.css`, out: name },
  ]),
  outdir: "../secgemini_jupyter/widgets/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  legalComments: "inline",
  logLevel: "info",
});

if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}
