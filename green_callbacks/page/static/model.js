// What follows from the rows. The only arithmetic is kWh × PUE × g/kWh.
const isBetter = (mode, one, other) => (mode === "min" ? one < other : one > other);

/** Returns a row with its new bests (xs in g, ys), as it was or as it would be at another place and PUE. */
export function viewed(row, zone, intensity, pue, wanted) {
	const { g: xs, q: ys, epoch: epochs_at, kwh } = row.front ?? { g: [], q: [] };
	const reached = wanted ? ys.findIndex((y) => !isBetter(row.mode, wanted, y)) : -1;
	const same = { ...row, facility: row.facility_kwh, at: (i, was) => was[i], xs, ys, epochs_at, reach: xs[reached] };
	if (row.g == null || !row.kwh || (intensity ?? pue) == null) return same;
	const pueThen = pue ?? row.facility_kwh / row.kwh;
	const facility = row.kwh * pueThen;
	const g = facility * (intensity ?? row.g / row.facility_kwh);
	const at = (i, was, used) => (used && intensity != null ? used[i] * pueThen * intensity : row.g && (was[i] / row.g) * g);
	const moved = xs.map((_, i) => at(i, xs, kwh));
	return { ...same, zone: zone ?? row.zone, pue: pue ?? row.pue, facility, g, at, xs: moved, reach: moved[reached] };
}

/** Returns the points that no run betters for as little carbon: emissions, quality and key of the run. */
export function paretoFront(rows) {
	const points = rows.flatMap(({ xs, ys, key, mode }) => xs.map((x, i) => [x, ys[i], key, mode]));
	points.sort((one, other) => one[0] - other[0] || (isBetter(one[3], one[1], other[1]) ? -1 : 1));
	let best;
	return points.filter(([, y, , mode]) => (best === undefined || isBetter(mode, y, best)) && ((best = y), true));
}

export function sum(rows, name) {
	const known = rows.map((row) => row[name]).filter((value) => value != null);
	return known.length ? known.reduce((one, other) => one + other) : null;
}
