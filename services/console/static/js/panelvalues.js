// Values as a panel's style has them: unit, decimals, words of a state, colour of a limit.

const TEXTS = {
  short: "", none: "", percent: "%", celsius: "°C", kelvin: "K", volt: "V", watt: "W", watth: "Wh", kwatth: "kWh", amp: "A", degree: "°", lengthkm: "km", ms: "ms", s: "s", h: "h",
  decgbytes: "GB", Gbits: "Gbit/s", Wm2: "W/m²", bytes: "B", currencyUSD: "$", litre: "L", masskg: "kg",
};
const LADDER = { short: 1000, watt: 1000, bytes: 1024, watth: 1000 };
const PREFIX = { 1000: ["", "k", "M", "G", "T"], 1024: ["", "Ki", "Mi", "Gi", "Ti"] };

export const hasNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A column's own style over the panel's. */
export function styleOf(spec, column) {
  return spec.overrides[column] ?? spec.style;
}

/** A value in words or digits, with its unit. */
export function shown(style, value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value.replaceAll("_", " ");
  const state = style.states?.find((one) => one.code === Math.round(value));
  if (state) return state.text;
  const unit = style.unit.startsWith("suffix:") ? style.unit.slice(7) : TEXTS[style.unit] ?? "";
  const step = LADDER[style.unit];
  let scaled = value, prefix = "";
  for (let k = 0; step && k < PREFIX[step].length && Math.abs(value) >= step ** k; k += 1) [scaled, prefix] = [value / step ** k, PREFIX[step][k]];
  if (style.unit === "short") prefix = { k: "K", G: "B" }[prefix] ?? prefix;
  const size = Math.abs(scaled), digits = style.decimals !== undefined && !prefix ? style.decimals : Math.max(0, Math.min(4, size > 0 ? 2 - Math.floor(Math.log10(size)) : 0));
  const text = scaled.toLocaleString("en-GB", { minimumFractionDigits: 0, maximumFractionDigits: digits });
  if (style.unit === "currencyUSD") return `$${text}`;
  const whole = `${prefix}${unit}`;
  return whole ? `${text}${["%", "°"].includes(whole) || (!unit && prefix) ? "" : " "}${whole}` : text;
}

/** The colour that Grafana gives the value: of its state, or of the highest step not above it. */
export function colourOf(style, value) {
  if (style.colour) return style.colour;
  if (!hasNumber(value)) return "var(--muted)";
  const state = style.states?.find((one) => one.code === Math.round(value));
  if (state) return state.colour;
  const step = style.steps?.findLast((one) => one.value === null || one.value <= value);
  return step?.colour ?? "var(--text)";
}
