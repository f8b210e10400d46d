// The two pictures: quality for the carbon, and emissions over epochs.
import { mass, number, write } from "./dom.js";
import { paretoFront } from "./model.js";
import { plot } from "./plot.js";
import { ask, state } from "./state.js";

const SYMBOLS = { closed: "●", running: "○", killed: "✕" };
const MEASURED = 0.5;
const LEAST_G = 1e-30;
const FAR = 10;
const MOST_RUNS = 20;
const quality = (value) => number(value, 4);

export function frontChart() {
	const draw = plot("front", (x) => mass(x, 2), quality);
	return ({ shown, isTicked, stopOf }) => {
		const text = (row) => (i) => `${row.name}: ${row.metric} ${quality(row.ys[i])} at ${mass(row.xs[i])}, epoch ${row.epochs_at[i] ?? "–"}`;
		const onAxis = (row) => {
			const first = state.isLog ? row.xs.findIndex((x) => x > LEAST_G) : 0;
			const [xs, ys, epochs_at] = [row.xs, row.ys, row.epochs_at].map((each) => each.slice(first));
			return first < 0 ? [] : { ...row, xs, ys, epochs_at };
		};
		const lines = shown.flatMap(onAxis).map((row) => ({ ...row, text: text(row), isQuiet: !isTicked(row), end: row.g, symbol: row.stop && row.state === "closed" ? "■" : SYMBOLS[row.state] }));
		const front = paretoFront(lines);
		const off = shown.length - lines.length;
		const needed = off ? ` ${off} of ${shown.length} runs ${off > 1 ? "need" : "needs"} a linear axis, at 0 g.` : "";
		write("direction", shown.length ? `${shown[0].mode === "min" ? "Less" : "More"} ${state.metric} is better.${needed}` : "No run has known emissions and a metric yet.");
		if (lines.length) lines.unshift({ xs: front.map(([x]) => x), ys: front.map(([, y]) => y), end: Math.max(...lines.map((row) => row.g)) });
		const ticked = shown.filter(isTicked);
		const limits = [...new Set(ticked.map((row) => row.limit_g))].filter((limit) => limit && limit < FAR * lines[0]?.end);
		const marks = ticked.map((row) => [row, stopOf(row)]).filter(([, stop]) => stop?.stops && stop.q != null);
		const places = marks.map(([row, stop]) => [row.at(0, [stop.at_g], [row.kwh * (1 - stop.saved_kwh / row.facility_kwh)]), stop.q]);
		draw({ lines, limits: limits.map((limit) => [limit, `budget ${mass(limit)}`]), marks: places.filter(([x]) => !state.isLog || x > LEAST_G) }, state.isLog);
	};
}

export function epochChart() {
	const draw = plot("epochs", (x) => (x % 1 ? "" : number(x)), mass);
	return ({ rows, isTicked, place }) => {
		const isSum = state.kind === "so far";
		const ticked = rows.filter(isTicked);
		const read = ticked.filter((row) => row.g != null).slice(0, MOST_RUNS).map((row) => [row, ask("run", row)]).filter(([, run]) => run?.epoch?.length);
		const lines = read.map(([{ key, name, at, steady }, run]) => {
			const [g, kwh] = isSum ? [run.total_g, run.total_kwh] : [run.g, run.kwh];
			const { low_g, high_g } = isSum || place ? {} : run;
			const all = [run.epoch, g.map((_, i) => at(i, g, steady ? null : kwh)), run.measured, low_g, high_g];
			const [xs, ys, measured, low, high] = all.map((values) => values?.filter((_, i) => g[i] != null));
			const text = (i) => `${name}: ${mass(ys[i])}${low ? ` (${mass(low[i])} to ${mass(high[i])})` : ""} ${isSum ? "until" : "in"} epoch ${xs[i]}`;
			return { key, name, xs, ys, low, high, text, isModelled: (i) => !(measured[i] >= MEASURED) };
		}).filter(({ xs }) => xs.length);
		const every = Math.max(0, ...read.map(([, run]) => run.epochs_a_point));
		write("drawn", ticked.length ? `${lines.length} of ${ticked.length} ticked runs.${every > 1 ? ` A point is up to ${every} epochs.` : ""}` : "Tick runs in the table.");
		draw({ lines });
	};
}
