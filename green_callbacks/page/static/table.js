// The table of runs: sorted, filtered, grouped by folder, and as CSV.
import { count, duration, el, energy, find, mass, number, percent, text, write } from "./dom.js";
import { color } from "./host.js";
import { sum } from "./view.js";
import { ask, set, state, toggle } from "./state.js";

const PAGE_ROWS = 200;
const SUMS = ["g", "facility", "epochs", "seconds"];
/** The columns name their values, and how to write them. */
const HEADS = [...document.querySelectorAll("#heads [value]")];
const FORMATS = { text, number, count, mass, energy, duration, percent };
const inNumbers = new Intl.Collator("en", { numeric: true });

function inOrder(rows) {
	const [name, isDown] = state.sort;
	const order = (one, other) => (isDown ? -1 : 1) * (typeof one === "string" ? inNumbers.compare(one, other) : one - other);
	return rows.toSorted(({ [name]: one }, { [name]: other }) => (one == null) - (other == null) || (one != null && order(one, other)));
}

/** Writes a cell that no spreadsheet takes for a formula. */
const csvCell = (value) => (typeof value === "number" ? value : `"${(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`);

function save(rows, place) {
	const lines = [HEADS.map((head) => head.dataset.csv ?? head.name), ...rows.map((row) => HEADS.map((head) => row[head.name]))];
	const csv = lines.map((line) => line.map(csvCell).join(",")).join("\r\n");
	el("a", { download: `runs${place && "-what-if"}.csv`, href: URL.createObjectURL(new Blob([csv])) }).click();
}

const facts = (groups) => groups.map(([title, pairs]) => el("section", {}, el("h3", {}, title), el("dl", {}, pairs.map(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]))));

/** Returns the row of a run or of a group, which has only the columns that can be summed. */
function line(row, isOpen, ...tick) {
	const { key, name } = row;
	const button = el("button", { id: `open ${key}`, ariaExpanded: isOpen, onclick: () => toggle("open", key) }, `${isOpen ? "▾" : "▸"} ${name}`);
	const cells = HEADS.slice(1).map((head) => el("td", {}, head.name in row ? FORMATS[head.value](row[head.name]) : ""));
	return el("tr", {}, el("td", {}, el("label", {}, tick)), el("th", { scope: "row" }, button), cells);
}

function run(row, isTicked, ticked) {
	const { key, name } = row;
	const isOpen = state.open.includes(key);
	const swatch = el("i");
	swatch.style.background = color(name);
	const tick = el("input", { id: `tick ${key}`, type: "checkbox", checked: isTicked(row), ariaLabel: `Show ${name}`, onchange: () => toggle("ticked", key, ticked) });
	const made = line(row, isOpen, tick, swatch);
	return isOpen ? [made, el("tr", {}, el("td", { className: "facts", colSpan: HEADS.length + 1 }, facts(ask("run", row)?.facts ?? [["Reading …", []]])))] : made;
}

function grouped(rows) {
	const sums = (members) => Object.fromEntries(SUMS.map((each) => [each, sum(members, each)]));
	const groups = [...Map.groupBy(rows, (row) => row.group || row)].map(([key, members]) => ({ key, members, ...sums(members) }));
	const ordered = SUMS.includes(state.sort[0]) ? inOrder(groups) : groups;
	return ordered.flatMap(({ members, ...group }) => {
		if (members.length < 2) return members;
		const isOpen = !state.open.includes(group.key);
		const head = line({ ...group, name: `${group.key} (${members.length} runs)` }, isOpen);
		head.className = "note";
		return isOpen ? [head, ...members] : head;
	});
}

let most = PAGE_ROWS;
find("more").onclick = () => set({}, (most += PAGE_ROWS));
find("heads").onclick = ({ target: { name } }) => name && set({ sort: [name, state.sort[0] === name ? !state.sort[1] : name !== "name"] });

export function runTable({ rows, all, isTicked, ticked, place }) {
	const shown = inOrder(rows);
	const lines = grouped(shown);
	find("csv").onclick = () => save(shown, place);
	for (const { name, parentNode } of document.querySelectorAll("#heads button")) parentNode.ariaSort = name !== state.sort[0] ? "none" : state.sort[1] ? "descending" : "ascending";
	const focus = document.activeElement.id;
	find("rows").replaceChildren(...lines.slice(0, most).flatMap((each) => (each.key ? run(each, isTicked, ticked) : each)));
	find(focus)?.focus();
	write("count", `${rows.length} of ${all.length} runs, ${mass(sum(rows, "g"))}.`);
	find("more").hidden = lines.length <= most;
}
