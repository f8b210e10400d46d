// The totals, the what-if, and where a rule would have stopped.
import { choices, el, find, write } from "./dom.js";
import { energy, mass, number, percent } from "./format.js";
import { sum } from "./model.js";

const RULES = ["marginal-gain", "marginal-gain,landing=0.2", "marginal-gain,acceptable=0.9", "budget=500 g"];

function budget({ name, limit_g, spent_g, limit_kwh, spent_kwh }) {
	const [value, max, format] = limit_g == null ? [spent_kwh, limit_kwh, energy] : [spent_g, limit_g, mass];
	const text = `${name}: ${format(value)} of ${format(max)}`;
	return el("div", { className: "figure" }, el("meter", { max, high: 0.8 * max, value, ariaLabel: text }), text);
}

export function totals(page) {
	find("reset").onclick = () => page.set({ zone: "", pue: null });
	return ({ data: { totals: { runs, g, low_g, high_g, kwh, measured }, read, of, budgets }, all, place }) => {
		write("runs", number(runs, 9));
		write("read", read < of ? `, ${read} of ${of} read` : "");
		write("mass", mass(place ? sum(all, "g") : g));
		write("bounds", place ? `CO2e, recorded: ${mass(g)}` : `CO2e (${mass(low_g)} to ${mass(high_g)})`);
		write("energy", energy(place ? sum(all, "facility") : kwh));
		write("measured", percent(measured));
		write("place", place);
		find("budgets").replaceChildren(...budgets.map(budget));
	};
}

export function whatIf({ zones, pues }) {
	const [zone, facility] = document.querySelectorAll("#moves select");
	choices(zone, 1, zones.map(([code, name, intensity, year]) => [code, `${name} (${code}): ${number(intensity)} g/kWh, ${year}`]));
	choices(facility, 1, pues.map(([name, pue]) => [pue, `${name}: ${pue}`]));
	return ({ data, place }) => {
		document.body.classList.toggle("moved", place);
		find("moves").disabled = data.source === "scalars";
	};
}

export function ruleStops(rules = RULES) {
	find("rules").append(...rules.map((value) => el("option", { value })));
	const [hint] = find("stops").children;
	return ({ rows, state, isTicked, stopOf }) => {
		const said = rows.filter(isTicked).map((row) => el("li", {}, `${row.name}: ${stopOf(row)?.text ?? "…"}`));
		find("stops").replaceChildren(...(state.rule ? said : [hint]));
	};
}
