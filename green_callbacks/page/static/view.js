// The rows as the user wants to see them. The only arithmetic is kWh × PUE × g/kWh.
import { attempt } from "./dom.js";
import { ask, state } from "./state.js";

const MOST_TICKED = 7;

/** Returns a row as it was, or as it would be at another place and PUE. Its points are new bests in g, quality, epoch. */
function viewed(row, code, intensity, pue) {
	const { g: recorded, q: bests, epoch: epochs, kwh } = row.front ?? { g: [] };
	const sign = row.mode === "min" ? -1 : 1;
	const isMoved = row.g != null && row.kwh && (code || pue);
	const pueThen = pue ?? row.facility_kwh / row.kwh;
	const facility = isMoved ? row.kwh * pueThen : row.facility_kwh;
	const g = isMoved ? facility * (intensity ?? row.g / row.facility_kwh) : row.g;
	const at = (was, used) => (used && code ? used * pueThen * intensity : row.g && (was / row.g) * g);
	const moved = (was, used) => (isMoved ? was.map((value, i) => at(value, used?.[i])) : was);
	const points = moved(recorded, kwh).map((amount, i) => [amount, bests[i], epochs[i]]);
	const reached = state.reach && points.find(([, best]) => sign * best >= sign * state.reach);
	const place = isMoved ? { zone: code ?? row.zone, pue: pue ?? row.pue } : {};
	return { ...row, ...place, sign, facility, g, moved, points, reach: reached?.[0] };
}

/** Returns the points that no run betters for as little carbon: emissions, quality and key of the run. */
export function paretoFront(rows) {
	const all = rows.flatMap(({ points, key, sign }) => points.map(([g, best]) => [g, best, key, sign * best]));
	all.sort((one, other) => one[0] - other[0] || other[3] - one[3]);
	let most = -Infinity;
	return all.filter(([, , , worth]) => worth > most && ((most = worth), true));
}

export function sum(rows, name) {
	const isTwice = ({ within }) => name !== "epochs" && within && rows.some(({ key }) => within.includes(key)); // outer runs hold no inner epochs
	const known = rows.map((row) => (isTwice(row) ? null : row[name])).filter((value) => value != null);
	return known.length ? known.reduce((one, other) => one + other) : null;
}

function filtered(rows) {
	const pattern = attempt(() => RegExp(state.filter, "i")) ?? { test: (each) => each.includes(state.filter) };
	return rows.filter((row) => [row.name, row.stop ?? ""].some((each) => pattern.test(each)));
}

/** Returns what all parts show. At first, the runs on the front are ticked, and then others. */
export function viewOf(data, zones) {
	const [code, , intensity, zone] = zones.find(([code]) => code === state.zone) ?? [];
	const all = data.runs.map((row) => viewed({ ...row, within: data.within[row.key] }, code, intensity, Number(state.pue) || null));
	const rows = filtered(all);
	if (!data.metrics.some(([name]) => name === state.metric)) state.metric = data.metrics[0]?.[0];
	const shown = rows.filter((row) => row.metric === state.metric && row.points.length);
	const place = [zone, state.pue && `PUE ${state.pue}`].filter(Boolean).join(", ");
	const recorded = place ? shown.map((row) => ({ ...row, points: row.front.g.map((g, i) => [g, row.front.q[i]]) })) : shown;
	const best = paretoFront(recorded).reverse().map(([, , key]) => key);
	const ticked = state.ticked ?? [...new Set([...best, ...rows.map((row) => row.key)])].slice(0, MOST_TICKED);
	for (const row of rows) row.ticked = row.state !== "unread" && ticked.includes(row.key);
	const isTicked = (row) => row.ticked;
	return { data, all, rows, shown, ticked, isTicked, place, stopOf: (row) => state.rule && ask("stop", row, state.rule) };
}
