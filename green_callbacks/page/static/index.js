// The page Carbon: its data, and its parts from top to bottom.
import { epochChart, frontChart } from "./charts.js";
import { el, find, number, option } from "./dom.js";
import { connect, followTheme, takePlaces } from "./host.js";
import { paretoFront, viewed } from "./model.js";
import { ruleStops, totals, whatIf } from "./panels.js";
import { ask, forgetFailures, get, set, state } from "./state.js";
import { filtered, runTable } from "./table.js";

const AGAIN_MS = 1000;
const MOST_TICKED = 7;

/** Returns what all parts show. At first, the runs on the front are ticked, and then others. */
function viewOf(data, zones) {
	const [, zone, intensity] = zones.find(([code]) => code === state.zone) ?? [];
	const all = data.runs.map((row) => viewed(row, zone && state.zone, intensity, Number(state.pue) || null, state.reach));
	const kinds = new Set(all.map((row) => row.metric + row.mode));
	for (const row of all) if (row.metric && kinds.has(row.metric + (row.mode === "min" ? "max" : "min"))) row.metric += ` (${row.mode})`;
	const rows = filtered(all);
	const metrics = [...Map.groupBy(all.filter((row) => row.xs.length), (row) => row.metric)].sort((one, other) => other[1].length - one[1].length);
	if (!metrics.some(([name]) => name === state.metric)) state.metric = metrics[0]?.[0];
	const shown = rows.filter((row) => row.metric === state.metric && row.xs.length);
	const best = paretoFront(shown).reverse().map(([, , key]) => key);
	const ticked = state.ticked ?? [...new Set([...best, ...rows.map((row) => row.key)])].slice(0, MOST_TICKED);
	const isTicked = (row) => row.state !== "unread" && ticked.includes(row.key);
	const place = [zone, state.pue && `PUE ${state.pue}`].filter(Boolean).join(", ");
	return { data, all, rows, metrics, shown, ticked, isTicked, place, stopOf: (row) => state.rule && ask("stop", row, state.rule) };
}

async function start() {
	const inputs = [...document.querySelectorAll("label [name]")];
	const runNames = connect(() => load());
	const zones = await get("zones");
	const parts = [totals(), frontChart(), epochChart(), runTable(), whatIf(zones), ruleStops()];
	let data, timer;
	const draw = () => {
		if (!data) return;
		const view = viewOf(data, zones.zones);
		inputs[0].replaceChildren(...view.metrics.map(([name, { length }]) => option([name, `${name} (${length})`])));
		for (const part of parts) part(view);
		for (const input of inputs) if (input !== document.activeElement) Object.assign(input, { value: state[input.name] || input.defaultValue || "", checked: state[input.name] });
		document.documentElement.dataset.read = `${data.read}/${data.of}`;
	};
	const load = async () => {
		try {
			const [runs, names] = await Promise.all([get("runs"), runNames()]);
			takePlaces([...names, ...runs.runs.map((row) => row.name).sort()]);
			data = runs;
			forgetFailures();
			clearTimeout(timer); // one chain of questions, however often TensorBoard reloads
			if (data.read < data.of) timer = setTimeout(load, AGAIN_MS);
			draw();
		} catch ({ message }) {
			find("said").replaceChildren(el("p", { className: "note" }, `${message} Reload the page.`));
		}
	};
	for (const input of inputs) input[input.type === "text" ? "onchange" : "oninput"] = () => set({ [input.name]: input.type === "checkbox" ? input.checked : input.value });
	addEventListener("draw", draw);
	await load();
	followTheme(draw);
}

const loaded = (tag, options) => new Promise((onload, onerror) => document.head.append(el(tag, { ...options, onload, onerror })));

export async function render() {
	document.documentElement.lang = "en";
	document.title ||= "Carbon";
	if (!window.uPlot) {
		const page = await (await fetch("page.html")).text();
		document.body.append(...new DOMParser().parseFromString(page, "text/html").body.children);
		await Promise.all([loaded("link", { rel: "stylesheet", href: "vendor/uPlot.min.css" }), loaded("link", { rel: "stylesheet", href: "style.css" }), loaded("script", { src: "vendor/uPlot.iife.min.js" })]);
	}
	await start();
}
