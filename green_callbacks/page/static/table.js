// The table of runs: sorted, filtered, grouped by folder, and as CSV.
import { card, el, labeled } from "./dom.js";
import { duration, energy, mass, number, percent } from "./format.js";
import { color } from "./host.js";
import { gramsTo, sum } from "./model.js";

const PAGE_ROWS = 200;
const own = (name, write = number) => [name, (row) => row[name], (value) => write(value)];
/** Title, name, value and text of each column. */
const COLUMNS = [
	["Run", ...own("name")],
	["State", ...own("state", String)],
	["CO2e", ...own("g", mass)],
	["Energy", ...own("facility", energy)],
	["J/sample", ...own("joules_per_sample")],
	["Best", "best", (row) => row.best, (value, row) => (value == null ? "–" : `${row.metric} ${number(value, 4)}`)],
	["To the value", "reach", (row, reach) => gramsTo(row, reach), (value) => mass(value)],
	["Measured", ...own("measured", percent)],
	["Zone", ...own("zone", (zone) => zone ?? "–")],
	["PUE", ...own("pue")],
	["Epochs", ...own("epochs")],
	["Time", ...own("seconds", duration)],
	["Stopped because", ...own("stop", (reason) => reason ?? "")],
];

export function filtered(rows, filter) {
	let pattern = { test: (text) => text.includes(filter) };
	try {
		pattern = RegExp(filter, "i");
	} catch {} // not a pattern yet
	return rows.filter((row) => pattern.test(`${row.name} ${row.stop ?? ""}`));
}

function inOrder(rows, { sort: [name, isDown], reach }) {
	const value = COLUMNS.find((column) => column[1] === name)[2];
	const compare = (one, other) => (typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other);
	return rows.map((row) => [value(row, reach), row]).sort(([one], [other]) => (one == null) - (other == null) || (one != null && compare(one, other) * (isDown ? -1 : 1))).map(([, row]) => row);
}

/** Writes a cell that no spreadsheet takes for a formula. */
const csvCell = (value) => (typeof value === "number" ? value : `"${String(value ?? "").replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`);

const facts = ({ facts: groups }) => groups.map(([title, pairs]) => el("section", {}, el("h3", {}, title), el("dl", {}, pairs.map(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]).flat())));

export function runTable(page) {
	const { state } = page;
	const folded = new Set();
	let [shown, at] = [[], 0];
	const filter = el("input", { type: "search", value: state.filter, oninput: () => page.set({ filter: filter.value }) });
	const reach = el("input", { type: "number", step: "any", value: state.reach ?? "", oninput: () => page.set({ reach: reach.value === "" ? null : Number(reach.value) }) });
	const sort = (name) => page.set({ sort: [name, state.sort[0] === name ? !state.sort[1] : name !== "name"] });
	const heads = COLUMNS.map(([title, name]) => el("th", { scope: "col" }, el("button", { onclick: () => sort(name) }, title)));
	const body = el("tbody");
	const count = el("p", { role: "status" });
	const turn = (by) => el("button", { onclick: () => ((at += by), page.set({})) }, by < 0 ? "Previous" : "Next");
	const turns = [turn(-1), turn(1)];
	const save = () => {
		const lines = [COLUMNS.map(([title]) => title), ...shown.map((row) => COLUMNS.map(([, , value]) => value(row, state.reach)))];
		const text = lines.map((line) => line.map(csvCell).join(",")).join("\r\n");
		el("a", { download: "runs.csv", href: URL.createObjectURL(new Blob([text])) }).click();
	};
	const toggle = (id, isOpen, text, onclick) => el("button", { id, ariaExpanded: isOpen, onclick }, `${isOpen ? "▾" : "▸"} ${text}`);
	const line = (row, details) => {
		const isOpen = state.open.has(row.key);
		const swatch = el("i");
		swatch.style.background = color(row.name);
		const tick = el("input", { id: `tick ${row.key}`, type: "checkbox", checked: state.ticked.has(row.key), ariaLabel: `Show ${row.name}`, onchange: () => page.toggle("ticked", row.key) });
		const cells = COLUMNS.slice(1).map(([, , value, text]) => el("td", {}, text(value(row, state.reach), row)));
		if (row.state === "killed") cells[0].title = `No sign of life since ${row.seen_at}. It may also be suspended.`;
		const made = [el("tr", {}, el("td", {}, el("label", {}, tick, swatch)), el("th", { scope: "row" }, toggle(`open ${row.key}`, isOpen, row.name, () => page.toggle("open", row.key))), cells)];
		if (isOpen) made.push(el("tr", { className: "facts" }, el("td", { colSpan: COLUMNS.length + 1 }, details.get(row.key) ? facts(details.get(row.key)) : "Reading …")));
		return made;
	};
	const group = (name, rows, details) => {
		const members = rows.flatMap((row) => line(row, details));
		const all = shown.filter((row) => row.group === name);
		if (!name || all.length < 2) return members;
		const isOpen = !folded.has(name);
		const onclick = () => (isOpen ? folded.add(name) : folded.delete(name), page.set({}));
		const cells = COLUMNS.slice(1).map(([, key, , text]) => el("td", {}, ["g", "facility", "epochs", "seconds"].includes(key) ? text(sum(all, key)) : ""));
		return [el("tr", { className: "group" }, el("td"), el("th", { scope: "row" }, toggle(`group ${name}`, isOpen, `${name} (${all.length} runs)`, onclick)), cells), ...(isOpen ? members : [])];
	};
	const draw = ({ rows, all, details }) => {
		shown = inOrder(rows, state);
		heads.forEach((head, i) => (head.ariaSort = COLUMNS[i][1] !== state.sort[0] ? "none" : state.sort[1] ? "descending" : "ascending"));
		const pages = Math.ceil(shown.length / PAGE_ROWS);
		at = Math.max(0, Math.min(at, pages - 1));
		const groups = new Map();
		for (const row of shown.slice(at * PAGE_ROWS, (at + 1) * PAGE_ROWS)) {
			const name = row.group || `\n${row.key}`;
			groups.set(name, [...(groups.get(name) ?? []), row]);
		}
		const focus = body.contains(document.activeElement) && document.activeElement.id;
		body.replaceChildren(...[...groups].flatMap(([name, members]) => group(name.startsWith("\n") ? "" : name, members, details)));
		if (focus) document.getElementById(focus)?.focus();
		count.textContent = `${rows.length} of ${all.length} runs, ${mass(sum(rows, "g"))}.${pages > 1 ? ` Page ${at + 1} of ${pages}.` : ""}`;
		turns.forEach((button, i) => (button.hidden = pages < 2 || (i ? at > pages - 2 : !at)));
	};
	const table = el("table", {}, el("caption", {}, "Runs"), el("thead", {}, el("tr", {}, el("td"), heads)), body);
	const box = card(el("h2", {}, "Runs"), [labeled("Filter", filter), labeled("Value to reach", reach), el("button", { onclick: save }, "CSV")], el("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Table of runs" }, table), el("header", {}, count, turns));
	box.classList.add("wide");
	return { box, draw };
}
