// What follows from the rows. The only arithmetic is kWh × PUE × g/kWh.
const isBetter = (mode, one, other) => (mode === "min" ? one < other : one > other);

/** Returns a row with its new bests (xs in g, ys), as it was or as it would be at another place and PUE. */
export function viewed(row, { intensity, pue }) {
	const { front = { g: [], q: [], epoch: [] } } = row;
	if (row.g == null || (intensity == null && pue == null)) return { ...row, facility: row.facility_kwh, at: (i, g) => g[i], xs: front.g, ys: front.q, epochs_at: front.epoch };
	const pueThen = pue ?? row.facility_kwh / row.kwh;
	const intensityThen = intensity ?? row.g / row.facility_kwh;
	const facility = row.kwh * pueThen;
	const g = facility * intensityThen;
	const at = (i, was, kwh) => (kwh && intensity != null ? kwh[i] * pueThen * intensityThen : row.g && (was[i] / row.g) * g);
	return { ...row, facility, g, at, xs: front.g.map((_, i) => at(i, front.g, front.kwh)), ys: front.q, epochs_at: front.epoch };
}

/** Returns the points that no run betters for as little carbon. */
export function paretoFront(rows, mode) {
	const points = rows.flatMap(({ xs, ys }) => xs.map((x, i) => [x, ys[i]]));
	points.sort((one, other) => one[0] - other[0] || (isBetter(mode, one[1], other[1]) ? -1 : 1));
	let best = null;
	return points.filter(([, y]) => (best === null || isBetter(mode, y, best) ? ((best = y), true) : false));
}

/** Returns the emissions, in g, at which a run was first as good as a value. */
export const gramsTo = (row, value) => (value == null ? null : row.xs[row.ys.findIndex((y) => y === value || isBetter(row.mode, y, value))]);

export function sum(rows, name) {
	const known = rows.map((row) => row[name]).filter((value) => value != null);
	return known.length ? known.reduce((one, other) => one + other) : null;
}
