// The table of runs: sorted, filtered, grouped by folder, and as CSV.
import { attempt, duration, el, energy, find, mass, number, percent, write } from "./dom.js";
import { color } from "./host.js";
import { sum } from "./model.js";
import { ask, set, state, toggle } from "./state.js";

const PAGE_ROWS = 200;
const SUMS = ["g", "facility", "epochs", "seconds"];
const text = (value) => value ?? "–";
const digits = (count) => (value) => number(value, count);
/** How each column writes its value. */
const COLUMNS = { name: text, state: text, g: mass, facility: energy, joules_per_sample: number, metric: text, best: digits(4), reach: mass, measured: percent, zone: text, pue: number, epochs: digits(9), seconds: duration, stop: text };
const NAMES = Object.keys(COLUMNS);
const inNumbers = new Intl.Collator("en", { numeric: true });

export function filtered(rows) {
	const pattern = attempt(() => RegExp(state.filter, "i")) ?? { test: (each) => each.includes(state.filter) };
	return rows.filter((row) => [row.name, row.stop ?? ""].some((each) => pattern.test(each)));
}

function inOrder(rows) {
	const [name, isDown] = state.sort;
	const order = (one, other) => (isDown ? -1 : 1) * (typeof one === "string" ? inNumbers.compare(one, other) : one - other);
	return rows.toSorted(({ [name]: one }, { [name]: other }) => (one == null) - (other == null) || (one != null && order(one, other)));
}

/** Writes a cell that no spreadsheet takes for a formula. */
const csvCell = (value) => (typeof value === "number" ? value : `"${(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`);

function save(rows, place) {
	const lines = [NAMES.map((name) => ({ g: "co2e_g", facility: "facility_kwh", reach: "co2e_g_to_value" })[name] ?? name), ...rows.map((row) => NAMES.map((name) => row[name]))];
	const csv = lines.map((line) => line.map(csvCell).join(",")).join("\r\n");
	el("a", { download: `runs${place && "-what-if"}.csv`, href: URL.createObjectURL(new Blob([csv])) }).click();
}

const facts = (groups) => groups.map(([title, pairs]) => el("section", {}, el("h3", {}, title), el("dl", {}, pairs.map(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]))));

function line(key, isOpen, title, tick, cell) {
	const button = el("button", { id: `open ${key}`, ariaExpanded: isOpen, onclick: () => toggle("open", key) }, `${isOpen ? "▾" : "▸"} ${title}`);
	return el("tr", {}, el("td", {}, tick), el("th", { scope: "row" }, button), NAMES.slice(1).map((name) => el("td", {}, cell(name))));
}

function run(row, isTicked, ticked) {
	const { key, name } = row;
	const isOpen = state.open.includes(key);
	const swatch = el("i");
	swatch.style.background = color(name);
	const tick = el("input", { id: `tick ${key}`, type: "checkbox", checked: isTicked(row), ariaLabel: `Show ${name}`, onchange: () => toggle("ticked", key, ticked) });
	const made = line(key, isOpen, name, el("label", {}, tick, swatch), (each) => COLUMNS[each](row[each]));
	return isOpen ? [made, el("tr", {}, el("td", { className: "facts", colSpan: NAMES.length + 1 }, facts(ask("run", row)?.facts ?? [["Reading …", []]])))] : made;
}

export function runTable() {
	let most = PAGE_ROWS;
	const heads = document.querySelectorAll("#heads button");
	find("heads").onclick = ({ target: { name } }) => name && set({ sort: [name, state.sort[0] === name ? !state.sort[1] : name !== "name"] });
	find("more").onclick = () => set({}, (most += PAGE_ROWS));
	return ({ rows, all, isTicked, ticked, place }) => {
		const shown = inOrder(rows);
		find("csv").onclick = () => save(shown, place);
		for (const { name, parentNode } of heads) parentNode.ariaSort = name !== state.sort[0] ? "none" : state.sort[1] ? "descending" : "ascending";
		const lines = [...Map.groupBy(shown, (row) => row.group || row)].flatMap(([name, members]) => {
			if (members.length < 2) return members;
			const isOpen = !state.open.includes(name);
			const head = line(name, isOpen, `${name} (${members.length} runs)`, "", (each) => (SUMS.includes(each) ? COLUMNS[each](sum(members, each)) : ""));
			head.className = "note";
			return [head, ...(isOpen ? members : [])];
		});
		const focus = document.activeElement.id;
		find("rows").replaceChildren(...lines.slice(0, most).flatMap((each) => (each.key ? run(each, isTicked, ticked) : each)));
		find(focus)?.focus();
		write("count", `${rows.length} of ${all.length} runs, ${mass(sum(rows, "g"))}.`);
		find("more").hidden = lines.length <= most;
	};
}
