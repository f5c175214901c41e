// Boot, routes by the address's hash, keyboard, and what happens on every picture.

import { AlertsView, alertSentence } from "./alerts.js";
import { AttentionList, reasons } from "./attention.js";
import { BoardView } from "./boards.js";
import { FleetData } from "./data.js";
import { EarthView } from "./earth.js";
import { element, formatAge, formatNumber, formatRate, formatValue, formatWithUnit, LEVEL_WORD, LEVELS } from "./format.js";
import { fleetSentence, KeyFigures } from "./kpi.js";
import { Paint, symbolCanvas, themeColours } from "./paint.js";
import { SatelliteView, trackPoints } from "./satellite.js";
import { Search } from "./search.js";
import { Wall } from "./wall.js";

const RETRY_MS = 2000;
const STATUS_MS = 5000;
const SPEAK_MS = 15000;
const THEME_KEY = "orbital-twin-theme";
const TRACK_MIN = 60;
const find = (id) => document.getElementById(id);
const root = document.documentElement;
const date = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "2-digit", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit" });

class Console {
  constructor(data) {
    this.data = data;
    this.satellite = null;
    this.alerts = null;
    this.selected = -1;
    this.paint = new Paint(data, this._firstPaint());
    this.earth = new EarthView(find("earth"), data);
    this.wall = new Wall(find("wall"), data);
    this.figures = new KeyFigures(find("kpis"), data);
    this.attention = new AttentionList(find("attention"), find("attention-note"), data);
    this.search = new Search(find("search"), find("search-results"), data, (row) => this.open(row));
    this._controls();
    this._pointers();
    document.addEventListener("keydown", (event) => this._key(event));
    window.addEventListener("hashchange", () => this._route());
    data.addEventListener("roster", () => this._roster());
    data.addEventListener("picture", () => this._picture());
    data.addEventListener("link", () => this._link());
    this._roster();
    this._picture();
    this._route();
    this._status();
    setInterval(() => this._status(), STATUS_MS);
    setInterval(() => this._clock(), 250);
    setInterval(() => { find("status").textContent = fleetSentence(data); }, SPEAK_MS);
    find("status").textContent = fleetSentence(data);
    root.dataset.ready = this.satellite || this.board ? "loading" : "fleet";
  }

  open(row) { if (row >= 0) location.hash = `#/sat/${this.data.ids[row]}`; }

  select(row) {
    this.selected = row;
    this.earth.select(row);
    this.wall.select(row);
    this._card();
    if (row >= 0) { find("status").textContent = this._describe(row).join(", "); this._loadTrack(row); }
  }

  async _loadTrack(row) {
    const [lat, lon] = this.data.spec.track_channels;
    try {
      const answer = await fetch(`/api/sat/${this.data.ids[row]}/series?channels=${lat},${lon}&minutes=${TRACK_MIN}&points=190`);
      if (answer.ok && this.selected === row) this.earth.setPast(trackPoints(await answer.json(), lat, lon));
    } catch {
      // without a store only the coming track is drawn
    }
  }

  _firstPaint() { return this.data.spec.paints[0]; }

  _roster() {
    find("fleet-name").textContent = this.data.fleetName;
    find("wall-note").textContent = `${formatNumber(this.data.count, 0)} by plane`;
    this._repaint();
    this.wall.layout();
    if (this.selected >= this.data.count) this.select(-1);
    if (location.hash.startsWith("#/sat/") && !this.satellite) this._route();
  }

  _picture() {
    this._repaint();
    this.figures.refresh();
    if (!this.satellite && !this.alerts && !this.board) { this.attention.refresh(); this._card(); }
    this.satellite?.onPicture();
  }

  _repaint() {
    this.paint.refresh();
    this.earth.setPaint(this.paint);
    this.satellite?.earth.setPaint(this.paint);
    if (this.wall.cellX?.length === this.data.count) this.wall.setPaint(this.paint); else this.wall.paint = this.paint;
    this._legend();
  }

  _legend() {
    const shown = this.paint.classes.map((kind, k) => ({ ...kind, count: this.paint.counts[k] })).filter((kind, k) => k > 0 || kind.count);
    const key = JSON.stringify(shown.map(({ word, colour, count }) => [word, colour, count]));
    if (key === this._legendKey) return;
    this._legendKey = key;
    find("legend").replaceChildren(...shown.map(({ word, colour, shape, count }) => element("span", {}, symbolCanvas(shape, colour), `${word} ${formatNumber(count, 0)}`)),
      element("span", {}, symbolCanvas("ring", themeColours()("saa")), "South Atlantic Anomaly"));
  }

  _link() {
    const { link } = this.data, pill = find("link-state");
    pill.textContent = { live: "live", lost: "connection lost, retrying", connecting: "connecting" }[link];
    pill.dataset.level = { live: "ok", lost: "crit", connecting: "stale" }[link];
    if (link === "lost") find("status").textContent = "Connection lost, retrying.";
  }

  async _status() {
    try {
      const answer = await fetch("/api/status");
      this.figures.status = answer.ok ? await answer.json() : null;
    } catch {
      this.figures.status = null;
    }
    this.figures.refresh();
    this._alerts(this.figures.status?.alerts);
  }

  _alerts(counts) {
    const link = find("alerts-link"), firing = counts?.firing ?? 0;
    find("alerts-count").textContent = counts ? formatNumber(firing, 0) : "–";
    link.dataset.level = !counts ? "stale" : counts.critical ? "crit" : firing ? "warn" : "ok";
    link.setAttribute("aria-label", counts ? `Alerts: ${alertSentence(counts)}` : "Alerts: not known");
  }

  _clock() {
    const { data } = this;
    if (!data.clock.known) return;
    const quiet = (data.summary.data_age_s ?? 0) + (performance.now() - data.receivedAt) / 1000;
    const stale = quiet * 1000 * Math.max(data.clock.rate, 1e-3) > data.spec.silent_intervals * data.usualIntervalMs + 2000 * Math.max(1, data.clock.rate);
    const now = data.now();
    find("clock-date").textContent = date.format(now);
    find("clock-time").textContent = `${clock.format(now)} UTC`;
    document.querySelector(".clock").dataset.stale = String(stale);
    const rate = find("clock-rate"), text = stale ? `no data for ${formatAge(quiet)}` : formatRate(data.summary.rate);
    rate.hidden = !text;
    rate.textContent = text;
    if (stale) rate.dataset.level = "warn"; else delete rate.dataset.level;
  }

  _describe(row) {
    const { data } = this, health = LEVELS[data.value(row, "sat_health")];
    const state = data.stale[row] ? `stale, silent for ${formatAge(data.age(row) / 1000)}` : LEVEL_WORD[health] ?? "unknown";
    return [data.names[row] || data.ids[row], state, (data.planes[data.plane[row]] ?? "").replaceAll("_", " ")];
  }

  _hover({ row, x, y }) {
    const tip = find("tooltip"), { data } = this;
    tip.hidden = !(row >= 0);
    if (tip.hidden) return;
    const [name, state, plane] = this._describe(row);
    const channel = this.paint.channel, lit = data.value(row, "orb_sunlit_frac");
    const lines = [`${state}${reasons(data, row).slice(0, 2).map((reason) => `; ${reason.text}`).join("")}`, `${plane} · ${lit > 0.5 ? "sunlit" : Number.isFinite(lit) ? "in eclipse" : "light unknown"} · charge ${formatWithUnit(data.channels.get("eps_soc_pct"), data.value(row, "eps_soc_pct"))}`];
    if (channel.name !== "sat_health") lines.push(`${channel.label} ${formatWithUnit(channel, data.value(row, channel.name))}`);
    tip.replaceChildren(element("b", {}, name), ...lines.map((line, k) => element("div", { class: k ? "muted" : "" }, line)));
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.min(x + 14, innerWidth - box.width - 8)}px`;
    tip.style.top = `${Math.min(y + 14, innerHeight - box.height - 8)}px`;
  }

  _card() {
    const card = find("card"), { data, selected: row } = this;
    card.hidden = row < 0 || row >= data.count;
    if (card.hidden) return;
    const [name, state, plane] = this._describe(row);
    const facts = ["orb_alt_km", "eps_mode", "eps_soc_pct", "eps_compute_w", "tcs_die_max_t_c"].map((key) => [data.channels.get(key), data.value(row, key)]);
    card.replaceChildren(element("h3", {}, name), element("div", { class: "muted" }, `${state} · ${plane}`),
      element("dl", {}, ...facts.flatMap(([channel, value]) => [element("dt", {}, channel.label), element("dd", {}, channel.kind === "state" ? formatValue(channel, value) : formatWithUnit(channel, value))])),
      element("a", { class: "button", href: `#/sat/${data.ids[row]}` }, "Open"));
  }

  _controls() {
    const paints = find("paint"), { data } = this;
    paints.append(...data.spec.paints.map((name) => element("option", { value: name }, data.channels.get(name).label)));
    paints.addEventListener("change", () => { this.paint = new Paint(data, paints.value); this.earth.restyle(); this._legendKey = ""; this._repaint(); });
    find("as-globe").addEventListener("click", () => this._project(true));
    find("as-map").addEventListener("click", () => this._project(false));
    find("rotate").addEventListener("click", () => this._rotate());
    find("theme").addEventListener("click", () => this._theme());
    find("help-open").addEventListener("click", () => this._help());
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => { applyTheme(); this._restyle(); });
  }

  _project(globe) {
    find("as-globe").setAttribute("aria-pressed", String(globe));
    find("as-map").setAttribute("aria-pressed", String(!globe));
    this.earth.setGlobe(globe);
  }

  _rotate() {
    this.earth.rotating = !this.earth.rotating;
    find("rotate").setAttribute("aria-pressed", String(this.earth.rotating));
  }

  _theme() {
    localStorage.setItem(THEME_KEY, root.dataset.theme === "light" ? "dark" : "light");
    applyTheme();
    this._restyle();
  }

  _restyle() {
    this._legendKey = "";
    this.earth.restyle();
    this._repaint();
    this.wall.draw();
    this.satellite?.restyle();
    this.board?.restyle();
  }

  _help() {
    const colour = themeColours();
    const signs = [["dot", "ok", "nominal, sunlit"], ["ring", "eclipse", "in eclipse"], ["triangle", "warn", "warning limit broken"], ["diamond", "crit", "critical limit broken"], ["cross", "stale", "stale: silent for three report intervals"]];
    find("help-symbols").replaceChildren(...signs.flatMap(([shape, name, text]) => [element("dt", {}, symbolCanvas(shape, colour(name), 16)), element("dd", {}, text)]));
    find("help").showModal();
  }

  _pointers() {
    for (const view of [this.earth, this.wall]) view.addEventListener("hover", (event) => this._hover(event.detail));
    this.earth.addEventListener("pick", (event) => this.select(event.detail.row));
    this.earth.addEventListener("open", (event) => this.open(event.detail.row));
    this.wall.addEventListener("pick", (event) => { this.select(event.detail.row); this.open(event.detail.row); });
  }

  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || find("help").open || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const act = {
      "/": () => find("search").focus(), "?": () => this._help(), m: () => this._project(!this.earth.globe), r: () => this._rotate(), t: () => this._theme(), a: () => { location.hash = "#/alerts"; }, d: () => { location.hash = "#/board"; },
      Escape: () => (this.satellite || this.alerts || this.board ? (location.hash = "#/") : this.select(-1)),
      Enter: () => (!this.satellite && !this.alerts && this.selected >= 0 && !/^(A|BUTTON)$/.test(event.target.tagName) ? this.open(this.selected) : "pass"),
      ArrowLeft: () => this._arrow(event.key), ArrowRight: () => this._arrow(event.key), ArrowUp: () => this._arrow(event.key), ArrowDown: () => this._arrow(event.key),
    }[event.key];
    if (act && act() !== "pass") event.preventDefault();
  }

  _arrow(key) {
    if (this.alerts || this.board) return "pass";
    if (!this.satellite) { this.select(this.wall.step(key)); return null; }
    if (key === "ArrowUp" || key === "ArrowDown") return "pass";
    this.open((this.satellite.row + (key === "ArrowRight" ? 1 : -1) + this.data.count) % this.data.count);
    return null;
  }

  /** The dashboards' view, where the address asks for it. */
  _routeBoard() {
    this.board?.close();
    this.board = null;
    const asked = /^#\/board(?:\?(.*))?$/.exec(location.hash);
    find("board-view").hidden = !asked;
    find("kpis").hidden = Boolean(asked);
    if (!asked) return false;
    find("fleet-view").hidden = find("satellite-view").hidden = find("tooltip").hidden = true;
    find("alerts-view").hidden = true;
    this.satellite?.close();
    this.alerts?.close();
    this.satellite = this.alerts = null;
    root.dataset.ready = "loading";
    document.title = "Dashboards · Orbital Twin";
    this.board = new BoardView(find("board-view"), this.data, new URLSearchParams(asked[1] ?? ""));
    return true;
  }

  _route() {
    if (this._routeBoard()) return;
    const wanted = /^#\/sat\/([A-Za-z][A-Za-z0-9_]{0,63})$/.exec(location.hash)?.[1];
    const minutes = this.satellite?.minutes;
    this.satellite?.close();
    this.satellite = null;
    this.alerts?.close();
    this.alerts = null;
    find("tooltip").hidden = true;
    const known = wanted !== undefined && this.data.rowOf.has(wanted);
    if (wanted !== undefined && !known && this.data.count) { location.replace("#/"); find("status").textContent = `No satellite ${wanted}.`; return; }
    const alerts = location.hash === "#/alerts";
    find("alerts-view").hidden = !alerts;
    find("fleet-view").hidden = known || alerts;
    find("satellite-view").hidden = !known;
    if (known) {
      root.dataset.ready = "loading";
      this.satellite = new SatelliteView(find("satellite-view"), this.data, wanted, { paint: this.paint, minutes });
      this.selected = this.satellite.row;
      document.title = `${wanted} · Orbital Twin`;
      find("status").textContent = this._describe(this.satellite.row).join(", ");
    } else if (alerts) {
      root.dataset.ready = "loading";
      document.title = "Alerts · Orbital Twin";
      this.alerts = new AlertsView(find("alerts-view"), this.data, (text) => { find("status").textContent = text; });
    } else {
      document.title = "Orbital Twin";
      root.dataset.ready = "fleet";
      this.select(this.selected < this.data.count ? this.selected : -1);
      this.wall.layout();
      this.attention.refresh();
    }
  }
}

function applyTheme() {
  const asked = new URLSearchParams(location.search).get("theme");
  const chosen = localStorage.getItem(THEME_KEY) ?? (["light", "dark"].includes(asked) ? asked : null);
  root.dataset.theme = chosen ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");
}

async function boot() {
  applyTheme();
  for (;;) {
    try {
      const spec = await (await fetch("/api/console/spec")).json();
      const data = new FleetData(spec);
      await data.load();
      globalThis.orbitalTwin = new Console(data);
      data.connect();
      return;
    } catch (error) {
      console.warn(`not ready yet: ${error.message}`);
      find("link-state").textContent = "waiting for the service";
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

boot();
