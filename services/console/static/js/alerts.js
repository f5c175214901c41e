// Alerts: what fires and what waits, filtered, each with its runbook; and what changed lately.

import { element, formatAge, formatNumber, unitText } from "./format.js";

const POLL_MS = 2000;
const SHOWN = 300;
const HISTORY_SHOWN = 60;
const LEVEL = { critical: "crit", warning: "warn", info: "ok" };
const MARK = { critical: "◆", warning: "▲", info: "●" };
const STATE = { Alerting: "firing", Recovering: "firing, recovering", Pending: "pending", NoData: "no data", Error: "cannot be judged", Normal: "normal" };
const RANK = { critical: 0, warning: 1, info: 2 };
const FIRING = new Set(["Alerting", "Recovering"]);
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "2-digit", month: "short" });

/** What an alert is on: its most particular label. */
export function subject(labels) {
  if (labels.sat) return labels.sat;
  if (labels.plane) return labels.plane.replaceAll("_", " ");
  if (labels.service) return `${labels.service} ${labels.instance ?? ""}`.trim();
  return labels.fleet ?? "the rule itself";
}

/** One sentence for the screen reader and the header. */
export function alertSentence({ firing = 0, critical = 0, pending = 0 } = {}) {
  const of = firing ? `, ${critical} critical` : "";
  return `${firing} ${firing === 1 ? "alert" : "alerts"} firing${of}, ${pending} pending`;
}

export class AlertsView {
  constructor(host, data, say) {
    Object.assign(this, { host, data, say });
    this.rules = new Map(data.spec.alert_rules.map((rule) => [rule.name, rule]));
    this.rows = new Map();
    this.told = null;
    this.filter = { severity: "", cause: "", state: "" };
    this._build();
    this.timer = setInterval(() => this.refresh(), POLL_MS);
    this.refresh();
  }

  close() {
    clearInterval(this.timer);
    this.host.replaceChildren();
  }

  async refresh() {
    try {
      const answer = await fetch("/api/alerts");
      if (!answer.ok) throw new Error(String(answer.status));
      this.told = await answer.json();
    } catch {
      this.told = null;
    }
    if (this.host.isConnected) this._show();
  }

  _build() {
    const choice = (key, label, values) => {
      const select = element("select", { id: `alerts-${key}`, onchange: () => { this.filter[key] = select.value; this._show(); } },
        element("option", { value: "" }, "all"), ...values.map((value) => element("option", { value }, value.replaceAll("_", " "))));
      return element("label", { class: "tool" }, `${label} `, select);
    };
    const causes = [...new Set([...this.rules.values()].map((rule) => rule.cause))].sort();
    this.note = element("span", { class: "muted", id: "alerts-note" });
    this.body = element("tbody");
    this.history = element("ol", { class: "changes" });
    const heads = ["Severity", "State", "Alert", "On", "Since (UTC)", "Value", "Cause"];
    this.empty = element("p", { class: "calm" });
    this.host.replaceChildren(
      element("div", { class: "panel alerts" },
        element("div", { class: "panel-head" }, element("h1", {}, "Alerts"), this.note,
          element("div", { class: "tools" }, choice("severity", "Severity", Object.keys(RANK)), choice("cause", "Cause", causes), choice("state", "State", ["firing", "pending"]))),
        element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Alerts that fire or wait" },
          element("table", {}, element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col", class: head === "Value" ? "number" : null }, head)))), this.body), this.empty)),
      element("div", { class: "panel changes-panel" },
        element("div", { class: "panel-head" }, element("h2", {}, "Last changes")),
        element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Last changes of alerts" }, this.history)));
  }

  _show() {
    const { told } = this;
    if (!told) { this.note.textContent = "The console does not answer."; return; }
    const listed = told.fleets.flatMap((fleet) => fleet.alerts.map((alert) => ({ ...alert, fleet: fleet.fleet })));
    const wanted = listed.filter((alert) => this._passes(alert)).sort((a, b) => this._rank(a) - this._rank(b) || a.since_s - b.since_s);
    const left = told.fleets.reduce((sum, fleet) => sum + fleet.left_out, 0) + Math.max(0, wanted.length - SHOWN);
    const watcher = told.watch === "online" ? "" : told.fleets.length ? `; the watcher is ${told.watch}: these states are old` : "";
    this.note.textContent = `${alertSentence(told.counts)}${left ? `; ${formatNumber(left, 0)} more are not listed` : ""}${watcher}`;
    this.note.classList.toggle("level-warn", Boolean(watcher));
    this._fill(wanted.slice(0, SHOWN));
    this.empty.hidden = wanted.length > 0;
    this.empty.textContent = listed.length ? "None of the alerts passes the filter." : told.watch === "online" ? "Nothing fires and nothing waits." : "No watcher has spoken yet: twin watch judges the rules.";
    const changes = told.fleets.flatMap((fleet) => fleet.history).sort((a, b) => b.t_s - a.t_s).slice(0, HISTORY_SHOWN);
    this.history.replaceChildren(...changes.map((change) => this._change(change)));
    if (!changes.length) this.history.append(element("li", { class: "calm" }, "Nothing has changed yet."));
    const sentence = alertSentence(told.counts);
    if (sentence !== this._said) { this._said = sentence; this.say(`${sentence}.`); }
    document.documentElement.dataset.ready = "alerts";
  }

  _passes(alert) {
    const rule = this.rules.get(alert.rule), { severity, cause, state } = this.filter;
    if ((severity && rule.severity !== severity) || (cause && rule.cause !== cause)) return false;
    return !state || (state === "firing") === FIRING.has(alert.state);
  }

  _rank(alert) { return (FIRING.has(alert.state) ? 0 : 10) + RANK[this.rules.get(alert.rule).severity]; }

  /** Rows are kept by their alert, so that an open runbook and the focus stay where they are. */
  _fill(alerts) {
    const kept = new Map();
    alerts.forEach((alert, place) => {
      const key = JSON.stringify([alert.rule, alert.fleet, alert.labels]);
      const row = this.rows.get(key) ?? this._row(alert);
      kept.set(key, row);
      this._update(row, alert);
      if (this.body.children[place] !== row.line) this.body.insertBefore(row.line, this.body.children[place] ?? null);
    });
    for (const [key, row] of this.rows) if (!kept.has(key)) row.line.remove();
    this.rows = kept;
  }

  _row(alert) {
    const rule = this.rules.get(alert.rule), level = LEVEL[rule.severity], { runbook } = rule;
    const steps = (title, lines) => [element("dt", {}, title), element("dd", {}, element("ol", {}, ...lines.map((line) => element("li", {}, line))))];
    const on = subject(alert.labels), sat = alert.labels.sat;
    const cells = { state: element("td", { class: "state" }), since: element("td", { class: "state" }), value: element("td", { class: "number" }) };
    const line = element("tr", { "data-rule": rule.name },
      element("td", { class: `state level-${level}` }, `${MARK[rule.severity]} ${rule.severity}`), cells.state,
      element("td", {}, element("details", {}, element("summary", {}, rule.title),
        element("dl", { class: "runbook" }, element("dt", {}, "Meaning"), element("dd", {}, runbook.meaning), element("dt", {}, "Impact"), element("dd", {}, runbook.impact), ...steps("Diagnosis", runbook.diagnosis), ...steps("Action", runbook.action)))),
      element("td", {}, sat && this.data.rowOf.has(sat) ? element("a", { href: `#/sat/${sat}` }, on) : on),
      cells.since, cells.value, element("td", {}, rule.cause.replaceAll("_", " ")));
    return { line, cells };
  }

  _update({ cells }, alert) {
    const rule = this.rules.get(alert.rule), now = rule.scope === "pipeline" ? Date.now() : this.data.now();
    const put = (cell, text) => { if (cell.textContent !== text) cell.textContent = text; };
    put(cells.state, STATE[alert.state] ?? alert.state);
    put(cells.since, `${clock.format(alert.since_s * 1000)} (${formatAge(Math.max(0, now / 1000 - alert.since_s))})`);
    const unit = unitText(rule.unit);
    put(cells.value, alert.value === null ? "–" : `${formatNumber(alert.value)}${unit ? ` ${unit}` : ""}`);
  }

  _change(change) {
    const rule = this.rules.get(change.rule), at = change.t_s * 1000;
    const level = FIRING.has(change.after) ? LEVEL[rule.severity] : "ok";
    const why = { NoData: " (no longer in breach)", MissingSeries: " (no longer in breach)", Restart: " (after a restart)" }[change.reason] ?? "";
    return element("li", {}, element("time", { datetime: new Date(at).toISOString() }, `${day.format(at)} ${clock.format(at)}`),
      element("span", { class: `level-${level}` }, `${STATE[change.before]} → ${STATE[change.after]}${change.after === "Normal" ? why : ""}`),
      element("span", {}, rule.title), element("span", { class: "muted" }, subject(change.labels)));
  }
}
