// Where the Sun stands and where satellites go: vectors on an Earth-fixed unit sphere.

const DEGREE = Math.PI / 180;
const EARTH_TURN_PER_MS = (2 * Math.PI) / 86164090.5;
const EARTH_GM_KM3_S2 = 398600.4418;
export const EARTH_RADIUS_KM = 6378.137;

/** Longitude and latitude [deg] under the Sun; Astronomical Almanac low-precision formula, 0.01 deg. */
export function subsolarPoint(unixMs) {
  const days = unixMs / 86400000 - 10957.5;
  const mean = (357.528 + 0.9856003 * days) * DEGREE;
  const ecliptic = (280.46 + 0.9856474 * days + 1.915 * Math.sin(mean) + 0.02 * Math.sin(2 * mean)) * DEGREE;
  const tilt = (23.439 - 4e-7 * days) * DEGREE;
  const right = Math.atan2(Math.cos(tilt) * Math.sin(ecliptic), Math.cos(ecliptic)) / DEGREE;
  const latitude = Math.asin(Math.sin(tilt) * Math.sin(ecliptic)) / DEGREE;
  const sidereal = 280.46062 + 360.98564737 * days;
  return [((((right - sidereal) % 360) + 540) % 360) - 180, latitude];
}

/** Unit vector of a latitude and longitude [deg]. */
export function unitVector(latitude, longitude) {
  const c = Math.cos(latitude * DEGREE);
  return [c * Math.cos(longitude * DEGREE), c * Math.sin(longitude * DEGREE), Math.sin(latitude * DEGREE)];
}

export function lonLat([x, y, z]) {
  return [Math.atan2(y, x) / DEGREE, Math.atan2(z, Math.hypot(x, y)) / DEGREE];
}

/** Orbital period [min] of a circular orbit at an altitude. */
export function periodMinutes(altitudeKm) {
  return (2 * Math.PI * Math.sqrt((EARTH_RADIUS_KM + altitudeKm) ** 3 / EARTH_GM_KM3_S2)) / 60;
}

/** Ground track [lon, lat] of the coming orbit: a circle in inertial space over a turning Earth.
 *  position and heading are Earth-fixed unit vectors; omega is the angular speed over ground [rad/ms]. */
export function comingTrack(position, heading, omega, altitudeKm, steps = 180) {
  // velocity in inertial space = velocity over ground + rotation of the Earth
  const [x, y] = position;
  const velocity = heading.map((u, k) => u * omega + [-y, x, 0][k] * EARTH_TURN_PER_MS);
  const speed = Math.hypot(...velocity);
  if (!(speed > 0)) return [];
  const along = velocity.map((v) => v / speed);
  const period = periodMinutes(altitudeKm) * 60000;
  const track = [];
  for (let k = 0; k <= steps; k += 1) {
    const ms = (period * k) / steps;
    const angle = (2 * Math.PI * k) / steps;
    const c = Math.cos(angle), s = Math.sin(angle);
    const p = position.map((v, axis) => v * c + along[axis] * s);
    const turn = -EARTH_TURN_PER_MS * ms;
    track.push(lonLat([p[0] * Math.cos(turn) - p[1] * Math.sin(turn), p[0] * Math.sin(turn) + p[1] * Math.cos(turn), p[2]]));
  }
  return track;
}

/** Inclination [deg] of the orbit with this motion. */
export function inclination(position, heading, omega) {
  const velocity = heading.map((u, k) => u * omega + [-position[1], position[0], 0][k] * EARTH_TURN_PER_MS);
  const normal = [
    position[1] * velocity[2] - position[2] * velocity[1],
    position[2] * velocity[0] - position[0] * velocity[2],
    position[0] * velocity[1] - position[1] * velocity[0],
  ];
  return Math.acos(normal[2] / Math.hypot(...normal)) / DEGREE;
}
