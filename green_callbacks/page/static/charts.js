// The two pictures: quality for the carbon, and emissions over epochs.
import { card, el, labeled, option } from "./dom.js";
import { mass, number } from "./format.js";
import { paretoFront } from "./model.js";
import { Plot } from "./plot.js";

const SYMBOLS = { closed: "●", running: "○", killed: "✕" };
const MEASURED = 0.5;
const MOST_LIMITS = 3;
const MOST_RUNS = 20;
const quality = (value) => number(value, 4);

export function frontChart(page) {
	const plot = new Plot("Best quality for the carbon", (x) => mass(x, 2), quality);
	const title = el("h2");
	const metric = el("select", { onchange: () => page.set({ metric: metric.value }) });
	const log = el("input", { type: "checkbox", onchange: () => page.set({ isLog: log.checked }) });
	const note = el("p");
	const text = (row) => (i) => `${row.name}: ${row.metric} ${quality(row.ys[i])} at ${mass(row.xs[i])}, epoch ${row.epochs_at[i]}`;
	const draw = ({ shown, metrics, state, isTicked, suffix }) => {
		title.textContent = `Best quality for the carbon${suffix}`;
		metric.replaceChildren(...metrics.map(([name, runs]) => option(name, `${name} (${runs})`)));
		metric.value = state.metric;
		log.checked = state.isLog;
		const lines = shown.filter((row) => !state.isLog || row.xs[0] > 0).map((row) => ({ ...row, text: text(row), isQuiet: !isTicked(row), end: row.g, symbol: row.stop ? "■" : SYMBOLS[row.state] }));
		const front = paretoFront(lines);
		if (lines.length) lines.unshift({ xs: front.map(([x]) => x), ys: front.map(([, y]) => y), end: Math.max(...lines.map((row) => row.g)) });
		const ticked = shown.filter(isTicked);
		const stops = state.rule ? ticked.map((row) => [row, page.ask("stop", row.key, state.rule, row.seen_at)]) : [];
		const limits = [...new Set(ticked.map((row) => row.limit_g))].filter(Boolean).slice(0, MOST_LIMITS);
		note.textContent = lines.length ? `${shown[0].mode === "min" ? "Less" : "More"} ${state.metric} is better. Heavy line: the best of all runs. ● closed, ■ stopped by a rule, ○ running, ✕ killed.` : "No run has measured emissions and a metric yet.";
		plot.draw({
			lines,
			limits: limits.map((limit) => [limit, `budget ${mass(limit)}`]),
			marks: stops.filter(([, stop]) => stop?.stops && stop.q != null).map(([row, stop]) => [row.at(0, [stop.at_g]), stop.q]),
			isLog: state.isLog,
		});
	};
	return { box: card(title, [labeled("Metric", metric), labeled("Logarithmic", log)], plot.box, note), draw };
}

export function epochChart(page) {
	const plot = new Plot("Emissions over epochs of the ticked runs", number, mass);
	const title = el("h2");
	const kind = el("select", { onchange: () => page.set({ kind: kind.value }) }, option("per epoch"), option("so far"));
	const note = el("p");
	const draw = ({ rows, state, isTicked, suffix }) => {
		const isSum = state.kind === "so far";
		title.textContent = `Emissions ${state.kind}${suffix}`;
		kind.value = state.kind;
		const ticked = rows.filter(isTicked);
		const read = ticked.slice(0, MOST_RUNS).map((row) => [row, page.ask("run", row.key, row.seen_at)]).filter(([, run]) => run?.epoch?.length);
		const lines = read.map(([{ key, name, at, steady }, run]) => {
			const [g, kwh] = isSum ? [run.total_g, run.total_kwh] : [run.g, run.kwh];
			const { low_g: low, high_g: high } = isSum || suffix ? {} : run;
			const ys = g.map((_, i) => at(i, g, steady ? null : kwh));
			const text = (i) => `${name}: ${mass(ys[i])}${low ? ` (${mass(low[i])} to ${mass(high[i])})` : ""} ${isSum ? "until" : "in"} epoch ${run.epoch[i]}`;
			return { key, name, xs: run.epoch, ys, low, high, text, isModelled: (i) => !(run.measured[i] >= MEASURED) };
		});
		const every = Math.max(1, ...read.map(([, run]) => run.epochs_a_point));
		note.textContent = lines.length ? `Solid: measured. Dotted: modelled. Band: low to high. ${every > 1 ? `A point is up to ${every} epochs. ` : ""}${lines.length} of ${ticked.length} ticked runs.` : "Tick runs in the table to see their epochs.";
		plot.draw({ lines });
	};
	return { box: card(title, labeled("Show", kind), plot.box, note), draw };
}
