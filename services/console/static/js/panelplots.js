// Panels over time and over the Earth: lines, rows of states, heat, maps.

import { loadLand } from "./earthmap.js";
import { element } from "./format.js";
import { colourOf, hasNumber, shown, styleOf } from "./panelvalues.js";
import { themeColours } from "./paint.js";
import { subsolarPoint } from "./sky.js";

const { uPlot, d3 } = globalThis;
const SERIES = ["#3274D9", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#D55E00", "#8E8E8E"];
const LABEL_PX = 92, LABEL_MOST_PX = 190;
const CIVIDIS = ["#00204c", "#213d6b", "#555b6c", "#7b7a77", "#a59c74", "#d3c064", "#ffe945"];
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });

/** Lines over time with a legend, and limits where the panel draws them. */
export function plot(host, spec, { series, answers }) {
  const colour = themeColours(), lines = series.filter((line) => line.values.some(hasNumber)).slice(0, 40);
  const times = [...new Set(lines.flatMap((line) => line.times))].sort((a, b) => a - b), at = new Map(times.map((time, k) => [time, k]));
  const columns = lines.map((line) => { const found = new Array(times.length).fill(null); line.values.forEach((value, k) => { found[at.get(line.times[k])] = value; }); return found; });
  if (spec.stacked) for (let k = 1; k < columns.length; k += 1) columns[k] = columns[k].map((value, t) => (value ?? 0) + (columns[k - 1][t] ?? 0));
  const ink = (line, k) => spec.overrides[line.column]?.colour ?? SERIES[k % SERIES.length];
  const legend = element("div", { class: "keys" }, ...lines.map((line, k) => { const swatch = element("i"); swatch.style.setProperty("--swatch", ink(line, k)); return element("span", {}, swatch, `${line.name} `, element("b", {}, shown(styleOf(spec, line.column), line.values.findLast(hasNumber) ?? null))); }));
  const area = element("div", { class: "board-plot" });
  host.replaceChildren(area, legend);
  const axis = { stroke: colour("muted"), font: "11px system-ui, sans-serif", grid: { stroke: colour("line"), width: 0.6 }, ticks: { show: false } };
  const limits = spec.style.limit_lines ? spec.style.steps.filter((step) => step.value !== null) : [];
  const [{ start_ns: start, stop_ns: stop }] = answers;
  const range = (_, low, high) => { if (!hasNumber(low)) return [0, 1]; if (spec.stacked) low = Math.min(0, low); const pad = high > low ? (high - low) * 0.08 : Math.max(Math.abs(high) * 0.05, 0.5); return [low >= 0 && low - pad < 0 ? 0 : low - pad, high + pad]; };
  const wide = (_, ticks) => Math.max(56, 16 + 6.4 * Math.max(...(ticks ?? [""]).map((tick) => tick.length)));
  const between = spec.stacked ? lines.slice(1).map((line, k) => ({ series: [k + 2, k + 1], fill: `${ink(line, k + 1)}55` })) : [];
  const chart = new uPlot({
    width: Math.max(60, area.clientWidth), height: Math.max(60, area.clientHeight), legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: { x: { time: true, range: [start / 1e9, stop / 1e9] }, y: { range } },
    axes: [{ ...axis, size: 24, space: 60, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1000)) }, { ...axis, size: wide, space: 26, incrs: isWhole(columns) ? WHOLE_STEPS : undefined, values: (_, ticks) => ticks.map((tick) => shown({ ...spec.style, decimals: decimalsOf(ticks), states: undefined }, tick)) }],
    series: [{}, ...lines.map((line, k) => ({ label: line.name, stroke: ink(line, k), width: 1.6, fill: spec.stacked && !k ? `${ink(line, k)}55` : undefined, points: { show: times.length < 3 } }))],
    bands: between,
    hooks: { draw: [(self) => drawLimits(self, limits)] },
  }, [times, ...columns], area);
  const resizer = new ResizeObserver(() => chart.setSize({ width: Math.max(60, area.clientWidth), height: Math.max(60, area.clientHeight) }));
  resizer.observe(area);
  return () => { resizer.disconnect(); chart.destroy(); };
}

/** Counts have ticks at whole numbers only. */
const WHOLE_STEPS = Array.from({ length: 36 }, (_, k) => [1, 2, 5][k % 3] * 10 ** Math.floor(k / 3));
const isWhole = (columns) => columns.every((cells) => cells.every((value) => !hasNumber(value) || Number.isInteger(value)));

/** As many decimals as tell two ticks apart. */
function decimalsOf(ticks) {
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1;
  for (let digits = 0; digits < 6; digits += 1) {
    const scaled = step * 10 ** digits;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return digits || undefined;
  }
  return 6;
}

function drawLimits({ ctx, bbox, valToPos }, limits) {
  ctx.save();
  ctx.setLineDash([6, 5]);
  for (const { value, colour } of limits) {
    const y = valToPos(value, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.strokeStyle = colour;
    ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
  }
  ctx.restore();
}

/** A canvas as large as its host, in CSS pixels. */
function canvasIn(host) {
  const canvas = document.createElement("canvas"), ratio = window.devicePixelRatio || 1;
  host.replaceChildren(canvas);
  const { width, height } = host.getBoundingClientRect();
  canvas.width = Math.max(1, width * ratio);
  canvas.height = Math.max(1, height * ratio);
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  return { canvas, context, width, height };
}

/** One row for each line, cells coloured by value: state timelines and status histories. */
export function drawRows(host, series, { start_ns: start, stop_ns: stop }, { colour, text, link, gap }) {
  const { canvas, context, width, height } = canvasIn(host), theme = themeColours();
  context.font = "11px system-ui, sans-serif";
  const words = series.map((line) => line.name.replaceAll("_", " "));
  const left = Math.min(LABEL_MOST_PX, width / 3, Math.max(LABEL_PX, ...words.map((text) => context.measureText(text).width + 10)));
  const from = start / 1e9, span = stop / 1e9 - from, room = width - left - 4, foot = 16;
  const deep = Math.min(28, (height - foot) / series.length);
  context.textBaseline = "middle";
  series.forEach((line, row) => {
    const y = row * deep, step = line.times.length > 1 ? Math.min(...line.times.slice(1).map((time, k) => time - line.times[k])) : span / 30;
    if (deep >= 9) { context.fillStyle = theme("muted"); context.fillText(words[row], 2, y + deep / 2, left - 6); }
    line.values.forEach((value, k) => {
      if (value === null) return;
      context.fillStyle = colour(line, value).replace(/^var\(--(.*)\)$/, (_, name) => theme(name));
      const x = left + (room * (line.times[k] - from)) / span;
      const lasts = Math.min((line.times[k + 1] ?? line.times[k] + step) - line.times[k], 3 * step);
      context.fillRect(x, y + 1, Math.max(1, (room * lasts) / span - gap + (gap ? 0 : 0.6)), Math.max(1, deep - 2));
    });
  });
  context.fillStyle = theme("muted");
  for (let k = 0; k <= 4; k += 1) { context.textAlign = k === 4 ? "right" : k ? "center" : "left"; context.fillText(clock.format((from + (span * k) / 4) * 1000), left + (room * k) / 4, height - 7); }
  const lineAt = (event) => series[Math.floor((event.clientY - canvas.getBoundingClientRect().top) / deep)];
  canvas.addEventListener("mousemove", (event) => { const line = lineAt(event); canvas.title = line ? `${line.name}: ${text(line, line.values.at(-1))}` : ""; });
  if (link) { canvas.style.cursor = "pointer"; canvas.addEventListener("click", (event) => { const line = lineAt(event); if (line) location.hash = link(line); }); }
  return undefined;
}

/** Bins of the store: one row for each upper edge, cells by how many. */
export function heatRows(host, spec, { series, answers }) {
  const rows = series.filter((line) => line.tags).sort((a, b) => Number(b.tags.le) - Number(a.tags.le));
  const most = Math.max(...rows.flatMap((line) => line.values), 1);
  const named = rows.map((line) => ({ ...line, name: `≤ ${shown({ unit: spec.style.unit }, Number(line.tags.le))}` }));
  const colour = (_, value) => (value > 0 ? CIVIDIS[Math.min(CIVIDIS.length - 1, Math.floor(Math.sqrt(value / most) * CIVIDIS.length))] : "transparent");
  return drawRows(host, named, answers[0], { colour, text: (_, value) => `${value} satellites`, link: null, gap: 0 });
}

/** Places on a flat Earth with day and night; size and colour as the layer says. */
export function drawMap(host, spec, { answers, context: { data, link } }) {
  loadLand().then((land) => {
    const { canvas, context, width, height } = canvasIn(host), theme = themeColours();
    const projection = d3.geoEquirectangular().fitSize([width, height], { type: "Sphere" }), path = d3.geoPath(projection, context);
    const fill = (shape, colour) => { context.beginPath(); path(shape); context.fillStyle = colour; context.fill(); };
    fill({ type: "Sphere" }, theme("ocean-edge"));
    fill(land, theme("land"));
    const [lon, lat] = subsolarPoint(data.now());
    context.globalAlpha = 0.45; fill(d3.geoCircle().center([lon + 180, -lat]).radius(90)(), theme("night")); context.globalAlpha = 1;
    const spots = spec.layers.flatMap((layer) => points(spec, layer, answers, projection));
    for (const { x, y, r, colour } of spots) { context.beginPath(); context.arc(x, y, r, 0, 7); context.fillStyle = colour; context.globalAlpha = 0.85; context.fill(); }
    const nearest = (event) => { const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top; return spots.find((spot) => Math.hypot(spot.x - x, spot.y - y) < spot.r + 3); };
    canvas.addEventListener("mousemove", (event) => { canvas.title = nearest(event)?.text ?? ""; });
    canvas.addEventListener("click", (event) => { const found = nearest(event), url = spec.overrides.sat?.link; if (found?.record.sat && url) location.hash = link(url, found.record); });
  });
  return undefined;
}

function points(spec, layer, answers, projection) {
  const found = answers.flatMap((one) => one.series)[0];
  if (!found) return [];
  const records = found.values.map((row) => Object.fromEntries(found.columns.map((name, k) => [name, row[k]])));
  const size = layer.size_field, most = size ? Math.max(...records.map((one) => one[size] ?? 0), 1e-12) : 1;
  return records.filter((one) => hasNumber(one.lat) && hasNumber(one.lon)).map((record) => {
    const [x, y] = projection([record.lon, record.lat]);
    const colour = layer.colour_field ? colourOf(styleOf(spec, layer.colour_field), record[layer.colour_field]) : layer.colour ?? "#FF9830";
    const facts = Object.entries(record).filter(([name]) => !["time", "lat", "lon"].includes(name)).map(([name, value]) => `${name} ${shown(styleOf(spec, name), value)}`);
    return { x, y, colour, record, text: facts.join(", "), r: size ? 1.5 + 7 * Math.sqrt(Math.max(0, record[size] ?? 0) / most) : records.length > 2000 ? 1.6 : 3.2 };
  });
}
