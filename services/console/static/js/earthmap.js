// The Earth under the satellites: land, day and night, the anomaly; drawn only when it changes.

import { subsolarPoint } from "./sky.js";
import { themeColours } from "./paint.js";

const { d3, topojson } = globalThis;
const TWILIGHT_DEG = [0, 1.5, 3, 4.5, 6, 7.5, 9, 10.5, 12, 13.5, 15, 16.5]; // the edge of night, softened
const STARS = 170;
const SPHERE = { type: "Sphere" };

let landPromise = null;
let anomalyPromise = null;

/** Land as GeoJSON (Natural Earth 1:110m). */
export function loadLand() {
  landPromise ??= fetch("/static/vendor/land-110m.json").then((answer) => answer.json()).then((world) => topojson.feature(world, world.objects.land));
  return landPromise;
}

/** The South Atlantic Anomaly as contours of proton flux, from the server's own model. */
export function loadAnomaly() {
  anomalyPromise ??= fetch("/api/saa").then((answer) => answer.json()).then(contoursOf).catch(() => { anomalyPromise = null; return null; });
  return anomalyPromise;
}

function contoursOf(grid) {
  const [lonFirst, lonStep, nx] = grid.longitude_deg, [latFirst, latStep, ny] = grid.latitude_deg;
  const floor = Math.max(grid.threshold / 1000, 1e-3);
  const logs = grid.flux.map((flux) => Math.log10(Math.max(flux, floor)));
  const made = d3.contours().size([nx, ny]).thresholds(grid.levels.map(Math.log10))(logs);
  const place = ([x, y]) => [lonFirst + (x - 0.5) * lonStep, latFirst + (y - 0.5) * latStep];
  const contours = made.map((contour, k) => ({
    level: grid.levels[k],
    type: "MultiPolygon",
    coordinates: contour.coordinates.map((polygon) => polygon.map((ring) => ring.map(place).reverse())),
  }));
  const peak = grid.flux.indexOf(Math.max(...grid.flux));
  return { contours, threshold: grid.threshold, peak: place([(peak % nx) + 0.5, Math.floor(peak / nx) + 0.5]), altitudeKm: grid.altitude_km, any: grid.peak > grid.threshold };
}

/** Draw the Earth on a canvas. `view`: {projection, globe, cx, cy, scale, width, height, ratio}. */
export function drawEarth(context, view, { land, anomaly, unixMs }) {
  const colour = themeColours();
  const { projection, width, height } = view;
  const path = d3.geoPath(projection, context);
  context.clearRect(0, 0, width, height);
  if (view.globe) { drawStars(context, view, colour); drawGlow(context, view, colour); }
  context.beginPath(); path(SPHERE); context.fillStyle = ocean(context, view, colour); context.fill();
  if (land) {
    context.beginPath(); path(land); context.fillStyle = colour("land"); context.fill();
    context.lineWidth = 0.6; context.strokeStyle = colour("shore"); context.globalAlpha = 0.55; context.stroke(); context.globalAlpha = 1;
  }
  context.beginPath(); path(d3.geoGraticule10()); context.lineWidth = 0.7; context.strokeStyle = colour("grid"); context.stroke();
  drawNight(context, path, unixMs, colour);
  if (anomaly) drawAnomaly(context, path, view, anomaly, colour);
  if (view.globe) { context.beginPath(); path(SPHERE); context.lineWidth = 1; context.strokeStyle = colour("glow"); context.globalAlpha = 0.35; context.stroke(); context.globalAlpha = 1; }
}

function ocean(context, view, colour) {
  if (!view.globe) return colour("ocean-day");
  const { cx, cy, scale } = view;
  const shade = context.createRadialGradient(cx - scale * 0.3, cy - scale * 0.35, scale * 0.1, cx, cy, scale);
  shade.addColorStop(0, colour("ocean-day"));
  shade.addColorStop(1, colour("ocean-edge"));
  return shade;
}

/** Fixed points behind the globe, the same every time. */
function drawStars(context, { width, height }, colour) {
  context.fillStyle = colour("star");
  for (let k = 0, seed = 7; k < STARS; k += 1) {
    seed = (seed * 48271) % 2147483647;
    const x = (seed / 2147483647) * width;
    seed = (seed * 48271) % 2147483647;
    const y = (seed / 2147483647) * height, size = 0.5 + (seed % 100) / 110;
    context.globalAlpha = 0.15 + (seed % 37) / 70;
    context.fillRect(x, y, size, size);
  }
  context.globalAlpha = 1;
}

function drawGlow(context, { cx, cy, scale }, colour) {
  const glow = context.createRadialGradient(cx, cy, scale * 0.98, cx, cy, scale * 1.13);
  glow.addColorStop(0, colour("glow"));
  glow.addColorStop(1, "transparent");
  context.globalAlpha = 0.32;
  context.fillStyle = glow;
  context.beginPath(); context.arc(cx, cy, scale * 1.13, 0, 2 * Math.PI); context.fill();
  context.globalAlpha = 1;
}

function drawNight(context, path, unixMs, colour) {
  const [longitude, latitude] = subsolarPoint(unixMs);
  const circle = d3.geoCircle().center([longitude + 180, -latitude]).precision(3);
  context.fillStyle = colour("night");
  context.globalAlpha = Number(colour("night-step"));
  for (const depth of TWILIGHT_DEG) { context.beginPath(); path(circle.radius(90 - depth)()); context.fill(); }
  context.globalAlpha = 1;
}

function drawAnomaly(context, path, view, anomaly, colour) {
  context.strokeStyle = context.fillStyle = colour("saa");
  for (const contour of anomaly.contours) {
    const edge = contour.level === anomaly.threshold;
    context.beginPath(); path(contour);
    context.globalAlpha = 0.1; context.fill();
    context.globalAlpha = edge ? 0.95 : 0.4;
    context.lineWidth = edge ? 1.4 : 0.8;
    context.setLineDash(edge ? [] : [3, 3]); context.stroke(); context.setLineDash([]);
  }
  context.globalAlpha = 1;
  if (!anomaly.any || view.mini) return;
  const hidden = view.globe && d3.geoDistance(anomaly.peak, view.centre) > 1.25;
  const at = hidden ? null : projectionPoint(view, anomaly.peak);
  if (!at) return;
  context.font = "600 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillText("South Atlantic Anomaly", at[0], at[1] + 4);
}

function projectionPoint(view, place) {
  const at = view.projection(place);
  return at && at.every(Number.isFinite) ? at : null;
}
