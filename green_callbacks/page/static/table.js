// The table of runs: sorted, filtered, grouped by folder, and as CSV.
import { el, find, write } from "./dom.js";
import { duration, energy, mass, number, percent } from "./format.js";
import { color } from "./host.js";
import { gramsTo, sum } from "./model.js";

const PAGE_ROWS = 200;
const SUMS = ["g", "facility", "epochs", "seconds"];
const text = (value) => value ?? "–";
const own = (name, format) => [name, (row) => row[name], (value) => format(value)];
/** Title, name, value and text of each column. */
const COLUMNS = [
	["Run", ...own("name", text)],
	["State", ...own("state", text)],
	["CO2e", ...own("g", mass)],
	["Energy", ...own("facility", energy)],
	["J/sample", ...own("joules_per_sample", number)],
	["Best", "best", (row) => row.best, (value, row) => (value == null ? "–" : `${row.metric} ${number(value, 4)}`)],
	["To the value", "reach", (row, { reach }) => gramsTo(row, reach), (value) => mass(value)],
	["Measured", ...own("measured", percent)],
	["Zone", ...own("zone", text)],
	["PUE", ...own("pue", number)],
	["Epochs", "epochs", (row) => row.epochs, (value) => number(value, 9)],
	["Time", ...own("seconds", duration)],
	["Stopped because", ...own("stop", text)],
];

export function filtered(rows, filter) {
	let pattern = { test: (each) => each.includes(filter) };
	try {
		pattern = RegExp(filter, "i");
	} catch {} // not a pattern yet
	return rows.filter((row) => pattern.test(`${row.name} ${row.stop ?? ""}`));
}

function inOrder(rows, state) {
	const [name, isDown] = state.sort;
	const value = COLUMNS.find((column) => column[1] === name)[2];
	const compare = (one, other) => (typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other);
	const keyed = rows.map((row) => [value(row, state), row]);
	keyed.sort(([one], [other]) => (one == null) - (other == null) || (one != null && compare(one, other) * (isDown ? -1 : 1)));
	return keyed.map(([, row]) => row);
}

/** Writes a cell that no spreadsheet takes for a formula. */
const csvCell = (value) => (typeof value === "number" ? value : `"${text(value).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`);

function save(rows, state) {
	const lines = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, , value]) => value(row, state)))];
	const csv = lines.map((line) => line.map(csvCell).join(",")).join("\r\n");
	el("a", { download: "runs.csv", href: URL.createObjectURL(new Blob([csv])) }).click();
}

const facts = (groups) => groups.map(([title, pairs]) => el("section", {}, el("h3", {}, title), el("dl", {}, pairs.map(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]))));

export function runTable(page) {
	let most = PAGE_ROWS;
	const { state } = page;
	const sort = (name) => page.set({ sort: [name, state.sort[0] === name ? !state.sort[1] : name !== "name"] });
	const heads = COLUMNS.map(([title, name]) => el("th", { scope: "col" }, el("button", { onclick: () => sort(name) }, title)));
	find("heads").append(...heads);
	find("more").onclick = () => page.set({}, (most += PAGE_ROWS));
	const line = (key, isOpen, title, first, cell) => el("tr", {}, el("td", {}, first), el("th", { scope: "row" }, el("button", { id: `open ${key}`, ariaExpanded: isOpen, onclick: () => page.toggle("open", key) }, `${isOpen ? "▾" : "▸"} ${title}`)), COLUMNS.slice(1).map((column) => el("td", {}, cell(column))));
	const run = (row, isTicked) => {
		const { key, name } = row;
		const isOpen = state.open.includes(key);
		const swatch = el("i");
		swatch.style.background = color(name);
		const tick = el("input", { id: `tick ${key}`, type: "checkbox", checked: isTicked(row), ariaLabel: `Show ${name}`, onchange: () => page.toggle("ticked", key) });
		const made = line(key, isOpen, name, el("label", {}, tick, swatch), ([, , value, format]) => format(value(row, state), row));
		return isOpen ? [made, el("tr", {}, el("td", { className: "facts", colSpan: COLUMNS.length + 1 }, facts(page.ask("run", row)?.facts ?? [["Reading …", []]])))] : made;
	};
	return ({ rows, all, isTicked }) => {
		const shown = inOrder(rows, state);
		find("csv").onclick = () => save(shown, state);
		heads.forEach((head, i) => (head.ariaSort = COLUMNS[i][1] !== state.sort[0] ? "none" : state.sort[1] ? "descending" : "ascending"));
		const lines = [...Map.groupBy(shown, (row) => row.group || row)].flatMap(([name, members]) => {
			if (members.length < 2) return members;
			const isOpen = !state.open.includes(name);
			const head = line(name, isOpen, `${name} (${members.length} runs)`, "", ([, key, , format]) => (SUMS.includes(key) ? format(sum(members, key)) : ""));
			return [Object.assign(head, { className: "note" }), ...(isOpen ? members : [])];
		});
		const focus = document.activeElement.id;
		find("rows").replaceChildren(...lines.slice(0, most).flatMap((each) => (each.key ? run(each, isTicked) : each)));
		find(focus)?.focus();
		write("count", `${rows.length} of ${all.length} runs, ${mass(sum(rows, "g"))}.`);
		find("more").hidden = lines.length <= most;
	};
}
