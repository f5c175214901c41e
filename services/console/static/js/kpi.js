// The strip of key figures: one tile each, never a number that rests on stale data.

import { element, formatAge, formatNumber, formatWithUnit, limitLevel, LEVEL_MARK, LEVELS, unitText } from "./format.js";

const AGE_WARN_S = 15;
const AGE_CRIT_S = 60;
const percent = (part, whole) => (whole ? `${formatNumber((100 * part) / whole, 1)} %` : "–");

/** Tiles: each reads (summary, status, data) and says value, unit, small print, level, link. */
const TILES = [
  { label: "Satellites", read: (s, status) => satellites(s, status) },
  { label: "Health", read: (s) => health(s) },
  { label: "Sunlit", read: (s) => ({ value: formatNumber(s.sunlit, 0), sub: percent(s.sunlit, s.sunlit + s.eclipse) }) },
  { label: "In eclipse", read: (s) => ({ value: formatNumber(s.eclipse, 0), sub: `${formatNumber(s.in_saa, 0)} in the anomaly` }) },
  { label: "Compute power", read: (s) => power(s) },
  { label: "Mean charge", read: (s, _, data) => ({ ...level(data, "eps_soc_pct", s.soc_mean_pct), sub: s.soc_low ? `lowest ${formatNumber(s.soc_low.value, 1)} %` : "", link: s.soc_low?.sat }) },
  { label: "Hottest accelerator", read: (s, _, data) => extreme(data, "tcs_die_max_t_c", s.die_max) },
  { label: "Highest dose rate", read: (s, _, data) => extreme(data, "rad_dose_rate_rad_day", s.dose_max) },
  { label: "Messages", read: (s) => ({ value: s.messages_s === null ? "–" : formatNumber(s.messages_s, 1), unit: "/s", sub: s.lines_s === null ? "" : `${formatNumber(s.lines_s, 0)} rows/s`, lasting: true }) },
  { label: "Pipeline", read: (s, status) => pipeline(status) },
  { label: "Data age", read: (s, _, data) => age(s, data) },
];

function satellites(s, status) {
  // simulators say how many satellites they run: one that was never heard is missing too
  const told = Object.values(status?.pipeline?.details ?? {}).reduce((sum, service) => sum + (Number.isInteger(service?.satellites) ? service.satellites : 0), 0);
  const silent = s.stale + Math.max(0, told - s.satellites);
  const level = s.satellites && s.fresh === 0 ? "crit" : silent ? "warn" : "ok";
  return { value: formatNumber(s.satellites, 0), sub: silent ? `${formatNumber(silent, 0)} silent` : s.satellites ? "all heard" : "none yet", level, lasting: true };
}

function health(s) {
  const { critical = 0, warning = 0, nominal = 0 } = s.health;
  const worst = critical || warning;
  const sub = critical ? `${formatNumber(warning, 0)} warning` : `${formatNumber(nominal, 0)} nominal`;
  const level = critical ? "crit" : warning ? "warn" : "ok";
  if (worst) return { value: formatNumber(worst, 0), unit: critical ? "critical" : "warning", sub, level };
  return { value: nominal ? "nominal" : "–", sub, level, words: true };
}

function power(s) {
  if (s.compute_kw === null) return { value: "–", sub: "" };
  const mega = s.compute_kw >= 10000;
  const size = (kw) => formatNumber(mega ? kw / 1000 : kw, mega ? 2 : 1);
  const unit = mega ? "MW" : "kW";
  return { value: size(s.compute_kw), unit, sub: s.array_kw === null ? "" : `arrays ${size(s.array_kw)} ${unit}` };
}

function level(data, name, value) {
  const channel = data.channels.get(name);
  return { value: formatNumber(value, Math.min(1, channel.decimals)), unit: unitText(channel.unit), level: LEVELS[limitLevel(channel, value ?? NaN)] };
}

function extreme(data, name, found) {
  const channel = data.channels.get(name);
  if (!found) return { value: "–", sub: "" };
  return { value: formatNumber(found.value, Math.min(3, channel.decimals)), unit: unitText(channel.unit), level: LEVELS[limitLevel(channel, found.value)], sub: found.sat, link: found.sat };
}

function pipeline(status) {
  const told = status?.pipeline;
  if (!told) return { value: "unknown", sub: "no answer", level: "warn", words: true, lasting: true };
  const states = Object.values(told.services ?? {}).map((service) => (typeof service === "string" ? service : service?.state));
  const online = states.filter((state) => state === "online").length;
  const dead = told.dead_lettered ?? 0, owed = told.owed ?? 0;
  const level = online < states.length ? "crit" : dead > 0 ? "warn" : "ok";
  const value = states.length ? `${online}/${states.length} online` : "–";
  return { value, sub: `${formatNumber(owed, 0)} owed, ${formatNumber(dead, 0)} dead`, level, words: true, lasting: true };
}

function age(s, data) {
  if (s.data_age_s === null) return { value: "–", sub: "nothing received yet", level: "warn", lasting: true };
  const seconds = s.data_age_s + (performance.now() - data.receivedAt) / 1000;
  const usual = (data.usualIntervalMs / 1000 / Math.max(data.clock.rate, 1e-3)) * data.spec.silent_intervals;
  const level = seconds > Math.max(AGE_CRIT_S, usual) ? "crit" : seconds > Math.max(AGE_WARN_S, usual) ? "warn" : "ok";
  return { value: formatAge(seconds), sub: level === "ok" ? "fresh" : "stale", level, lasting: true };
}

export class KeyFigures {
  constructor(host, data) {
    this.data = data;
    this.status = null;
    this.tiles = TILES.map((tile) => {
      const parts = { label: element("span", { class: "label" }, tile.label), mark: element("span", { class: "mark", "aria-hidden": "true" }), value: element("span", { class: "value" }), unit: element("span", { class: "unit" }), sub: element("span", { class: "sub" }) };
      const node = element("a", { class: "kpi" }, parts.label, parts.mark, parts.value, parts.unit, parts.sub);
      host.append(node);
      return { ...tile, parts, node };
    });
  }

  refresh() {
    const { summary } = this.data;
    if (!summary) return;
    const silent = summary.satellites > 0 && summary.fresh === 0;
    const lost = (performance.now() - this.data.receivedAt) / 1000 > AGE_WARN_S;
    for (const { parts, node, read } of this.tiles) {
      const { value, unit = "", sub = "", level: found = "ok", link = null, lasting = false, words = false } = read(summary, this.status, this.data);
      const stale = (silent || lost) && !lasting;
      parts.value.textContent = stale && silent ? "–" : value;
      parts.unit.textContent = stale && silent ? "" : unit;
      parts.sub.textContent = stale ? "stale" : sub;
      parts.sub.title = sub;
      parts.mark.textContent = found === "ok" || stale ? "" : LEVEL_MARK[found];
      node.dataset.words = String(words);
      node.dataset.level = stale ? "stale" : found;
      node.dataset.stale = String(stale);
      if (link) node.setAttribute("href", `#/sat/${link}`); else node.removeAttribute("href");
    }
  }
}

/** One sentence on the whole fleet, for screen readers. */
export function fleetSentence(data) {
  const s = data.summary;
  if (!s || !s.satellites) return "No satellite has reported yet.";
  const { critical = 0, warning = 0 } = s.health;
  const charge = s.soc_mean_pct === null ? "" : `, mean charge ${formatWithUnit(data.channels.get("eps_soc_pct"), Math.round(s.soc_mean_pct))}`;
  return `${s.satellites} satellites, ${s.sunlit} sunlit, ${s.eclipse} in eclipse, ${critical} critical, ${warning} with warnings, ${s.stale} silent${charge}.`;
}
