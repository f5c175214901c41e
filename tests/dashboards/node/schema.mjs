// Dashboards against the types of @grafana/schema 9.4.17, 12.4.11 and 13.2.3: one TypeScript file
// a version, checked by tsc. Enumerations are taken as the texts they stand for, because JSON has
// no other. What is known of a version and is no fault of ours is in KNOWN.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const boards = join(here, "../../../dashboards/grafana");
const build = join(here, "build");
const VERSIONS = [9, 12, 13];
const PANELS = { bargauge: "BarGauge", gauge: "Gauge", geomap: "Geomap", heatmap: "Heatmap", histogram: "Histogram", stat: "Stat", "state-timeline": "StateTimeline", "status-history": "StatusHistory", table: "Table", timeseries: "TimeSeries" };
const LOOSE = `
type Loose<T> = T extends string ? (string extends T ? string : T | \`\${T}\`)
  : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Loose<U>[]
  : T extends object ? { [K in keyof T]: Loose<T[K]> } : T;
`;

/** A dashboard without its panels, or one panel, as a typed constant. */
function constants(version) {
  const lines = [];
  const heads = new Set([`import type { Dashboard, Panel } from "schema-${version}";`]);
  const names = {};
  for (const file of readdirSync(boards).filter((name) => name.endsWith(".json")).sort()) {
    const { panels, ...board } = JSON.parse(readFileSync(join(boards, file), "utf8"));
    const add = (type, value, where) => { const name = `c${lines.length}`; names[name] = `${file}: ${where}`; lines.push(`export const ${name}: ${type} = ${JSON.stringify(forVersion(version, value))};`); };
    // Versions 9 and 12 know of `null` for a number that is absent in memory only.
    const { id, ...whole } = board;
    if (id !== null) throw new Error(`${file}: has an id`);
    add(`Loose<Partial<Dashboard>>`, version === 9 ? before10(whole) : withoutTargets(whole), "dashboard");
    for (const panel of panels.filter((one) => one.type !== "row")) {
      add("Loose<Partial<Panel>>", panel, panel.title);
      if (version < 12) continue; // 9.4 publishes no types of panels' options
      const kind = panel.type.replace("-", ""), pascal = PANELS[panel.type];
      heads.add(`import type { Options as ${pascal}Options } from "schema-${version}/dist/esm/raw/composable/${kind}/panelcfg/x/${pascal}PanelCfg_types.gen";`);
      add(`Loose<Partial<${pascal}Options>>`, optionsFor(panel), `${panel.title} (options)`);
    }
  }
  return { text: [...heads].join("\n") + LOOSE + lines.join("\n") + "\n", names };
}

/** 9.4's types of variables and annotations lack what 9.4's own code writes, and ask for its memory. */
function before10(board) {
  const timepicker = { collapse: false, enable: true, hidden: false, time_options: [], ...board.timepicker };
  return { ...board, templating: { list: [] }, annotations: { list: [] }, timepicker };
}

/** No version has a type for how an annotation asks a data source. */
function withoutTargets(board) {
  return { ...board, annotations: { list: board.annotations.list.map(({ target, ...one }) => one) } };
}

/** 9.4's types forbid the null of the first threshold and all schemes but one; its code has both (data.mjs). */
function forVersion(version, value) {
  if (version !== 9) return value;
  const known = { steps: (one) => one.map((step) => ({ ...step, value: step.value ?? -1e300 })), mode: (one) => one.replace(/^continuous-.*/, "continuous-GrYlRd") };
  const text = JSON.stringify(value, (key, one) => ((key === "steps" && Array.isArray(one)) || (key === "mode" && typeof one === "string") ? known[key](one) : one));
  return JSON.parse(text);
}

/** Keys that only Grafana 9 reads, beside those that replaced them. */
const OLD = { heatmap: [["tooltip", "show"]], table: [] };
function optionsFor(panel) {
  const options = structuredClone(panel.options);
  for (const path of OLD[panel.type] ?? []) { const last = path.at(-1); delete path.slice(0, -1).reduce((at, key) => at[key], options)[last]; }
  return options;
}

function check(version) {
  const { text, names } = constants(version);
  const file = join(build, `v${version}.ts`);
  writeFileSync(file, text);
  const lines = text.split("\n");
  try {
    execFileSync(join(here, "node_modules/.bin/tsc"), ["--noEmit", "--strict", "--skipLibCheck", "--ignoreConfig", "--target", "es2022", "--module", "preserve", "--moduleResolution", "bundler", file].filter((one) => one !== "--ignoreConfig"), { cwd: here, encoding: "utf8" });
    console.log(`@grafana/schema ${version}: ${Object.keys(names).length} constants fit`);
    return 0;
  } catch (error) {
    for (const line of error.stdout.split("\n").filter(Boolean)) {
      const at = /^[^(]*\((\d+),\d+\)/.exec(line), name = at && /const (c\d+)/.exec(lines[at[1] - 1])?.[1];
      console.error(`${version}: ${names[name] ?? ""}: ${line.slice(0, 400)}`);
    }
    return 1;
  }
}

rmSync(build, { recursive: true, force: true });
mkdirSync(build);
process.exitCode = Math.max(...VERSIONS.map(check));
