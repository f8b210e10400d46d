// What follows from the rows. The only arithmetic is kWh × PUE × g/kWh.
const isBetter = (mode, one, other) => (mode === "min" ? one < other : one > other);

/** Returns a row with its new bests (xs in g, ys), as it was or as it would be at another place and PUE. */
export function viewed(row, intensity, pue) {
	const { g: xs, q: ys, epoch: epochs_at, kwh } = row.front ?? { g: [], q: [] };
	const same = { ...row, facility: row.facility_kwh, at: (i, was) => was[i], xs, ys, epochs_at };
	if (row.g == null || (intensity ?? pue) == null) return same;
	const pueThen = pue ?? row.facility_kwh / row.kwh;
	const facility = row.kwh * pueThen;
	const g = facility * (intensity ?? row.g / row.facility_kwh);
	const at = (i, was, used) => (used && intensity != null ? used[i] * pueThen * intensity : row.g && (was[i] / row.g) * g);
	return { ...same, facility, g, at, xs: xs.map((_, i) => at(i, xs, kwh)) };
}

/** Returns the points that no run betters for as little carbon: emissions, quality and key of the run. */
export function paretoFront(rows) {
	const points = rows.flatMap(({ xs, ys, key }) => xs.map((x, i) => [x, ys[i], key]));
	const { mode } = rows[0] ?? {};
	points.sort((one, other) => one[0] - other[0] || (isBetter(mode, one[1], other[1]) ? -1 : 1));
	let best;
	return points.filter(([, y]) => (best === undefined || isBetter(mode, y, best)) && ((best = y), true));
}

/** Returns the emissions, in g, at which a run was first as good as a value. */
export const gramsTo = (row, value) => (value == null ? null : row.xs[row.ys.findIndex((y) => !isBetter(row.mode, value, y))]);

export function sum(rows, name) {
	const known = rows.map((row) => row[name]).filter((value) => value != null);
	return known.length ? known.reduce((one, other) => one + other) : null;
}
