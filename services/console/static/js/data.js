// The fleet in typed arrays: values as reported, motion between reports, and the simulated clock.

import { unitVector, EARTH_RADIUS_KM } from "./sky.js";

const DRAWN_ALTITUDE_LIMIT_KM = 3000; // higher satellites are drawn at this height
const SLEW_PER_PICTURE = 0.15;
const RELOAD_DELAY_MS = 700;

function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}

/** Events: "roster" (other satellites), "picture" (new values), "link" (connection changed). */
export class FleetData extends EventTarget {
  constructor(spec) {
    super();
    this.spec = spec;
    this.channels = new Map(spec.channels.map((channel) => [channel.name, channel]));
    this.count = 0;
    this.ids = [];
    this.summary = null;
    this.link = "connecting";
    this.receivedAt = -Infinity;
    this.clock = { simMs: 0, atMs: 0, rate: 1, known: false };
  }

  async load() {
    const answer = await fetch("/api/fleet");
    if (!answer.ok) throw new Error(`fleet: ${answer.status}`);
    const fleet = await answer.json();
    this.fleetName = fleet.fleet;
    this.ids = fleet.ids;
    this.names = fleet.names;
    this.planes = fleet.planes;
    this.presets = fleet.presets;
    this.plane = new Uint32Array(bytesOf(fleet.plane));
    this.preset = new Uint32Array(bytesOf(fleet.preset));
    this.column = new Map(fleet.channels.map((name, index) => [name, index]));
    this.width = fleet.channels.length;
    this.rowOf = new Map(fleet.ids.map((id, row) => [id, row]));
    this._makeRoom(fleet.ids.length);
    this.intervalMs = Float64Array.from(new Float32Array(bytesOf(fleet.intervals)), (s) => s * 1000);
    const before = new Float64Array(bytesOf(fleet.previous_times));
    const places = new Float32Array(bytesOf(fleet.previous_positions));
    for (let row = 0; row < this.count; row += 1) {
      if (before[row] > 0 && Number.isFinite(places[2 * row])) this._move(row, before[row], places[2 * row], places[2 * row + 1], 0);
    }
    this.run = fleet.picture.run;
    this.rosterVersion = fleet.picture.roster;
    this.tick = fleet.picture.tick;
    this._take(fleet.picture);
    this.dispatchEvent(new Event("roster"));
    this.dispatchEvent(new Event("picture"));
  }

  connect() {
    const source = new EventSource(`/api/stream?since=${encodeURIComponent(`${this.run}-${this.tick}`)}`);
    source.addEventListener("picture", (message) => this._onPicture(JSON.parse(message.data)));
    source.addEventListener("open", () => this._setLink("live"));
    source.addEventListener("error", () => this._setLink("lost"));
    this.source = source;
  }

  /** Simulated time now [ms since 1970]. */
  now() {
    return this.clock.simMs + (performance.now() - this.clock.atMs) * this.clock.rate;
  }

  value(row, name) {
    const column = this.column.get(name);
    return column === undefined ? NaN : this.values[row * this.width + column];
  }

  /** Simulated ms since a satellite's last report. */
  age(row, now = this.now()) {
    return this.timeMs[row] > 0 ? now - this.timeMs[row] : Infinity;
  }

  silentAfterMs(row) {
    const interval = this.intervalMs[row] > 0 ? this.intervalMs[row] : this.usualIntervalMs;
    return this.spec.silent_intervals * interval + 2000 * Math.max(1, this.clock.rate);
  }

  isStale(row, now) {
    return this.age(row, now) > this.silentAfterMs(row);
  }

  position(row) {
    const k = 3 * row;
    return [...this.place.subarray(k, k + 3)];
  }

  heading(row) {
    const k = 3 * row;
    return [...this.along.subarray(k, k + 3)];
  }

  _makeRoom(count) {
    this.count = count;
    this.values = new Float32Array(count * this.width).fill(NaN);
    this.timeMs = new Float64Array(count); // of the last report; 0 = none
    this.placeMs = new Float64Array(count); // of the last report with a position
    this.place = new Float64Array(3 * count); // unit vector at the last report
    this.along = new Float64Array(3 * count); // unit tangent in the direction of motion
    this.omega = new Float64Array(count); // angular speed over ground [rad/ms]
    this.radius = new Float32Array(count).fill(1); // distance from the centre, Earth radii
    this.stale = new Uint8Array(count);
    this.usualIntervalMs = 10000;
  }

  _onPicture(picture) {
    this._setLink("live");
    if (picture.run !== this.run || picture.roster !== this.rosterVersion) this._reloadSoon();
    if (picture.run !== this.run) return;
    this._take(picture);
    this.dispatchEvent(new Event("picture"));
  }

  _reloadSoon() {
    if (this._reloading) return;
    this._reloading = setTimeout(async () => {
      try {
        await this.load();
      } catch {
        // the next picture asks again
      } finally {
        this._reloading = 0;
      }
    }, RELOAD_DELAY_MS);
  }

  _take(picture) {
    this.tick = picture.tick;
    this.summary = picture.summary;
    this.receivedAt = performance.now();
    this._setClock(picture);
    const rows = new Uint32Array(bytesOf(picture.rows));
    const times = new Float64Array(bytesOf(picture.times));
    const values = new Float32Array(bytesOf(picture.values));
    this.changedRows = rows;
    const latColumn = this.column.get("orb_lat_deg"), lonColumn = this.column.get("orb_lon_deg"), altColumn = this.column.get("orb_alt_km");
    for (let k = 0; k < rows.length; k += 1) {
      const row = rows[k], from = k * this.width;
      if (row >= this.count) continue;
      this.values.set(values.subarray(from, from + this.width), row * this.width);
      const step = times[k] - this.timeMs[row];
      if (this.timeMs[row] > 0 && step > 0) this.intervalMs[row] = step;
      this.timeMs[row] = times[k];
      if (Number.isFinite(values[from + latColumn]) && times[k] > 0) this._move(row, times[k], values[from + latColumn], values[from + lonColumn], values[from + altColumn]);
    }
    this._judgeSilence();
  }

  _setClock(picture) {
    const rate = picture.rate ?? 1;
    const atMs = performance.now();
    const expected = this.clock.simMs + (atMs - this.clock.atMs) * this.clock.rate;
    const error = picture.now_ms - expected;
    const jump = !this.clock.known || Math.abs(error) > 5000 * Math.max(1, rate);
    // small errors are slewed away, so that satellites never twitch
    this.clock = { simMs: jump ? picture.now_ms : expected + error * SLEW_PER_PICTURE, atMs, rate, known: picture.now_ms > 0 };
  }

  _judgeSilence() {
    const known = this.intervalMs.filter((ms) => ms > 0).sort();
    if (known.length) this.usualIntervalMs = known[known.length >> 1];
    const now = this.now();
    for (let row = 0; row < this.count; row += 1) this.stale[row] = this.isStale(row, now) ? 1 : 0;
  }

  _move(row, timeMs, latitude, longitude, altitudeKm) {
    const [x, y, z] = unitVector(latitude, longitude);
    const k = 3 * row, { place, along } = this;
    const step = timeMs - this.placeMs[row];
    const known = this.placeMs[row] > 0 && step > 0;
    if (known) {
      const dot = Math.min(1, place[k] * x + place[k + 1] * y + place[k + 2] * z);
      // tangent at the new place, away from the old one
      const tx = x * dot - place[k], ty = y * dot - place[k + 1], tz = z * dot - place[k + 2];
      const length = Math.hypot(tx, ty, tz);
      if (length > 1e-9 && dot > 0) {
        along[k] = tx / length; along[k + 1] = ty / length; along[k + 2] = tz / length;
        this.omega[row] = Math.atan2(length, dot) / step;
      } else {
        this.omega[row] = 0;
      }
    }
    if (known || !(this.placeMs[row] > 0)) {
      place[k] = x; place[k + 1] = y; place[k + 2] = z;
      this.placeMs[row] = timeMs;
    }
    if (altitudeKm > 0) this.radius[row] = 1 + Math.min(altitudeKm, DRAWN_ALTITUDE_LIMIT_KM) / EARTH_RADIUS_KM;
  }

  _setLink(state) {
    if (this.link === state) return;
    this.link = state;
    this.dispatchEvent(new Event("link"));
  }
}
