// Every satellite as one cell, grouped by plane; cells shrink until all of them fit.

import { formatWithUnit, limitLevel } from "./format.js";
import { drawShape, themeColours } from "./paint.js";

const CELL_LIMIT_PX = 112;
const DETAIL_FROM_PX = 74;
const FAMILY_FROM = 3; // as many satellites of a plane share a name before it is left out
const SYMBOL_FROM_PX = 9;
const NAME_FROM_PX = 34;
const LABEL_PX = 13;
const LABEL_WIDTH_PX = 64;
const GAP_PX = 8;

/** Events: "pick" {row}, "hover" {row, x, y}. */
export class Wall extends EventTarget {
  constructor(host, data) {
    super();
    Object.assign(this, { host, data, selected: -1, hovered: -1, cells: [] });
    this.canvas = host.appendChild(document.createElement("canvas"));
    new ResizeObserver(() => this.layout()).observe(host);
    host.addEventListener("pointermove", (event) => this._hover(event));
    host.addEventListener("pointerleave", () => this._hover(null));
    host.addEventListener("click", () => { if (this.hovered >= 0) this._send("pick", { row: this.hovered }); });
  }

  setPaint(paint) { this.paint = paint; this.draw(); }

  select(row) { this.selected = row; this.draw(); }

  /** Place all cells: the largest size at which every group fits. */
  layout() {
    const { data, host } = this;
    this.width = host.clientWidth;
    this.height = host.clientHeight;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    this.canvas.width = Math.max(1, Math.round(this.width * ratio));
    this.canvas.height = Math.max(1, Math.round(this.height * ratio));
    this.canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!data.count || this.width < 20 || this.height < 20) return;
    const groups = this._groups();
    for (let size = CELL_LIMIT_PX; size >= 2; size -= size > 14 ? 1 : 0.25) {
      const depths = this._depths(groups);
      if (depths.some((deep) => this._place(groups, size, deep)) || size === 2) break;
    }
    this._index();
    this.draw();
  }

  _groups() {
    const rows = new Map();
    for (let row = 0; row < this.data.count; row += 1) {
      const plane = this.data.plane[row];
      if (!rows.has(plane)) rows.set(plane, []);
      rows.get(plane).push(row);
    }
    return [...rows.keys()].sort((a, b) => a - b).map((plane) => ({ label: this.data.planes[plane] || "no plane", rows: rows.get(plane) }));
  }

  /** Shelf depths to try: all blocks of one depth look tidy. */
  _depths(groups) {
    const sizes = groups.map((group) => group.rows.length).sort((a, b) => a - b);
    const usual = Math.max(1, Math.round(Math.sqrt(sizes[sizes.length >> 1] / 1.6)));
    return [...new Set([usual, Math.max(1, usual - 1), usual + 1, usual + 2, 1, 2])];
  }

  /** Blocks on shelves, `deep` cells high wherever a shelf is wide enough; false if they do not fit. */
  _place(groups, size, deep) {
    const labelled = size >= 7 && groups.length <= 150;
    const head = labelled ? LABEL_PX + 3 : 0;
    const gap = labelled ? GAP_PX : Math.max(2, size * 0.6);
    const perRow = Math.max(1, Math.floor(this.width / size));
    const blocks = [];
    let x = 0, y = 0, shelf = 0;
    for (const group of groups) {
      const least = labelled ? Math.ceil(LABEL_WIDTH_PX / size) : 1;
      const columns = Math.min(perRow, Math.max(Math.ceil(group.rows.length / deep), least));
      const width = columns * size, height = Math.ceil(group.rows.length / columns) * size + head;
      if (x > 0 && x + width > this.width) { x = 0; y += shelf + gap; shelf = 0; }
      blocks.push({ ...group, x, y, columns });
      x += width + gap;
      shelf = Math.max(shelf, height);
    }
    if (y + shelf > this.height && size > 2) return false;
    Object.assign(this, { size, blocks, head, labelled });
    return true;
  }

  _index() {
    const { data, size } = this;
    this.cellX = new Float32Array(data.count);
    this.cellY = new Float32Array(data.count);
    this.order = [];
    this.family = [];
    for (const block of this.blocks) {
      block.rows.forEach((row, k) => {
        this.cellX[row] = block.x + (k % block.columns) * size;
        this.cellY[row] = block.y + this.head + Math.floor(k / block.columns) * size;
        this.order.push(row);
      });
      const name = (row) => data.names[row] || data.ids[row];
      const family = size >= NAME_FROM_PX ? sharedBeginning(block.rows.map(name)) : "";
      for (const row of block.rows) this.family[row] = family;
    }
  }

  draw() {
    if (!this.paint || !this.blocks || this.paint.of.length !== this.cellX.length) return;
    const { paint, size, cellX, cellY } = this, context = this.canvas.getContext("2d"), colour = themeColours();
    context.clearRect(0, 0, this.width, this.height);
    if (this.labelled) this._drawLabels(context, colour);
    const pad = size > 12 ? 1.5 : size > 5 ? 0.75 : 0.35, side = size - 2 * pad;
    const detailed = size >= SYMBOL_FROM_PX;
    for (let kind = 0; kind < paint.classes.length; kind += 1) {
      if (!paint.counts[kind]) continue;
      const { colour: fill, shape, level } = paint.classes[kind];
      context.fillStyle = context.strokeStyle = fill;
      const inset = shape === "ring" ? side * 0.2 : 0; // eclipse: smaller, not only greyer
      for (let row = 0; row < paint.of.length; row += 1) {
        if (paint.of[row] !== kind) continue;
        const x = cellX[row] + pad, y = cellY[row] + pad;
        if (!detailed) { if (kind === 0) context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1); else context.fillRect(x + inset, y + inset, side - 2 * inset, side - 2 * inset); continue; }
        context.globalAlpha = level > 0 ? 0.34 : 0.2; context.fillRect(x, y, side, side); context.globalAlpha = 1;
        const named = size >= NAME_FROM_PX;
        const rich = size >= DETAIL_FROM_PX;
        drawShape(context, shape, rich ? x + 14 : x + side / 2, y + (rich ? 15 : named ? side * 0.36 : side / 2), rich ? 6.5 : side * (named ? 0.17 : 0.27));
      }
    }
    if (size >= DETAIL_FROM_PX) this._drawDetails(context, colour);
    else if (size >= NAME_FROM_PX) this._drawNames(context, colour);
    for (const [row, style] of [[this.hovered, "muted"], [this.selected, "select"]]) {
      if (row >= 0) { context.lineWidth = 2; context.strokeStyle = colour(style); context.strokeRect(cellX[row], cellY[row], size, size); }
    }
  }

  _drawLabels(context, colour) {
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "left";
    context.fillStyle = colour("muted");
    for (const block of this.blocks) {
      const room = block.columns * this.size + GAP_PX - 4;
      const text = `${block.label.replaceAll("_", " ")}`;
      context.fillText(fitted(context, text, room), block.x, block.y + LABEL_PX - 3);
    }
  }

  _drawNames(context, colour) {
    context.font = "9.5px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillStyle = colour("text");
    for (const row of this.order) {
      const name = this.data.names[row] || this.data.ids[row];
      context.fillText(fitted(context, name, this.size - 5, this.family[row]), this.cellX[row] + this.size / 2, this.cellY[row] + this.size * 0.8);
    }
  }

  /** Large cells: name, a bar of the battery's charge, compute power and hottest accelerator. */
  _drawDetails(context, colour) {
    const { data, size } = this, pad = 9, side = size - 3;
    const fields = ["eps_compute_w", "tcs_die_max_t_c"].map((name) => data.channels.get(name));
    context.textAlign = "left";
    for (const row of this.order) {
      const x = this.cellX[row] + 1.5, y = this.cellY[row] + 1.5;
      context.fillStyle = colour("text");
      context.font = "600 11px system-ui, sans-serif";
      context.fillText(fitted(context, data.names[row] || data.ids[row], side - 30, this.family[row]), x + 25, y + 19);
      context.font = "11px system-ui, sans-serif";
      context.fillStyle = colour("muted");
      fields.forEach((channel, k) => context.fillText(fitted(context, formatWithUnit(channel, data.value(row, channel.name)), side - 2 * pad), x + pad, y + side * 0.5 + 15 * k));
      this._drawCharge(context, colour, x + pad, y + side - 15, side - 2 * pad, data.value(row, "eps_soc_pct"));
    }
  }

  _drawCharge(context, colour, x, y, width, percent) {
    context.globalAlpha = 0.25; context.fillStyle = colour("muted"); context.fillRect(x, y, width, 5); context.globalAlpha = 1;
    if (!Number.isFinite(percent)) return;
    context.fillStyle = colour(["ok", "warn", "crit"][limitLevel(this.data.channels.get("eps_soc_pct"), percent)]);
    context.fillRect(x, y, (width * Math.max(0, Math.min(100, percent))) / 100, 5);
  }

  /** The cell after a key: left and right along the wall, up and down to the nearest cell. */
  step(key) {
    if (!this.order?.length) return -1;
    if (this.selected < 0) return this.order[0];
    const at = this.order.indexOf(this.selected);
    if (key === "ArrowRight") return this.order[Math.min(this.order.length - 1, at + 1)];
    if (key === "ArrowLeft") return this.order[Math.max(0, at - 1)];
    const sign = key === "ArrowDown" ? 1 : -1, x = this.cellX[this.selected], y = this.cellY[this.selected];
    let best = this.selected, least = Infinity;
    for (const row of this.order) {
      const down = (this.cellY[row] - y) * sign;
      if (down < this.size * 0.6) continue;
      const distance = down * 2 + Math.abs(this.cellX[row] - x);
      if (distance < least) { least = distance; best = row; }
    }
    return best;
  }

  _hover(event) {
    let row = -1;
    if (event && this.blocks) {
      const box = this.host.getBoundingClientRect();
      row = this._at(event.clientX - box.left, event.clientY - box.top);
    }
    if (row !== this.hovered) { this.hovered = row; this.draw(); }
    this._send("hover", { row, x: event?.clientX ?? 0, y: event?.clientY ?? 0 });
  }

  _at(x, y) {
    for (const block of this.blocks) {
      const column = Math.floor((x - block.x) / this.size), line = Math.floor((y - block.y - this.head) / this.size);
      if (column < 0 || line < 0 || column >= block.columns) continue;
      const row = block.rows[line * block.columns + column];
      if (row !== undefined) return row;
    }
    return -1;
  }

  _send(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}

/** Beginning that all names share, up to a separator: "STARLINK-", "three_body_". */
function sharedBeginning(names) {
  if (names.length < FAMILY_FROM) return "";
  let length = names[0].length;
  for (const name of names) { while (name.slice(0, length) !== names[0].slice(0, length)) length -= 1; }
  return /^.*[-_ ]/.exec(names[0].slice(0, length))?.[0] ?? "";
}

/** Text that fits: without the family's name if that helps, else cut short. */
function fitted(context, text, room, family = "") {
  if (context.measureText(text).width <= room) return text;
  let cut = text.slice(family.length);
  if (context.measureText(cut).width <= room) return cut;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}
