// Which class (colour, symbol, word) every satellite belongs to, for any channel one may colour by.

import { formatNumber, limitLevel, unitText } from "./format.js";

const STEPS = 7;
// cividis (Nunez, Anderton, Renslow 2018): evenly spaced in lightness for every colour vision
const CIVIDIS = ["#35466b", "#4d556c", "#666970", "#7e7c78", "#9a9274", "#bfb069", "#ffe945"];
const CIVIDIS_ON_LIGHT = ["#e3cd56", "#c3b369", "#a09a75", "#828079", "#65686f", "#434e6c", "#0d2f6b"];

/** Colours of the theme, read from the style sheet. */
export function themeColours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

const STALE = 0;

/** Classes: 0 is stale; the others depend on the channel. `shape` is drawn, never colour alone. */
export class Paint {
  constructor(data, channelName) {
    this.data = data;
    this.channel = data.channels.get(channelName);
    this.refresh();
  }

  /** Classes again from the values; call for every picture and after a change of theme. */
  refresh() {
    const colour = themeColours();
    this.classes = [{ word: "stale", colour: colour("stale"), shape: "cross", level: -1 }];
    if (this.channel.kind === "state") this._states(colour);
    else this._range(colour);
    this._count();
  }

  _states(colour) {
    const spare = [colour("ok"), colour("extra-1"), colour("extra-2"), colour("extra-3")];
    const byCode = new Map();
    const split = this.channel.name === "sat_health"; // nominal is shown sunlit and in eclipse
    for (const [code, word] of Object.entries(this.channel.states)) {
      const level = limitLevel(this.channel, Number(code));
      const own = level === 2 ? colour("crit") : level === 1 ? colour("warn") : word === "eclipse" ? colour("eclipse") : spare.shift() ?? colour("ok");
      byCode.set(Number(code), this.classes.length);
      const shape = ["dot", "triangle", "diamond"][level];
      this.classes.push({ word: word.replaceAll("_", " "), colour: own, shape: word === "eclipse" ? "ring" : shape, level });
    }
    let shaded = -1;
    if (split) {
      this.classes[byCode.get(0)].word = "nominal, sunlit";
      shaded = this.classes.length;
      this.classes.push({ word: "nominal, in eclipse", colour: colour("eclipse"), shape: "ring", level: 0 });
    }
    this.pick = (value, dark) => {
      const found = byCode.get(Math.round(value));
      if (found === undefined) return STALE;
      return split && dark && Math.round(value) === 0 ? shaded : found;
    };
  }

  _range(colour) {
    const { low, high } = this._bounds();
    const digits = Math.max(0, Math.min(this.channel.decimals, 1 - Math.floor(Math.log10((high - low) / STEPS))));
    const light = document.documentElement.dataset.theme === "light";
    (light ? CIVIDIS_ON_LIGHT : CIVIDIS).forEach((step, k) => {
      const from = low + ((high - low) * k) / STEPS, to = low + ((high - low) * (k + 1)) / STEPS;
      this.classes.push({ word: `${formatNumber(from, digits)}–${formatNumber(to, digits)} ${unitText(this.channel.unit)}`, colour: step, shape: "dot", level: 0 });
    });
    const warn = this.classes.push({ word: "beyond warning", colour: colour("warn"), shape: "triangle", level: 1 }) - 1;
    const crit = this.classes.push({ word: "beyond critical", colour: colour("crit"), shape: "diamond", level: 2 }) - 1;
    this.pick = (value) => {
      if (!Number.isFinite(value)) return STALE;
      const level = limitLevel(this.channel, value);
      if (level) return level === 2 ? crit : warn;
      return 1 + Math.max(0, Math.min(STEPS - 1, Math.floor(((value - low) / (high - low || 1)) * STEPS)));
    };
  }

  _bounds() {
    const { data, channel } = this;
    if (channel.unit === "%") return { low: 0, high: 100 };
    const column = data.column.get(channel.name), known = [];
    for (let row = 0; row < data.count; row += 1) {
      const value = data.values[row * data.width + column];
      if (Number.isFinite(value)) known.push(value);
    }
    if (!known.length) return { low: 0, high: 1 };
    known.sort((a, b) => a - b);
    const at = (share) => known[Math.round(share * (known.length - 1))];
    const [low, high] = [at(0.02), at(0.98)];
    return high > low ? { low, high } : { low: low - 1, high: low + 1 };
  }

  _count() {
    const { data } = this;
    const value = data.column.get(this.channel.name), light = data.column.get("orb_sunlit_frac");
    this.of = new Uint8Array(data.count);
    this.dark = new Uint8Array(data.count);
    this.counts = new Array(this.classes.length).fill(0);
    for (let row = 0; row < data.count; row += 1) {
      const from = row * data.width;
      this.dark[row] = data.values[from + light] <= 0.5 ? 1 : 0;
      this.of[row] = data.stale[row] ? STALE : this.pick(data.values[from + value], this.dark[row]);
      this.counts[this.of[row]] += 1;
    }
  }
}

/** One symbol around (x, y), radius r. */
export function drawShape(context, shape, x, y, r) {
  context.beginPath();
  if (shape === "triangle") {
    context.moveTo(x, y - r * 1.15); context.lineTo(x + r * 1.1, y + r * 0.85); context.lineTo(x - r * 1.1, y + r * 0.85); context.closePath(); context.fill();
  } else if (shape === "diamond") {
    context.moveTo(x, y - r * 1.3); context.lineTo(x + r * 1.3, y); context.lineTo(x, y + r * 1.3); context.lineTo(x - r * 1.3, y); context.closePath(); context.fill();
  } else if (shape === "ring") {
    context.lineWidth = Math.max(1, r * 0.42); context.arc(x, y, r * 0.78, 0, 2 * Math.PI); context.stroke();
  } else if (shape === "cross") {
    context.lineWidth = Math.max(1, r * 0.38); const a = r * 0.72;
    context.moveTo(x - a, y - a); context.lineTo(x + a, y + a); context.moveTo(x + a, y - a); context.lineTo(x - a, y + a); context.stroke();
  } else {
    context.arc(x, y, r * 0.86, 0, 2 * Math.PI); context.fill();
  }
}

/** A small canvas with one symbol, for legends. */
export function symbolCanvas(shape, colour, size = 12) {
  const canvas = document.createElement("canvas"), scale = window.devicePixelRatio || 1;
  canvas.width = canvas.height = size * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.fillStyle = context.strokeStyle = colour;
  drawShape(context, shape, size / 2, size / 2, size * 0.38);
  return canvas;
}
