// Time strips of one satellite: history from the store, then every report as it comes.

import { element, formatWithUnit, unitText } from "./format.js";
import { themeColours } from "./paint.js";

const { uPlot } = globalThis;
const HEIGHT_PX = 152;
const GAP_STEPS = 3.5;
const LEAST_WINDOW_S = 120;
const SYNC_KEY = "satellite";
const time = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Values of some channels over time, oldest first; one clock for all strips. */
export class History {
  constructor(channels, windowMs) { Object.assign(this, { channels, windowMs, times: [], columns: new Map(channels.map((name) => [name, []])) }); }

  load(series) {
    this.times = (series.time_ns ?? []).map((ns) => ns / 1e9);
    for (const name of this.channels) this.columns.set(name, (series[name] ?? []).slice());
    this._breakGaps();
  }

  /** Take a report; older or repeated ones are left out. */
  append(seconds, values, gapSeconds) {
    const last = this.times.at(-1) ?? -Infinity;
    if (seconds <= last) return;
    if (seconds - last > gapSeconds) this._push((last + seconds) / 2, {});
    this._push(seconds, values);
    const oldest = seconds - this.windowMs / 1000;
    let drop = 0;
    while (drop < this.times.length && this.times[drop] < oldest) drop += 1;
    if (drop) { this.times.splice(0, drop); for (const column of this.columns.values()) column.splice(0, drop); }
  }

  _push(seconds, values) {
    this.times.push(seconds);
    for (const name of this.channels) { const value = values[name]; this.columns.get(name).push(Number.isFinite(value) ? value : null); }
  }

  /** A pause in the history is a gap in the line, not a straight line across it. */
  _breakGaps() {
    const { times } = this;
    if (times.length < 3) return;
    const steps = times.slice(1).map((t, k) => t - times[k]).sort((a, b) => a - b);
    const usual = steps[steps.length >> 1];
    for (let k = times.length - 1; k > 0; k -= 1) {
      if (times[k] - times[k - 1] <= GAP_STEPS * usual) continue;
      times.splice(k, 0, (times[k] + times[k - 1]) / 2);
      for (const column of this.columns.values()) column.splice(k, 0, null);
    }
  }
}

/** Stretches [from, to] in seconds where a test holds. */
export function stretches(times, values, test) {
  const found = [];
  let from = null;
  for (let k = 0; k < times.length; k += 1) {
    const holds = values[k] !== null && values[k] !== undefined && test(values[k]);
    if (holds && from === null) from = times[k];
    if (!holds && from !== null) { found.push([from, times[k]]); from = null; }
  }
  if (from !== null) found.push([from, times.at(-1)]);
  return found;
}

/** Ticks with the decimals that their distance needs. */
function tickTexts(ticks) {
  const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1;
  let digits = 0;
  while (digits < 6 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6 * 10 ** digits * step) digits += 1;
  return ticks.map((tick) => tick.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

export class Strip {
  constructor(host, panel, data, history) {
    Object.assign(this, { panel, data, history, bands: { eclipse: [], saa: [] } });
    this.channels = panel.channels.map((name) => data.channels.get(name));
    this.keys = element("div", { class: "keys" });
    this.plotHost = element("div", { class: "plot" });
    host.append(element("section", { class: "panel strip" }, element("div", { class: "strip-head" }, element("h2", {}, panel.title), this.keys), this.plotHost));
    this.build();
  }

  build() {
    this.plot?.destroy();
    const colour = themeColours();
    this.readings = this.channels.map((channel, k) => {
      const reading = element("b", {}, "–"), swatch = element("i");
      swatch.style.setProperty("--swatch", colour(`series-${k + 1}`));
      return { reading, node: element("span", { title: channel.meaning }, swatch, `${channel.label} `, reading) };
    });
    this.keys.replaceChildren(...this.readings.map(({ node }) => node));
    this.plot = new uPlot(this._options(colour), this._table(), this.plotHost);
    this._resizer ??= new ResizeObserver(() => this.plot.setSize({ width: Math.max(80, this.plotHost.clientWidth), height: HEIGHT_PX }));
    this._resizer.observe(this.plotHost);
  }

  close() { this._resizer.disconnect(); this.plot.destroy(); }

  /** Show the history as of a simulated time [s]. */
  refresh(nowSeconds, bands, stale) {
    this.bands = bands;
    this.plot.setData(this._table(), false);
    this.plot.batch(() => {
      this.plot.setScale("x", { min: this._begin(nowSeconds), max: nowSeconds });
    });
    this.readings.forEach(({ reading }, k) => {
      const column = this.history.columns.get(this.channels[k].name), last = column.at(-1);
      reading.textContent = last === null || last === undefined ? "–" : formatWithUnit(this.channels[k], last);
      reading.title = stale ? "stale" : "";
    });
  }

  /** Left edge: the chosen window, or where a younger history begins. */
  _begin(nowSeconds) {
    const chosen = nowSeconds - this.history.windowMs / 1000;
    const first = this.history.times[0] ?? chosen;
    return Math.min(Math.max(chosen, first), nowSeconds - LEAST_WINDOW_S);
  }

  _table() { return [this.history.times, ...this.panel.channels.map((name) => this.history.columns.get(name))]; }

  _options(colour) {
    const { units } = this.panel;
    const font = "11px system-ui, sans-serif", axis = { stroke: colour("muted"), font, grid: { stroke: colour("line"), width: 0.6 }, ticks: { show: false }, labelFont: font };
    const label = (unit) => (_, ticks) => tickTexts(ticks).map((text) => `${text}${["%", "°C"].includes(unitText(unit)) ? unitText(unit) : ""}`);
    const side = (unit) => (unitText(unit).length > 2 || (unitText(unit) && !["%", "°C"].includes(unitText(unit))) ? unitText(unit) : null);
    return {
      width: Math.max(80, this.plotHost.clientWidth), height: HEIGHT_PX, padding: [8, units.length > 1 ? 4 : 18, 0, 0],
      cursor: { sync: { key: SYNC_KEY }, points: { size: 6 }, drag: { x: false, y: false } },
      legend: { show: false },
      scales: { x: { time: true }, ...Object.fromEntries(units.map((unit, k) => [`y${k}`, { range: (plot, low, high) => this._range(unit, low, high) }])) },
      axes: [
        { ...axis, values: (_, ticks, axisIndex, space, step) => ticks.map((tick) => (step < 60 ? exact : time).format(tick * 1000)), space: 64, size: 26 },
        ...units.map((unit, k) => ({ ...axis, scale: `y${k}`, side: k ? 1 : 3, values: label(unit), size: 50, space: 28, grid: k ? { show: false } : axis.grid, label: side(unit), labelSize: side(unit) ? 15 : 0, labelGap: 0 })),
      ],
      series: [{ value: (_, seconds) => (seconds === null ? "" : time.format(seconds * 1000)) }, ...this.channels.map((channel, k) => ({
        label: channel.label, scale: `y${units.indexOf(channel.unit)}`, stroke: colour(`series-${k + 1}`), width: 1.6, dash: units.indexOf(channel.unit) ? [5, 3] : [], points: { show: false }, spanGaps: false,
      }))],
      hooks: { drawClear: [(plot) => this._drawBands(plot, colour)], draw: [(plot) => this._drawLimits(plot, colour)], setCursor: [(plot) => this._read(plot)] },
    };
  }

  _range(unit, low, high) {
    if (low === null || high === null || (low === 0 && high === 0 && unit !== "%" && !this.panel.limits_of)) return [0, 1];
    const channels = this.channels.filter((channel) => channel.unit === unit);
    const limited = this.data.channels.get(this.panel.limits_of);
    let from = low, to = high;
    if (limited?.unit === unit) {
      for (const limit of Object.values(limited.limits)) { if (limit !== null) { from = Math.min(from, limit); to = Math.max(to, limit); } }
    }
    const resolution = 10 ** -Math.min(...channels.map((channel) => channel.decimals));
    const span = Math.max(to - from, 6 * resolution, Math.abs(to) * 0.01);
    const middle = (from + to) / 2;
    let bottom = middle - span * 0.56, top = middle + span * 0.56;
    if (from >= 0 && bottom < 0) bottom = 0;
    if (unit === "%" && to <= 100) top = Math.min(top, 103);
    return [bottom, top];
  }

  _drawBands(plot, colour) {
    const { ctx, bbox } = plot;
    for (const [name, list] of Object.entries(this.bands)) {
      ctx.fillStyle = colour(`band-${name}`);
      for (const [from, to] of list) {
        const left = Math.max(bbox.left, plot.valToPos(from, "x", true)), right = Math.min(bbox.left + bbox.width, plot.valToPos(to, "x", true));
        if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
    }
  }

  _drawLimits(plot, colour) {
    const limited = this.data.channels.get(this.panel.limits_of);
    if (!limited) return;
    const { ctx, bbox } = plot, scale = `y${this.panel.units.indexOf(limited.unit)}`;
    ctx.save();
    ctx.setLineDash([6, 5]);
    ctx.lineWidth = 1.2 * (window.devicePixelRatio || 1);
    for (const [name, limit] of Object.entries(limited.limits)) {
      if (limit === null) continue;
      const y = plot.valToPos(limit, scale, true);
      if (y < bbox.top || y > bbox.top + bbox.height) continue;
      ctx.strokeStyle = colour(name.startsWith("critical") ? "crit" : "warn");
      ctx.globalAlpha = 0.75;
      ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
    }
    ctx.restore();
  }

  _read(plot) {
    const index = plot.cursor.idx;
    this.readings.forEach(({ reading }, k) => {
      const column = this.history.columns.get(this.channels[k].name);
      const value = index === null || index === undefined ? column.at(-1) : column[index];
      reading.textContent = value === null || value === undefined ? "–" : formatWithUnit(this.channels[k], value);
    });
  }
}
