// The dashboards that Grafana gets, drawn from the same specification; queries go by their key.

import { drawPanel } from "./panels.js";
import { element } from "./format.js";

const SPANS_MIN = [10, 30, 90, 180, 720];
const REFRESH_MS = 10000;
const AT_ONCE = 4;

export class BoardView {
  /** `params`: uid of the board and values of its variables; kept in the address. */
  constructor(host, data, params) {
    Object.assign(this, { host, data, params });
    this._load();
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    for (const panel of this.panels ?? []) panel.close?.();
    this.host.replaceChildren();
  }

  restyle() { this._refresh(); }

  async _load() {
    this.boards = await (await fetch("/api/boards")).json();
    if (this.closed) return;
    this.board = this.boards.find((one) => one.uid === this.params.get("board")) ?? this.boards[0];
    this.minutes = Number(this.params.get("minutes")) || Math.min(this.board.minutes, SPANS_MIN.at(-1));
    this._choose();
    this._skeleton();
    await this._refresh();
    document.documentElement.dataset.ready = "board";
    this.timer = setInterval(() => this._refresh(), REFRESH_MS);
  }

  /** Values of the variables: as the address says, else the first there is. */
  _choose() {
    const { data, params } = this;
    const planes = data.planes.filter(Boolean);
    const plane = planes.includes(params.get("plane")) ? params.get("plane") : planes[0] ?? "none";
    const of = data.ids.filter((_, row) => data.planes[data.plane[row]] === plane);
    const sat = data.rowOf.has(params.get("sat")) ? params.get("sat") : of[0] ?? "none";
    this.values = { fleet: data.fleetName || "none", plane, sat };
    this.choices = { plane: planes, sat: of.includes(sat) ? of : [sat, ...of] };
  }

  _address(changed) {
    const next = new URLSearchParams({ board: this.board.uid, plane: this.values.plane, sat: this.values.sat, minutes: this.minutes, ...changed });
    return `#/board?${next}`;
  }

  _skeleton() {
    const choose = (name, options, now) => element("label", { class: "tool" }, `${name} `, element("select", { "aria-label": name, onchange: (event) => { location.hash = this._address({ [name]: event.target.value }); } }, ...options.map((one) => element("option", { value: one, selected: String(one) === String(now) }, String(one).replaceAll("_", " ")))));
    const wanted = this.board.variables.filter((name) => name !== "fleet");
    const tabs = this.boards.map((one) => element("a", { href: this._address({ board: one.uid }), "aria-current": one === this.board ? "page" : null }, one.title));
    this.note = element("span", { class: "muted" });
    this.grid = element("div", { class: "board-grid" });
    this.host.replaceChildren(
      element("nav", { class: "board-tabs", "aria-label": "Dashboards" }, element("a", { href: "#/" }, "↑ fleet"), ...tabs),
      element("div", { class: "board-head" }, element("h1", {}, this.board.title), element("span", { class: "muted" }, this.board.description), element("span", { class: "tools" }, ...wanted.map((name) => choose(name, this.choices[name], this.values[name])), choose("minutes", SPANS_MIN, this.minutes), this.note)),
      this.grid);
    this.panels = this.board.panels.map((spec) => this._panel(spec));
  }

  _panel(spec) {
    const place = (node) => { node.style.gridColumn = `${spec.grid.x + 1} / span ${spec.grid.width}`; node.style.gridRow = `${spec.grid.y + 1} / span ${spec.grid.height}`; return node; };
    const title = spec.title.replace("${sat}", this.values.sat);
    if (spec.kind === "row") { this.grid.append(place(element("h2", { class: "board-row" }, title))); return { spec }; }
    const body = element("div", { class: `board-body ${spec.kind}` });
    const said = spec.minutes ? element("span", { class: "muted" }, `newest ${spec.minutes} min`) : null;
    this.grid.append(place(element("section", { class: "panel board-panel", "data-key": spec.key, "data-kind": spec.kind }, element("div", { class: "board-title", title: spec.description.replaceAll("**", "") }, element("h3", {}, title), said), body)));
    return { spec, body };
  }

  async _refresh() {
    const waiting = this.panels.filter((panel) => panel.body);
    const work = async () => { for (let panel = waiting.shift(); panel && !this.closed; panel = waiting.shift()) await this._draw(panel); };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (!this.closed) this.note.textContent = "";
  }

  async _draw(panel) {
    try {
      const answers = await Promise.all(panel.spec.queries.map((query) => this._ask(query.key, panel.spec.minutes || this.minutes)));
      if (this.closed) return;
      panel.close?.();
      panel.close = drawPanel(panel.body, panel.spec, answers, { data: this.data, link: (url, row) => this._link(url, row) });
    } catch (error) {
      panel.body.replaceChildren(element("p", { class: "board-empty" }, error.message));
    }
  }

  async _ask(key, minutes) {
    const answer = await fetch(`/api/boards/query?${new URLSearchParams({ key, minutes, ...this.values })}`);
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error ?? `${answer.status}`);
    return told;
  }

  /** Where a link of Grafana leads in the console; `row`: columns and tags of what was clicked. */
  _link(url, row) {
    const changed = {};
    const uid = /^\/d\/([^?]+)/.exec(url)?.[1];
    if (uid) changed.board = uid;
    for (const [, name, column] of url.matchAll(/var-(\w+)=\$\{__(?:data\.fields|field\.labels)\.(\w+)\}/g)) if (row[column]) changed[name] = row[column];
    if (changed.plane && !changed.sat) changed.sat = "";
    return this._address(changed);
  }
}
