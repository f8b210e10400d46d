// The page Carbon, its parts from top to bottom, and its data.
import { epochChart, frontChart } from "./charts.js";
import { el, energy, find, mass, write } from "./dom.js";
import { followReload, followTheme, takePlaces } from "./host.js";
import { forgetFailures, get, report, set, state } from "./state.js";
import { runTable } from "./table.js";
import { sum, viewOf } from "./view.js";

const AGAIN_MS = 1000;
const inputs = [...document.querySelectorAll("label [name]")];
const hint = find("stops").firstElementChild;
const say = ({ message }) => write("said", `${message} Reload the page.`);
const asking = () => Promise.all([get("runs"), get("../../runs").catch(() => [])]);
let asked = asking();
const tables = await get("zones").catch((reason) => say(reason) && {});
let data, timer;

const options = (choices) => choices.map(([value, label]) => new Option(label, value));
const budget = ({ text, value, max }) => el("div", { className: "figure" }, el("meter", { max, high: 0.8 * max, value, ariaLabel: text }), text);

function totals({ all, place }) {
	for (const [id, text] of Object.entries(data.texts)) write(id, text);
	if (place) {
		write("mass", mass(sum(all, "g")));
		write("bounds", `, recorded: ${data.texts.mass}`);
		write("energy", energy(sum(all, "facility")));
	}
	write("place", place);
	write("pue", state.pue);
	write("said", data.said.join("\n"));
	find("budgets").replaceChildren(...data.budgets.map(budget));
	find("moves").disabled = data.source === "scalars";
}

function ruleStops({ rows, isTicked, stopOf }) {
	const said = rows.filter(isTicked).map((row) => {
		const stop = stopOf(row);
		return stop?.isFailure ? stop.text : `${row.name}: ${stop?.text ?? "…"}`;
	});
	find("stops").replaceChildren(...(state.rule ? [...new Set(said)].map((text) => el("li", {}, text)) : [hint]));
}

function draw() {
	if (!data) return;
	const view = viewOf(data, tables.zones ?? []);
	inputs[0].replaceChildren(...options(data.metrics));
	for (const part of [totals, frontChart, epochChart, runTable, ruleStops]) part(view);
	for (const input of inputs) if (input !== document.activeElement) input.value = state[input.name] || input.defaultValue || "";
	document.documentElement.dataset.read = `${data.read}/${data.of}`;
}

async function load() {
	try {
		const waiting = asked ?? asking();
		asked = null;
		const [runs, names] = await waiting;
		takePlaces([...names, ...runs.runs.map((row) => row.name).sort()]);
		data = runs;
		forgetFailures();
		clearTimeout(timer); // one chain of questions, however often TensorBoard reloads
		if (data.read < data.of) timer = setTimeout(load, AGAIN_MS);
		draw();
	} catch (reason) {
		say(reason);
	}
}

for (const input of inputs) {
	if (typeof state[input.name] !== "string") state[input.name] = input.value;
	input[input.type === "text" ? "onchange" : "oninput"] = () => set({ [input.name]: input.value });
}
find("reset").onclick = () => set({ zone: "", pue: "" });
for (const [id, choices] of Object.entries(tables)) find(id).append(...options(choices));
if (report) find("rules").replaceChildren(...Object.keys(report.stops).map((rule) => new Option(rule)));
addEventListener("draw", draw);
followReload(load);
await load();
followTheme(draw);
