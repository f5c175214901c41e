// Numbers, units and limits as people read them. What the limits are comes from the server.

const UNITS = { C: "°C", deg: "°", "deg/s": "°/s", "W/m2": "W/m²", 1: "", "1/s": "/s", "1/J": "/J", "1/cm2/s": "/cm²/s" };

export const LEVELS = ["ok", "warn", "crit"];
export const LEVEL_MARK = { ok: "●", warn: "▲", crit: "◆", stale: "✕" };
export const LEVEL_WORD = { ok: "nominal", warn: "warning", crit: "critical", stale: "stale" };

/** Unit for display: "C" becomes "°C". */
export function unitText(unit) {
  return UNITS[unit] ?? unit ?? "";
}

/** Up to four significant digits, never more decimals than the channel has. */
export function formatNumber(value, decimals = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const wanted = size > 0 ? Math.max(0, 3 - Math.floor(Math.log10(size))) : 0;
  const digits = Math.min(decimals, wanted, 6);
  return value.toLocaleString("en-GB", { minimumFractionDigits: Math.min(digits, size >= 1000 ? 0 : digits), maximumFractionDigits: digits });
}

/** A channel's value in words or digits, without its unit. */
export function formatValue(channel, value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (channel.kind === "state") return (channel.states[Math.round(value)] ?? String(Math.round(value))).replaceAll("_", " ");
  return formatNumber(value, channel.decimals);
}

/** The same with its unit. */
export function formatWithUnit(channel, value) {
  const unit = unitText(channel.unit);
  const text = formatValue(channel, value);
  return !unit || text === "–" ? text : `${text}${unit === "°" || unit === "%" ? "" : " "}${unit}`;
}

/** Which limit a value breaks: 0 none, 1 warning, 2 critical. Not a number breaks none. */
export function limitLevel(channel, value) {
  const limits = channel?.limits;
  if (!limits || !Number.isFinite(value)) return 0;
  const outside = (low, high) => (low !== null && value < low) || (high !== null && value > high);
  if (outside(limits.critical_low, limits.critical_high)) return 2;
  return outside(limits.warning_low, limits.warning_high) ? 1 : 0;
}

export function hasLimits(channel) {
  return Object.values(channel.limits).some((limit) => limit !== null);
}

/** Seconds as a short age: 8 s, 3 min, 2 h. */
export function formatAge(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 10) return `${seconds.toFixed(seconds < 2 ? 1 : 0)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

export function formatRate(rate) {
  if (!Number.isFinite(rate)) return "";
  return Math.abs(rate - 1) < 0.03 ? "real time" : `${formatNumber(rate, rate < 10 ? 1 : 0)}× real time`;
}

/** Element with text and attributes; text never becomes markup. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}
