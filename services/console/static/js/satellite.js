// One satellite: who and where it is, strips of its last hour, every channel it reports.

import { EarthView } from "./earth.js";
import { element, formatAge, formatNumber, formatValue, formatWithUnit, hasLimits, limitLevel, LEVELS, LEVEL_MARK, LEVEL_WORD, unitText } from "./format.js";
import { inclination, periodMinutes } from "./sky.js";
import { History, Strip, stretches } from "./strips.js";

const WINDOWS_MIN = [10, 30, 90, 180];
const TRACK_MIN = 60;
const SUNLIT_HALF = 0.5;

const get = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error ?? `${answer.status}`);
  return answer.json();
};

export class SatelliteView {
  constructor(host, data, id, { paint, minutes = 30 }) {
    Object.assign(this, { host, data, id, paint, minutes, row: data.rowOf.get(id) });
    this.strips = [];
    this._skeleton();
    this.earth = new EarthView(this.mini, data, { mini: true });
    this.earth.setPaint(paint);
    this.earth.select(this.row);
    this.earth.follow = this.row;
    this.earth.zoom = 1;
    this._history();
    this._track();
    this._report();
  }

  close() {
    this.closed = true;
    this.earth.close();
    for (const strip of this.strips) strip.close();
    this.host.replaceChildren();
  }

  restyle() { this.earth.restyle(); for (const strip of this.strips) strip.build(); this._refreshStrips(); }

  /** A picture arrived: fetch the satellite when it reported, move the clock in any case. */
  onPicture() {
    if (this.row >= this.data.count || this.data.ids[this.row] !== this.id) this.row = this.data.rowOf.get(this.id);
    if (this.data.timeMs[this.row] !== this.reportedMs) this._report();
    this._refreshHead();
    this._refreshStrips();
  }

  _skeleton() {
    const previous = element("a", { href: this._neighbour(-1), title: "Satellite before (←)" }, "← before"), next = element("a", { href: this._neighbour(1), title: "Satellite after (→)" }, "after →");
    this.tags = element("div", { class: "tags" });
    this.facts = element("dl", { class: "facts" });
    this.mini = element("div", { class: "canvas-host mini-earth" });
    this.stripHost = element("div", { class: "strips" });
    this.notice = element("span", { class: "muted" });
    this.channelTable = element("tbody");
    this.accelHead = element("tr");
    this.accelTable = element("tbody");
    this.accelPanel = element("section", { class: "panel accelerators", hidden: true }, element("div", { class: "panel-head" }, element("h2", {}, "Accelerators")), element("div", { class: "scroll" }, element("table", {}, element("thead", {}, this.accelHead), this.accelTable)));
    this.windows = WINDOWS_MIN.map((minutes) => element("button", { type: "button", "aria-pressed": String(minutes === this.minutes), onclick: () => this._window(minutes) }, minutes < 60 ? `${minutes} min` : `${minutes / 60} h`));
    const key = (name, text) => element("span", { class: name }, element("i"), text);
    this.host.replaceChildren(
      element("div", { class: "sat-side" },
        element("section", { class: "panel sat-head" }, element("div", { class: "sat-nav" }, element("a", { href: "#/" }, "↑ fleet"), element("span", {}, previous, " ", next)), element("h1", {}, this.data.names[this.row] || this.id), this.tags, this.facts),
        element("section", { class: "panel" }, this.mini)),
      element("div", { class: "sat-main" },
        element("div", { class: "bands-key" }, element("div", { class: "segmented", role: "group", "aria-label": "Time shown" }, ...this.windows), key("eclipse", "eclipse"), key("saa", "South Atlantic Anomaly"), key("warn", "warning limit"), key("crit", "critical limit"), this.notice),
        this.stripHost, this.accelPanel,
        element("section", { class: "panel" }, element("div", { class: "panel-head" }, element("h2", {}, "All channels"), element("span", { class: "muted" }, "as last reported")), element("div", { class: "scroll" }, element("table", {}, element("thead", {}, element("tr", {}, ...["Channel", "Value", "State", "Meaning", "Name"].map((head) => element("th", { class: head === "Value" ? "number" : "" }, head)))), this.channelTable)))));
    this._channelRows();
  }

  _neighbour(step) {
    const { ids } = this.data;
    return `#/sat/${ids[(this.row + step + ids.length) % ids.length]}`;
  }

  _channelRows() {
    this.cells = new Map();
    let group = "";
    for (const channel of this.data.spec.channels) {
      if (channel.subsystem !== group) {
        group = channel.subsystem;
        this.channelTable.append(element("tr", { class: "group" }, element("th", { colspan: 5 }, channel.subsystem_title)));
      }
      const value = element("td", { class: "number" }, "–"), state = element("td", { class: "state" });
      this.cells.set(channel.name, { value, state });
      this.channelTable.append(element("tr", {}, element("td", {}, channel.label), value, state, element("td", { class: "meaning" }, channel.meaning), element("td", { class: "name" }, channel.name)));
    }
  }

  async _history() {
    const { spec } = this.data;
    this.history = new History([...new Set([...spec.strips.flatMap((strip) => strip.channels), ...Object.values(spec.bands)])], this.minutes * 60000);
    for (const strip of this.strips) strip.close();
    this.stripHost.replaceChildren();
    this.strips = spec.strips.map((panel) => new Strip(this.stripHost, panel, this.data, this.history));
    const history = this.history;
    try {
      const series = await get(`/api/sat/${this.id}/series?channels=${history.channels.join(",")}&minutes=${this.minutes}`);
      if (this.closed || history !== this.history) return;
      history.load(series);
      this.notice.textContent = "";
    } catch (error) {
      this.notice.textContent = `No history: ${error.message}. Live values only.`;
    }
    if (this.last) this._append(this.last);
    this._refreshStrips();
    document.documentElement.dataset.ready = "satellite";
  }

  async _track() {
    const [lat, lon] = this.data.spec.track_channels;
    try {
      const series = await get(`/api/sat/${this.id}/series?channels=${lat},${lon}&minutes=${TRACK_MIN}&points=190`);
      if (!this.closed) this.earth.setPast(trackPoints(series, lat, lon));
    } catch {
      // the track is an ornament: without a store there is none
    }
  }

  async _report() {
    if (this.reporting) return;
    this.reporting = true;
    try {
      const report = await get(`/api/sat/${this.id}`);
      if (this.closed) return;
      this.last = report;
      this.reportedMs = this.data.timeMs[this.row];
      if (this.history) this._append(report);
      this._refreshHead();
      this._refreshTable(report);
      this._refreshAccelerators(report);
      this._refreshStrips();
    } catch (error) {
      this.notice.textContent = `No answer for ${this.id}: ${error.message}`;
    } finally {
      this.reporting = false;
    }
  }

  _append(report) {
    const gap = (this.data.silentAfterMs(this.row)) / 1000;
    if (report.time_ms > 0) this.history.append(report.time_ms / 1000, report.channels, gap);
  }

  _window(minutes) {
    this.minutes = minutes;
    this.windows.forEach((button, k) => button.setAttribute("aria-pressed", String(WINDOWS_MIN[k] === minutes)));
    this._history();
  }

  _refreshStrips() {
    if (!this.history || !this.data.clock.known) return;
    const { bands } = this.data.spec, { times, columns } = this.history;
    const lit = columns.get(bands.sunlit) ?? [], inside = columns.get(bands.saa) ?? [];
    const shown = { eclipse: stretches(times, lit, (value) => value < SUNLIT_HALF), saa: stretches(times, inside, (value) => value > 0) };
    const stale = this.data.stale[this.row] === 1;
    this.host.classList.toggle("is-stale", stale);
    for (const strip of this.strips) strip.refresh(this.data.now() / 1000, shown, stale);
  }

  _refreshHead() {
    const { data, row, last } = this, now = data.now();
    const tag = (level, text) => element("span", { class: "pill", "data-level": level }, text);
    const health = data.value(row, "sat_health"), mode = data.channels.get("eps_mode"), lit = data.value(row, "orb_sunlit_frac");
    const silent = data.stale[row] === 1;
    this.tags.replaceChildren(
      ...(silent ? [tag("stale", `stale, silent for ${formatAge(data.age(row, now) / 1000)}`)] : [tag(LEVELS[health] ?? "stale", LEVEL_WORD[LEVELS[health]] ?? "unknown")]),
      element("span", { class: "pill" }, `mode ${formatValue(mode, data.value(row, "eps_mode"))}`),
      element("span", { class: "pill" }, lit > SUNLIT_HALF ? "☀ sunlit" : Number.isFinite(lit) ? "☾ in eclipse" : "light unknown"),
      ...(data.value(row, "orb_in_saa") > 0 ? [element("span", { class: "pill" }, "☢ in the anomaly")] : []));
    const altitude = data.value(row, "orb_alt_km"), omega = data.omega[row];
    const details = last?.details ?? {};
    const facts = [
      ["Id", this.id], ["Preset", data.presets[data.preset[row]]], ["Plane", (data.planes[data.plane[row]] ?? "").replaceAll("_", " ")],
      ["Accelerators", details.accel_count ? `${details.accel_count}${details.accelerator ? ` × ${details.accelerator}` : ""}` : null],
      ["Altitude", formatWithUnit(data.channels.get("orb_alt_km"), altitude)],
      ["Inclination", omega > 0 ? `${inclination(data.position(row), data.heading(row), omega).toFixed(1)}°` : null],
      ["Period", altitude > 0 ? `${periodMinutes(altitude).toFixed(1)} min` : null],
      ["Beta angle", formatWithUnit(data.channels.get("orb_beta_deg"), data.value(row, "orb_beta_deg"))],
      ["Position", `${place(data.value(row, "orb_lat_deg"), "N", "S")} ${place(data.value(row, "orb_lon_deg"), "E", "W")}`],
      ["Last report", `${formatAge(data.age(row, now) / 1000)} ago`],
      ["Reports every", data.intervalMs[row] > 0 ? `${formatNumber(data.intervalMs[row] / 1000, 1)} s` : null],
    ];
    this.facts.replaceChildren(...facts.filter(([, text]) => text).flatMap(([label, text]) => [element("dt", {}, label), element("dd", {}, text)]));
  }

  _refreshTable(report) {
    for (const channel of this.data.spec.channels) {
      const { value, state } = this.cells.get(channel.name), number = report.channels[channel.name];
      value.textContent = formatWithUnit(channel, number);
      const known = Number.isFinite(number), level = LEVELS[limitLevel(channel, number)];
      state.textContent = !known ? "no value" : hasLimits(channel) ? `${LEVEL_MARK[level]} ${LEVEL_WORD[level]}` : "";
      state.className = `state ${!known ? "level-stale" : hasLimits(channel) ? `level-${level}` : ""}`;
    }
  }

  _refreshAccelerators(report) {
    const indices = Object.keys(report.accelerators).sort((a, b) => Number(a) - Number(b));
    this.accelPanel.hidden = indices.length === 0;
    if (!indices.length) return;
    const channels = this.data.spec.accelerator_channels;
    if (!this.accelHead.childElementCount) this.accelHead.replaceChildren(element("th", {}, "#"), ...channels.map((channel) => element("th", { title: `${channel.dcgm ?? channel.name}: ${channel.meaning}` }, channel.label)));
    this.accelTable.replaceChildren(...indices.map((index) => {
      const values = report.accelerators[index];
      return element("tr", {}, element("td", {}, index), ...channels.map((channel) => {
        const value = values[channel.dcgm] ?? values[channel.name], level = LEVELS[limitLevel(channel, value)];
        return element("td", { class: `number ${level === "ok" ? "" : `level-${level}`}` }, `${level === "ok" ? "" : `${LEVEL_MARK[level]} `}${formatWithUnit(channel, value)}`);
      }));
    }));
  }
}

/** Points [lon, lat] of a stored track. */
export function trackPoints(series, lat, lon) {
  const points = [];
  (series.time_ns ?? []).forEach((_, k) => { if (series[lat][k] !== null && series[lon][k] !== null) points.push([series[lon][k], series[lat][k]]); });
  return points;
}

function place(degrees, positive, negative) {
  return Number.isFinite(degrees) ? `${Math.abs(degrees).toFixed(1)}°${degrees < 0 ? negative : positive}` : "–";
}
