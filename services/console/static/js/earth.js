// Globe and map: satellites in motion over the Earth. One pass over typed arrays per frame.

import { drawEarth, loadAnomaly, loadLand } from "./earthmap.js";
import { drawShape, themeColours } from "./paint.js";
import { comingTrack, EARTH_RADIUS_KM, subsolarPoint } from "./sky.js";

const { d3 } = globalThis;
const DEGREE = Math.PI / 180;
const MANY = 400; // above this, squares instead of symbols
const LABELS_UP_TO = 60;
const FRAME_MS_MANY = 32; // about 30 frames a second are plenty for ten thousand points
const ROTATE_DEG_PER_S = 3;
const SUN_STEP_MS = 20000; // simulated; the night edge moves 0.08 deg
const VIEW_FROM_NOON_DEG = 55;
const PICK_PX = 12;
const HIDDEN = -1e4;

/** Events: "pick" {row or -1}, "open" {row}, "hover" {row, x, y}. */
export class EarthView extends EventTarget {
  constructor(host, data, { mini = false } = {}) {
    super();
    Object.assign(this, { host, data, mini, globe: true, zoom: 1, lon: -20, lat: 18, rotating: false, selected: -1, follow: -1, past: null });
    this.base = host.appendChild(document.createElement("canvas"));
    this.top = host.appendChild(document.createElement("canvas"));
    this.reduced = matchMedia("(prefers-reduced-motion: reduce)");
    this.frameMs = 0;
    this._frames = [];
    this._last = 0;
    this._sunMs = 0;
    this._resizer = new ResizeObserver(() => this.resize());
    this._resizer.observe(host);
    loadLand().then((land) => { this.land = land; this.dirty = true; });
    loadAnomaly().then((anomaly) => { this.anomaly = anomaly; this.dirty = true; });
    if (data.clock.known) this.lon = subsolarPoint(data.now())[0] - VIEW_FROM_NOON_DEG; // day and night both in view
    this._listen();
    this.resize();
    this._loop = (at) => { if (this.closed) return; this._frame(at); requestAnimationFrame(this._loop); };
    requestAnimationFrame(this._loop);
  }

  close() {
    this.closed = true;
    this._resizer.disconnect();
    this.base.remove();
    this.top.remove();
  }

  setPaint(paint) { this.paint = paint; this.due = true; }

  restyle() { this.dirty = true; this.sprites = null; this.colours = null; }

  setGlobe(globe) { this.globe = globe; this.dirty = true; this.resize(); }

  select(row) { this.selected = row; this.past = null; this.due = true; }

  /** Ground track already flown, [lon, lat] points in order. */
  setPast(points) { this.past = points; this.due = true; }

  resize() {
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    this.width = Math.max(1, this.host.clientWidth);
    this.height = Math.max(1, this.host.clientHeight);
    for (const canvas of [this.base, this.top]) {
      canvas.width = Math.round(this.width * this.ratio);
      canvas.height = Math.round(this.height * this.ratio);
      canvas.getContext("2d").setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    }
    this.dirty = true;
  }

  _frame(at) {
    if (!this.paint || this.host.offsetParent === null) return;
    const still = this.reduced.matches && !this.dirty && !this.due;
    const wait = still ? 1000 : this.data.count > MANY && !this.dragging ? FRAME_MS_MANY : 0;
    if (at - this._last < wait - 2) return;
    const began = performance.now();
    const now = this.data.now();
    if (this.rotating && !this.reduced.matches && !this.dragging && this.follow < 0) { this.lon += (ROTATE_DEG_PER_S * Math.min(100, at - this._last)) / 1000; this.dirty = true; }
    if (this.follow >= 0) this._followSatellite(now);
    this._last = at;
    this.due = false;
    if (Math.abs(now - this._sunMs) > SUN_STEP_MS) this.dirty = true;
    if (this.dirty) this._drawBase(now);
    this._drawTop(now);
    this._measure(performance.now() - began);
  }

  _measure(ms) {
    this._frames.push(ms);
    if (this._frames.length > 60) this._frames.shift();
    this.frameMs = this._frames.reduce((a, b) => a + b, 0) / this._frames.length;
    if (!this.mini) document.documentElement.dataset.frameMs = this.frameMs.toFixed(1);
  }

  _followSatellite(now) {
    const p = this._placeAt(this.follow, now);
    const lon = Math.atan2(p[1], p[0]) / DEGREE, lat = Math.asin(Math.max(-1, Math.min(1, p[2]))) / DEGREE;
    const centre = [lon, lat * 0.7];
    if (Math.hypot(centre[0] - this.lon, centre[1] - this.lat) < 0.25) return;
    [this.lon, this.lat] = centre;
    this.dirty = true;
  }

  _placeAt(row, now) {
    const { place, along } = this.data, k = 3 * row, angle = this._angle(row, now);
    const c = Math.cos(angle), s = Math.sin(angle);
    return [place[k] * c + along[k] * s, place[k + 1] * c + along[k + 1] * s, place[k + 2] * c + along[k + 2] * s];
  }

  _angle(row, now) {
    const { data } = this;
    return data.omega[row] * Math.max(0, Math.min(now - data.placeMs[row], data.silentAfterMs(row)));
  }

  _drawBase(now) {
    this.dirty = false;
    this._sunMs = now;
    const room = this.globe ? Math.min(this.width, this.height) * (this.mini ? 0.43 : 0.435) : Math.min(this.width / (2 * Math.PI), this.height / Math.PI) * 0.97;
    this.scale = room * this.zoom;
    this.cx = this.width / 2;
    this.cy = this.height / 2;
    this.lat = Math.max(-90, Math.min(90, this.lat));
    const kind = this.globe ? d3.geoOrthographic().clipAngle(90).rotate([-this.lon, -this.lat]) : d3.geoEquirectangular().rotate([this.zoom > 1 ? -this.lon : 0, 0]);
    this.projection = kind.scale(this.scale).translate([this.cx, this.cy]).precision(0.6);
    this.mapLon = this.globe || this.zoom > 1 ? this.lon : 0;
    this.mapLat = !this.globe && this.zoom > 1 ? this.lat : 0;
    if (!this.globe) this.projection.translate([this.cx, this.cy + this.mapLat * DEGREE * this.scale]);
    const view = { projection: this.projection, globe: this.globe, mini: this.mini, cx: this.cx, cy: this.cy, scale: this.scale, width: this.width, height: this.height, centre: [this.lon, this.lat] };
    drawEarth(this.base.getContext("2d"), view, { land: this.land, anomaly: this.anomaly, unixMs: this.data.clock.known ? now : Date.now() });
  }

  _drawTop(now) {
    const context = this.top.getContext("2d");
    this.colours ??= themeColours();
    context.clearRect(0, 0, this.width, this.height);
    this._project(now);
    if (this.selected >= 0) this._drawTrack(context, now);
    if (this.data.count > MANY) this._drawMany(context);
    else this._drawFew(context);
    if (this.selected >= 0) this._drawRing(context, this.selected);
  }

  /** Screen places of all satellites into x, y; HIDDEN where the Earth is in front. */
  _project(now) {
    const { data, cx, cy, scale } = this;
    const { count, place, along, omega, placeMs, intervalMs, radius } = data;
    if (this.x?.length !== count) { this.x = new Float32Array(count); this.y = new Float32Array(count); }
    const { x: outX, y: outY } = this;
    const cl = Math.cos(this.lon * DEGREE), sl = Math.sin(this.lon * DEGREE), cp = Math.cos(this.lat * DEGREE), sp = Math.sin(this.lat * DEGREE);
    const slack = 2000 * Math.max(1, data.clock.rate), silent = data.spec.silent_intervals, usual = data.usualIntervalMs;
    for (let row = 0, k = 0; row < count; row += 1, k += 3) {
      if (!(placeMs[row] > 0)) { outX[row] = HIDDEN; continue; }
      const limit = silent * (intervalMs[row] > 0 ? intervalMs[row] : usual) + slack;
      const angle = omega[row] * Math.max(0, Math.min(now - placeMs[row], limit));
      const c = Math.cos(angle), s = Math.sin(angle);
      const px = place[k] * c + along[k] * s, py = place[k + 1] * c + along[k + 1] * s, pz = place[k + 2] * c + along[k + 2] * s;
      if (this.globe) {
        const toward = cl * px + sl * py;
        const depth = cp * toward + sp * pz, r = radius[row];
        const east = (cl * py - sl * px) * r, north = (cp * pz - sp * toward) * r;
        if (depth < 0 && east * east + north * north < 1) { outX[row] = HIDDEN; continue; }
        outX[row] = cx + scale * east;
        outY[row] = cy - scale * north;
      } else {
        let lon = Math.atan2(py, px) - this.mapLon * DEGREE;
        if (lon > Math.PI) lon -= 2 * Math.PI; else if (lon < -Math.PI) lon += 2 * Math.PI;
        outX[row] = cx + scale * lon;
        outY[row] = cy - scale * (Math.asin(Math.max(-1, Math.min(1, pz))) - this.mapLat * DEGREE);
      }
    }
  }

  _order() {
    // troubled satellites last, so that they lie on top
    return this.paint.classes.map((_, k) => k).sort((a, b) => this.paint.classes[a].level - this.paint.classes[b].level);
  }

  _drawMany(context) {
    const { paint, x, y } = this, { of, dark } = paint, count = this.data.count;
    const grow = Math.sqrt(this.zoom), bright = 2.3 * grow, dim = 1.5 * grow;
    for (const kind of this._order()) {
      if (!paint.counts[kind]) continue;
      const { colour, level, shape } = paint.classes[kind];
      const symbols = level > 0 && paint.counts[kind] < 1500;
      context.fillStyle = context.strokeStyle = colour;
      for (let row = 0; row < count; row += 1) {
        if (of[row] !== kind || x[row] === HIDDEN) continue;
        if (symbols) { this._stamp(context, kind, shape, colour, x[row], y[row], 3.6 * grow); continue; }
        const size = dark[row] && level <= 0 ? dim : bright;
        context.fillRect(x[row] - size / 2, y[row] - size / 2, size, size);
      }
    }
  }

  _drawFew(context) {
    const { paint, x, y, data } = this;
    const size = this.mini ? 3.2 : data.count > 120 ? 4 : 5.5;
    for (const kind of this._order()) {
      const { colour, shape } = paint.classes[kind];
      for (let row = 0; row < data.count; row += 1) {
        if (paint.of[row] !== kind || x[row] === HIDDEN) continue;
        if (this.mini && row !== this.selected) { context.globalAlpha = 0.35; }
        this._stamp(context, `${kind}${paint.dark[row] ? "d" : ""}`, paint.dark[row] && shape === "dot" ? "ring" : shape, colour, x[row], y[row], size);
        context.globalAlpha = 1;
      }
    }
    if (data.count <= LABELS_UP_TO && !this.mini) this._drawLabels(context);
  }

  /** A symbol from a sprite that is drawn once per kind and size. */
  _stamp(context, kind, shape, colour, x, y, r) {
    this.sprites ??= new Map();
    const key = `${kind} ${r.toFixed(1)} ${colour}`;
    let sprite = this.sprites.get(key);
    if (!sprite) {
      const side = Math.ceil(r * 4);
      sprite = document.createElement("canvas");
      sprite.width = sprite.height = side * this.ratio;
      const pen = sprite.getContext("2d");
      pen.scale(this.ratio, this.ratio);
      pen.fillStyle = pen.strokeStyle = colour;
      pen.shadowColor = colour; pen.shadowBlur = r * 0.7;
      drawShape(pen, shape, side / 2, side / 2, r);
      sprite.side = side;
      this.sprites.set(key, sprite);
    }
    context.drawImage(sprite, x - sprite.side / 2, y - sprite.side / 2, sprite.side, sprite.side);
  }

  _drawLabels(context) {
    const placed = [];
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "left";
    for (let row = 0; row < this.data.count; row += 1) {
      if (this.x[row] === HIDDEN) continue;
      const text = this.data.names[row] || this.data.ids[row];
      const box = [this.x[row] + 9, this.y[row] - 6, context.measureText(text).width, 12];
      const clash = placed.some((b) => box[0] < b[0] + b[2] && b[0] < box[0] + box[2] && box[1] < b[1] + b[3] && b[1] < box[1] + box[3]);
      if (clash || box[0] + box[2] > this.width) continue;
      placed.push(box);
      context.lineWidth = 3; context.strokeStyle = this.colours("panel"); context.globalAlpha = 0.55; context.strokeText(text, box[0], this.y[row] + 4);
      context.globalAlpha = 0.92; context.fillStyle = this.colours("text"); context.fillText(text, box[0], this.y[row] + 4);
      context.globalAlpha = 1;
    }
  }

  _drawRing(context, row) {
    if (this.x[row] === HIDDEN) return;
    context.beginPath(); context.arc(this.x[row], this.y[row], 10, 0, 2 * Math.PI);
    context.lineWidth = 2; context.strokeStyle = this.colours("select"); context.stroke();
  }

  _drawTrack(context, now) {
    const { data } = this, row = this.selected;
    const path = d3.geoPath(this.projection, context);
    const here = this._placeAt(row, now);
    context.strokeStyle = this.colours("track");
    if (this.past?.length > 1) {
      const tail = [...this.past, [Math.atan2(here[1], here[0]) / DEGREE, Math.asin(here[2]) / DEGREE]];
      context.beginPath(); path({ type: "LineString", coordinates: tail });
      context.lineWidth = 1.6; context.globalAlpha = 0.9; context.stroke();
    }
    if (data.omega[row] > 0) {
      const altitude = (data.radius[row] - 1) * EARTH_RADIUS_KM;
      const coming = comingTrack(data.position(row), data.heading(row), data.omega[row], data.value(row, "orb_alt_km") || altitude);
      context.beginPath(); path({ type: "LineString", coordinates: coming });
      context.lineWidth = 1.3; context.globalAlpha = 0.7; context.setLineDash([2, 5]); context.stroke(); context.setLineDash([]);
    }
    context.globalAlpha = 1;
  }

  /** Nearest satellite to a point of the canvas, or -1. */
  nearest(x, y, limit = PICK_PX) {
    let best = -1, least = limit * limit;
    for (let row = 0; row < this.data.count; row += 1) {
      const dx = this.x[row] - x, dy = this.y[row] - y, distance = dx * dx + dy * dy;
      if (distance < least) { least = distance; best = row; }
    }
    return best;
  }

  _listen() {
    const { host } = this;
    let from = null, moved = false;
    const here = (event) => { const box = host.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    const send = (name, detail) => this.dispatchEvent(new CustomEvent(name, { detail }));
    host.addEventListener("pointerdown", (event) => { from = [event.clientX, event.clientY]; moved = false; host.setPointerCapture(event.pointerId); });
    host.addEventListener("pointermove", (event) => {
      if (from && this.follow < 0) {
        const dx = event.clientX - from[0], dy = event.clientY - from[1];
        if (Math.abs(dx) + Math.abs(dy) < 4 && !moved) return;
        moved = this.dragging = true;
        host.classList.add("dragging");
        from = [event.clientX, event.clientY];
        const perPx = 1 / (this.scale * DEGREE);
        if (this.globe || this.zoom > 1) { this.lon -= dx * perPx; this.lat += dy * perPx; this.dirty = true; }
      } else if (this.x) {
        const [x, y] = here(event);
        send("hover", { row: this.nearest(x, y), x: event.clientX, y: event.clientY });
      }
    });
    const release = (event) => {
      host.classList.remove("dragging");
      this.dragging = false;
      if (from && !moved && event.type === "pointerup" && this.x) send("pick", { row: this.nearest(...here(event)) });
      from = null;
    };
    host.addEventListener("pointerup", release);
    host.addEventListener("pointercancel", release);
    host.addEventListener("pointerleave", () => send("hover", { row: -1 }));
    host.addEventListener("dblclick", (event) => { const row = this.x ? this.nearest(...here(event)) : -1; if (row >= 0) send("open", { row }); });
    host.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom = Math.max(0.7, Math.min(14, this.zoom * Math.exp(-event.deltaY * 0.0015)));
      this.sprites = null;
      this.dirty = true;
    }, { passive: false });
  }
}
