// The totals, the what-if, and where a rule would have stopped.
import { card, el, labeled, option } from "./dom.js";
import { energy, mass, number, percent } from "./format.js";
import { sum } from "./model.js";

const RULES = ["marginal-gain", "marginal-gain,landing=0.2", "marginal-gain,acceptable=0.9", "budget=500 g"];
const figure = (value, text) => el("div", { className: "figure" }, el("b", {}, value), text);

function budget({ name, limit_g, spent_g, limit_kwh, spent_kwh }) {
	const [value, max, write] = limit_g == null ? [spent_kwh, limit_kwh, energy] : [spent_g, limit_g, mass];
	const text = `${name}: ${write(value)} of ${write(max)}`;
	return figure(el("meter", { max, high: 0.8 * max, value, ariaLabel: text }), text);
}

export function totals(page) {
	const box = el("section", { className: "wide totals", ariaLabel: "Totals" });
	const reset = el("button", { onclick: () => page.set({ zone: "", place: null, intensity: null, pue: null }) }, "Reset");
	const draw = ({ data, all, suffix, place }) => {
		const { runs, g, low_g, high_g, kwh, measured } = data.totals;
		const bounds = low_g == null ? "" : ` (${mass(low_g)} to ${mass(high_g)})`;
		box.replaceChildren(
			figure(number(runs, 9), `runs${data.read < data.of ? `, ${data.read} of ${data.of} read` : ""}`),
			figure(mass(suffix ? sum(all, "g") : g), `CO2e${suffix ? `, recorded: ${mass(g)}` : bounds}`),
			figure(energy(suffix ? sum(all, "facility") : kwh), "energy of the facility"),
			figure(percent(measured), "measured, the rest is modelled"),
			...data.budgets.map(budget),
			...(suffix ? [el("div", { className: "moved" }, `What if: ${place} `, reset)] : []),
		);
	};
	return { box, draw };
}

export function whatIf(page, { zones, pues }) {
	const move = () => {
		const [, place = null, intensity = null] = zones.find(([code]) => code === zone.value) ?? [];
		page.set({ zone: zone.value, place, intensity });
	};
	const recorded = () => option("", "as recorded");
	const zone = el("select", { onchange: move }, recorded(), zones.map(([code, name, intensity, year]) => option(code, `${name} (${code}): ${number(intensity)} g/kWh, ${year}`)));
	const facility = el("select", { onchange: () => page.set({ pue: facility.value && Number(facility.value) || null }) }, recorded(), pues.map(([name, pue]) => option(pue, `${name}: ${pue}`)));
	const slider = el("input", { type: "range", min: 1, max: 2.5, step: 0.01, oninput: () => page.set({ pue: slider.valueAsNumber }) });
	const draw = ({ state, data }) => {
		zone.value = state.zone;
		facility.value = state.pue ?? "";
		slider.value = state.pue ?? 1.2;
		slider.ariaValueText = state.pue ?? "as recorded";
		for (const input of [zone, facility, slider]) input.disabled = data.source === "scalars";
	};
	return { box: card(el("h2", {}, "What if it had run elsewhere?"), [], el("header", {}, labeled("Zone", zone), labeled("Facility", facility), labeled("PUE", slider)), el("p", {}, "kWh × PUE × g/kWh, with the yearly average of the zone. Charts, table and totals follow.")), draw };
}

export function ruleStops(page, rules = RULES) {
	const list = el("datalist", { id: "rules" }, rules.map((rule) => option(rule)));
	const rule = el("input", { list: "rules", placeholder: rules[0], onchange: () => page.set({ rule: rule.value }) });
	const said = el("ul", { role: "status" });
	const draw = ({ rows, state, isTicked }) => {
		if (document.activeElement !== rule) rule.value = state.rule;
		const texts = state.rule ? rows.filter(isTicked).map(({ key, name, seen_at }) => `${name}: ${page.ask("stop", key, state.rule, seen_at)?.text ?? "…"}`) : ["Choose or write a rule. ◆ marks the stop of each ticked run."];
		said.replaceChildren(...texts.map((text) => el("li", {}, text)));
	};
	return { box: card(el("h2", {}, "Where would a rule have stopped?"), [], el("header", {}, labeled("Rule", rule), list), said), draw };
}
