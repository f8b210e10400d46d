// The table of runs: sorted, filtered, grouped by folder, and as CSV.
import { card, el, labeled } from "./dom.js";
import { duration, energy, mass, number, percent } from "./format.js";
import { color } from "./host.js";
import { gramsTo, sum } from "./model.js";

const PAGE_ROWS = 200;
const SUMS = ["g", "facility", "epochs", "seconds"];
const own = (name, write) => [name, (row) => row[name], (value) => write(value)];
const text = (value) => value ?? "–";
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
const csvCell = (value) => (typeof value === "number" ? value : `"${String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`);

const factsOf = (run) => run?.facts.map(([title, pairs]) => el("section", {}, el("h3", {}, title), el("dl", {}, pairs.map(([label, value]) => [el("dt", {}, label), el("dd", {}, value)])))) ?? "Reading …";

export function runTable(page) {
	const { state } = page;
	let shown;
	let most = PAGE_ROWS;
	const filter = el("input", { type: "search", value: state.filter, oninput: () => page.set({ filter: filter.value }) });
	const reach = el("input", { type: "number", step: "any", value: state.reach, oninput: () => page.set({ reach: reach.value && Number(reach.value) }) });
	const sort = (name) => page.set({ sort: [name, state.sort[0] === name ? !state.sort[1] : name !== "name"] });
	const heads = COLUMNS.map(([title, name]) => el("th", {}, el("button", { onclick: () => sort(name) }, title)));
	const body = el("tbody");
	const count = el("p", { role: "status" });
	const more = el("button", { onclick: () => ((most += PAGE_ROWS), page.set({})) }, "More rows");
	const save = () => {
		const lines = [COLUMNS.map(([title]) => title), ...shown.map((row) => COLUMNS.map(([, , value]) => value(row, state)))];
		const csv = lines.map((line) => line.map(csvCell).join(",")).join("\r\n");
		el("a", { download: "runs.csv", href: URL.createObjectURL(new Blob([csv])) }).click();
	};
	const line = (id, className, isOpen, title, first, cell) => el("tr", { className }, el("td", {}, first), el("th", { scope: "row" }, el("button", { id, ariaExpanded: isOpen, onclick: () => page.toggle("open", id) }, `${isOpen ? "▾" : "▸"} ${title}`)), COLUMNS.slice(1).map((column) => el("td", {}, cell(column))));
	const run = (row, isTicked) => {
		const isOpen = state.open.includes(row.key);
		const swatch = el("i");
		swatch.style.background = color(row.name);
		const tick = el("input", { id: `tick ${row.key}`, type: "checkbox", checked: isTicked(row), ariaLabel: `Show ${row.name}`, onchange: () => page.toggle("ticked", row.key) });
		const made = line(row.key, "", isOpen, row.name, labeled(tick, swatch), ([, , value, write]) => write(value(row, state), row));
		return isOpen ? [made, el("tr", {}, el("td", { className: "facts", colSpan: COLUMNS.length + 1 }, factsOf(page.ask("run", row.key, row.seen_at))))] : made;
	};
	const draw = ({ rows, all, isTicked }) => {
		shown = inOrder(rows, state);
		heads.forEach((head, i) => (head.ariaSort = COLUMNS[i][1] !== state.sort[0] ? "none" : state.sort[1] ? "descending" : "ascending"));
		const groups = Map.groupBy(shown, (row) => row.group || row);
		const lines = [...groups].flatMap(([name, members]) => {
			const isOpen = !state.open.includes(name);
			const head = members.length > 1 && line(name, "group", isOpen, `${name} (${members.length} runs)`, "", ([, key, , write]) => (SUMS.includes(key) ? write(sum(members, key)) : ""));
			return [...(head ? [head] : []), ...(head && !isOpen ? [] : members)];
		});
		const focus = body.contains(document.activeElement) && document.activeElement.id;
		body.replaceChildren(...lines.slice(0, most).flatMap((each) => (each.key ? run(each, isTicked) : each)));
		if (focus) document.getElementById(focus)?.focus();
		count.textContent = `${rows.length} of ${all.length} runs, ${mass(sum(rows, "g"))}.`;
		more.hidden = lines.length <= most;
	};
	const table = el("table", {}, el("caption", {}, "Runs"), el("thead", {}, el("tr", {}, el("td"), heads)), body);
	const box = card(el("h2", {}, "Runs"), [labeled("Filter", filter), labeled("Value to reach", reach), el("button", { onclick: save }, "CSV")], el("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Table of runs" }, table), el("header", {}, count, more));
	box.classList.add("wide");
	return { box, draw };
}
