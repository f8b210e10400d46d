// The two pictures: quality for the carbon, and emissions over epochs.
import { card, el, labeled, option } from "./dom.js";
import { mass, number } from "./format.js";
import { paretoFront } from "./model.js";
import { Plot } from "./plot.js";

const SYMBOLS = { closed: "●", running: "○", killed: "✕" };
const MEASURED = 0.5;
const MOST_LIMITS = 3;
const quality = (value) => number(value, 4);

export function frontChart(page) {
	const plot = new Plot("Best quality for the carbon", (x) => mass(x, 2), quality, page.say);
	const title = el("h2");
	const metric = el("select", { onchange: () => page.set({ metric: metric.value }) });
	const log = el("input", { type: "checkbox", onchange: () => page.set({ isLog: log.checked }) });
	const note = el("p");
	const line = (row, isQuiet) => ({ ...row, isQuiet, end: row.g, symbol: row.stop ? "■" : SYMBOLS[row.state], text: (i) => `${row.name}: ${row.metric} ${quality(row.ys[i])} at ${mass(row.xs[i])}, epoch ${row.epochs_at[i] ?? "–"}` });
	const draw = ({ rows, metrics, state, stops, suffix }) => {
		title.textContent = `Best quality for the carbon${suffix}`;
		metric.replaceChildren(...metrics.map(([name, runs]) => option(name, `${name} (${runs})`)));
		metric.value = state.metric;
		log.checked = state.isLog;
		const shown = rows.filter((row) => row.metric === state.metric && row.xs.length && (!state.isLog || row.xs[0] > 0));
		const ticked = shown.filter((row) => state.ticked.has(row.key));
		const front = paretoFront(shown, shown[0]?.mode);
		const best = { xs: front.map(([x]) => x), ys: front.map(([, y]) => y), end: Math.max(...shown.map((row) => row.g)) };
		note.textContent = shown.length ? `${shown[0].mode === "min" ? "Less" : "More"} ${state.metric} is better. Heavy line: the best of all runs. ● closed, ■ stopped by a rule, ○ running, ✕ killed.` : "No run has measured emissions and a metric yet.";
		plot.draw({
			lines: [...shown.map((row) => line(row, !ticked.includes(row))), ...(shown.length ? [best] : [])].sort((one, other) => (other.isQuiet ?? 0.5) - (one.isQuiet ?? 0.5)),
			limits: [...new Set(ticked.map((row) => row.limit_g))].filter(Boolean).slice(0, MOST_LIMITS).map((limit) => [limit, `budget ${mass(limit)}`]),
			marks: ticked.map((row) => [stops.get(row.key), row]).filter(([stop]) => stop?.stops && stop.q != null).map(([stop, row]) => [row.at(0, [stop.at_g]), stop.q]),
			isLog: state.isLog,
		});
	};
	return { box: card(title, [labeled("Metric", metric), labeled("Logarithmic", log)], plot.box, note), draw };
}

export function epochChart(page) {
	const plot = new Plot("Emissions over epochs of the ticked runs", number, mass, page.say);
	const title = el("h2");
	const kind = el("select", { onchange: () => page.set({ isSum: Boolean(kind.value) }) }, option("", "each epoch"), option("sum"));
	const note = el("p");
	const draw = ({ rows, state, details, suffix }) => {
		const { isSum } = state;
		title.textContent = `Emissions ${isSum ? "so far" : "per epoch"}${suffix}`;
		kind.value = isSum ? "sum" : "";
		const ticked = rows.filter((row) => state.ticked.has(row.key));
		const lines = ticked.filter(({ key }) => details.get(key)?.epoch?.length).map((row) => {
			const detail = details.get(row.key);
			const [g, kwh] = isSum ? [detail.total_g, detail.total_kwh] : [detail.g, detail.kwh];
			const { low_g: low, high_g: high, epoch: xs } = isSum || suffix ? { epoch: detail.epoch } : detail;
			const ys = g.map((_, i) => row.at(i, g, row.steady ? null : kwh));
			const text = (i) => `${row.name}: ${mass(ys[i])} ${isSum ? "until" : "in"} epoch ${xs[i]}${low ? `, ${mass(low[i])} to ${mass(high[i])}` : ""}`;
			return { key: row.key, name: row.name, xs, ys, low, high, text, isModelled: (i) => !(detail.measured[i] >= MEASURED), every: detail.epochs_a_point };
		});
		const every = Math.max(0, ...lines.map((line) => line.every));
		note.textContent = lines.length ? `Solid: measured. Dotted: modelled.${isSum || suffix ? "" : " Band: low to high."}${every > 1 ? ` Up to ${every} epochs a point.` : ""} ${lines.length} of ${ticked.length} ticked runs.` : "Tick runs in the table to see their epochs.";
		plot.draw({ lines });
	};
	return { box: card(title, [labeled("Show", kind)], plot.box, note), draw };
}
