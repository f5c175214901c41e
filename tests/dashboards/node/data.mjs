// Units, thresholds, reducers, colour modes and transformations of our dashboards, carried out by
// Grafana's own code: @grafana/data 9.4.17 and 13.2.3, under jsdom. Expects the list of queries
// (`python -m dashboards`) on standard input.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { JSDOM } from "jsdom";

const here = dirname(fileURLToPath(import.meta.url));
const boards = join(here, "../../../dashboards/grafana");
const page = new JSDOM("<!doctype html>", { url: "http://localhost/" });
for (const name of ["window", "document", "navigator", "HTMLElement", "Element", "Node", "DOMParser", "localStorage", "getComputedStyle"]) globalThis[name] ??= name === "window" ? page.window : page.window[name];
page.window.matchMedia ??= () => ({ matches: false, addEventListener() {}, removeEventListener() {} });
const require = createRequire(import.meta.url);
const queries = new Map(JSON.parse(readFileSync(0, "utf8")).map((one) => [one.query, one]));
const panels = readdirSync(boards).filter((name) => name.endsWith(".json")).flatMap((name) => JSON.parse(readFileSync(join(boards, name), "utf8")).panels.filter((one) => one.type !== "row").map((one) => ({ board: name, ...one })));

/** Every set of field options of a panel: defaults, then overrides by what they pick. */
const fieldsOf = (panel) => [panel.fieldConfig.defaults, ...panel.fieldConfig.overrides.map((one) => Object.fromEntries(one.properties.map(({ id, value }) => [id, value])))];

function checkUnits(data) {
  const known = new Set(data.getValueFormats().flatMap((group) => (group.submenu ?? []).map((one) => one.value)));
  const used = new Set(panels.flatMap(fieldsOf).map((one) => one.unit).filter(Boolean));
  for (const unit of used) {
    if (unit.startsWith("suffix:")) {
      assert.equal(data.formattedValueToString(data.getValueFormat(unit)(2, 1)), `2.0 ${unit.slice("suffix:".length)}`);
    } else {
      assert.ok(known.has(unit), `unit ${unit}`);
      assert.ok(data.formattedValueToString(data.getValueFormat(unit)(2, 1)).length, unit);
    }
  }
  return used.size;
}

function checkThresholds(data) {
  let count = 0;
  for (const { thresholds } of panels.flatMap(fieldsOf).filter((one) => one.thresholds)) {
    const steps = thresholds.steps.map((step, k) => ({ ...step, value: k ? step.value : -Infinity }));
    for (let k = 1; k < steps.length; k += 1) {
      assert.equal(data.getActiveThreshold(steps[k].value, steps).color, steps[k].color);
      if (steps[k - 1].value < steps[k].value) assert.equal(data.getActiveThreshold(steps[k].value - 1e-6, steps).color, steps[k - 1].color);
      count += 1;
    }
  }
  return count;
}

function checkColours(data) {
  const modes = new Set(panels.flatMap(fieldsOf).map((one) => one.color?.mode).filter(Boolean));
  for (const mode of modes) assert.ok(data.fieldColorModeRegistry.getIfExists(mode), `colour mode ${mode}`);
  return modes.size;
}

function checkReducers(data) {
  const used = new Set(panels.flatMap((panel) => [...(panel.options.reduceOptions?.calcs ?? []), ...(panel.options.legend?.calcs ?? [])]));
  const field = { name: "x", type: data.FieldType.number, config: {}, values: vector(data, [3, 1, null]) };
  for (const id of used) {
    assert.ok(data.fieldReducers.getIfExists(id), `reducer ${id}`);
    assert.equal(data.reduceField({ field, reducers: [id] })[id], 1, id); // the newest that is there
  }
  return used.size;
}

/** Values of a field: 9 wants a vector, newer versions an array. */
const vector = (data, values) => (data.ArrayVector && data.version === 9 ? new data.ArrayVector(values) : values);

async function checkTransformations(data) {
  let count = 0;
  for (const panel of panels.filter((one) => one.transformations)) {
    const columns = ["Time", ...queries.get(panel.targets[0].query).columns];
    const frame = { refId: "A", length: 1, fields: columns.map((name) => ({ name, config: {}, type: name === "Time" ? data.FieldType.time : data.FieldType.string, values: vector(data, ["a"]) })) };
    const run = data.transformDataFrame(panel.transformations, [frame]);
    const [found] = await new Promise((done, fail) => run.subscribe({ next: done, error: fail }));
    const names = found.fields.map((one) => one.name);
    const { excludeByName, indexByName } = panel.transformations[0].options;
    const wanted = columns.filter((name) => !excludeByName[name]).sort((a, b) => (indexByName[a] ?? 99) - (indexByName[b] ?? 99));
    assert.deepEqual(names, wanted, `${panel.board}: ${panel.title}`);
    for (const name of Object.keys(indexByName)) assert.ok(columns.includes(name), `${panel.title}: no column ${name}`);
    for (const { matcher } of panel.fieldConfig.overrides) assert.ok(columns.includes(matcher.options), `${panel.title}: override of ${matcher.options}`);
    count += 1;
  }
  return count;
}

for (const version of [9, 13]) {
  const data = { ...require(`data-${version}`), version };
  const registry = data.standardTransformers.organizeFieldsTransformer;
  data.standardTransformersRegistry.setInit(() => [registry, data.standardTransformers.filterFieldsByNameTransformer, data.standardTransformers.orderFieldsTransformer, data.standardTransformers.renameFieldsTransformer].filter(Boolean).map((one) => ({ id: one.id, name: one.name, transformation: version === 9 ? one : () => Promise.resolve(one), editor: () => null })));
  console.log(`@grafana/data ${version}: ${checkUnits(data)} units, ${checkThresholds(data)} thresholds, ${checkColours(data)} colour modes, ${checkReducers(data)} reducers, ${await checkTransformations(data)} transformations`);
}
assert.throws(() => checkUnits({ ...require("data-13"), getValueFormats: () => [] }), /unit/); // it can fail
process.exit(0);
