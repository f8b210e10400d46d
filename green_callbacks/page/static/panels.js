// The totals, the what-if, and where a rule would have stopped.
import { el, energy, find, mass, number, option, percent, write } from "./dom.js";
import { sum } from "./model.js";
import { rules, set, state } from "./state.js";

function budget({ name, limit_g, spent_g, limit_kwh, spent_kwh }) {
	const [value, max, format] = limit_g == null ? [spent_kwh, limit_kwh, energy] : [spent_g, limit_g, mass];
	const text = `${name}: ${format(value)} of ${format(max)}`;
	return el("div", { className: "figure" }, el("meter", { max, high: 0.8 * max, value, ariaLabel: text }), text);
}

export function totals() {
	find("reset").onclick = () => set({ zone: "", pue: "" });
	return ({ data, all, place }) => {
		const { runs, g, low_g, high_g, kwh, measured } = data.totals;
		write("runs", number(runs, 9));
		write("read", `${runs === 1 ? "run" : "runs"}${data.read < data.of ? `, ${data.read} of ${data.of} read` : ""}`);
		write("mass", mass(place ? sum(all, "g") : g));
		write("bounds", `CO2e${place ? `, recorded: ${mass(g)}` : low_g == null ? "" : ` (${mass(low_g)} to ${mass(high_g)})`}`);
		write("energy", energy(place ? sum(all, "facility") : kwh));
		write("measured", percent(measured));
		write("place", place);
		find("budgets").replaceChildren(...data.budgets.map(budget));
		find("said").replaceChildren(...data.said.map((text) => el("p", { className: "note" }, text)));
	};
}

export function whatIf({ zones, pues }) {
	const [zone, facility] = document.querySelectorAll("#moves select");
	zone.append(...zones.map(([code, name, intensity, year]) => option([code, `${name} (${code}): ${number(intensity)} g/kWh, ${year}`])));
	facility.append(...pues.map(([name, pue]) => option([pue, `${name}: ${pue}`])));
	return ({ data, place }) => {
		document.body.classList.toggle("moved", place);
		write("pue", state.pue);
		find("moves").disabled = data.source === "scalars";
	};
}

export function ruleStops() {
	find("rules").append(...rules.map((rule) => option([rule])));
	const [hint] = find("stops").children;
	return ({ rows, isTicked, stopOf }) => {
		const said = rows.filter(isTicked).map((row) => el("li", {}, `${row.name}: ${stopOf(row)?.text ?? "…"}`));
		find("stops").replaceChildren(...(state.rule ? said : [hint]));
	};
}
