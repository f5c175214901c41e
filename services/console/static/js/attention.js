// Satellites that need a look, worst first, each with the limit it breaks.

import { element, formatAge, formatNumber, formatWithUnit, limitLevel, LEVEL_MARK } from "./format.js";

const SHOWN = 40;
const NOT_A_REASON = new Set(["sat_health"]);

/** What is wrong with a satellite, from the live channels. */
export function reasons(data, row) {
  const found = [];
  for (const [name] of data.column) {
    const channel = data.channels.get(name);
    if (!channel || NOT_A_REASON.has(name)) continue;
    const value = data.value(row, name), level = limitLevel(channel, value);
    if (level) found.push({ level, text: `${channel.label} ${formatWithUnit(channel, value)}${bound(channel, value, level)}` });
  }
  return found.sort((a, b) => b.level - a.level);
}

function bound(channel, value, level) {
  if (channel.kind === "state") return "";
  const { limits } = channel, low = level === 2 ? limits.critical_low : limits.warning_low, high = level === 2 ? limits.critical_high : limits.warning_high;
  return high !== null && value > high ? ` > ${formatNumber(high, 2)}` : ` < ${formatNumber(low, 2)}`;
}

export class AttentionList {
  constructor(host, note, data) { Object.assign(this, { host, note, data }); }

  refresh() {
    const { data } = this, now = data.now(), troubled = [];
    for (let row = 0; row < data.count; row += 1) {
      const health = data.value(row, "sat_health");
      if (data.stale[row]) troubled.push({ row, rank: 0 });
      else if (health > 0) troubled.push({ row, rank: health });
    }
    troubled.sort((a, b) => b.rank - a.rank || a.row - b.row);
    this.note.textContent = troubled.length > SHOWN ? `${SHOWN} of ${formatNumber(troubled.length, 0)}` : "";
    const items = troubled.slice(0, SHOWN).map(({ row, rank }) => this._item(row, rank, now));
    if (!items.length) items.push(element("li", { class: "calm" }, data.count ? "Every satellite is nominal." : "Waiting for the first reports."));
    this.host.replaceChildren(...items);
  }

  _item(row, rank, now) {
    const { data } = this, level = ["stale", "warn", "crit"][rank];
    const text = rank === 0 ? `silent for ${formatAge(data.age(row, now) / 1000)}` : reasons(data, row).map((reason) => reason.text).join(" · ") || "a channel outside the live ones";
    return element("li", {}, element("a", { href: `#/sat/${data.ids[row]}` },
      element("span", { class: `level-${level}`, "aria-label": level === "crit" ? "critical" : level === "warn" ? "warning" : "stale" }, LEVEL_MARK[level]),
      element("span", { class: "id" }, data.names[row] || data.ids[row]),
      element("span", { class: "what", title: text }, text),
      element("span", { class: "muted" }, (data.planes[data.plane[row]] ?? "").replaceAll("_", " "))));
  }
}
