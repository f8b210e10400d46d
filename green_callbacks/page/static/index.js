// The page Carbon: its state, its data, and its parts from top to bottom.
import { epochChart, frontChart } from "./charts.js";
import { el } from "./dom.js";
import { number } from "./format.js";
import { connect, followTheme, takePlaces } from "./host.js";
import { paretoFront, viewed } from "./model.js";
import { ruleStops, totals, whatIf } from "./panels.js";
import { openSource } from "./source.js";
import { filtered, runTable } from "./table.js";

const STORED = `green-callbacks ${location.pathname}`;
const AGAIN_MS = 500;
const MOST_TICKED = 7;
const MOST_DETAILS = 20;

class Page {
	state = { metric: null, isLog: true, isSum: false, sort: ["g", true], filter: "", reach: null, zone: "", intensity: null, pue: null, rule: "", ticked: null, open: [] };
	details = new Map();
	stops = new Map();
	source = openSource();
	live = el("p", { className: "hidden", ariaLive: "polite" });
	said = el("div", { className: "wide", role: "status" });
	runNames = connect(() => this.load());

	say = (text) => (this.live.textContent = text);

	async start() {
		Object.assign(this.state, JSON.parse(sessionStorage.getItem(STORED)));
		for (const name of ["ticked", "open"]) this.state[name] &&= new Set(this.state[name]);
		const [zones] = await Promise.all([this.source.zones(), this.load()]);
		this.parts = [totals(this), frontChart(this), epochChart(this), runTable(this), whatIf(this, zones), ruleStops(this, this.source.rules)];
		document.body.append(el("main", {}, el("h1", { className: "hidden" }, "Carbon"), this.said, this.parts.map((part) => part.box), this.live));
		followTheme(() => this.draw());
	}

	async load() {
		try {
			const [data, names] = await Promise.all([this.source.runs(), this.runNames()]);
			takePlaces([...names, ...data.runs.map((row) => row.name).sort()]);
			const seen = new Map(this.data?.runs.map((row) => [row.key, row.seen_at]));
			for (const { key, seen_at } of data.runs) if (seen.get(key) !== seen_at) [this.details, this.stops].forEach((known) => known.delete(key));
			this.data = data;
			if (data.read < data.of) setTimeout(() => this.load(), AGAIN_MS);
			this.draw();
		} catch (error) {
			this.said.replaceChildren(el("p", {}, `${error.message} Reload the page.`));
		}
	}

	set(changes) {
		if ("rule" in changes) this.stops.clear();
		Object.assign(this.state, changes);
		this.draw();
	}

	toggle(name, key) {
		if (!this.state[name].delete(key)) this.state[name].add(key);
		this.draw();
	}

	draw() {
		if (!this.parts || !this.data) return;
		const view = this.view();
		for (const part of this.parts) part.draw(view);
		this.said.replaceChildren(...this.data.said.map((text) => el("p", {}, text)));
		const { ticked, open } = this.state;
		sessionStorage.setItem(STORED, JSON.stringify({ ...this.state, ticked: [...ticked], open: [...open] }));
		document.documentElement.dataset.read = `${this.data.read}/${this.data.of}`;
		document.documentElement.dataset.painted ??= performance.now();
		this.readMore(view.rows);
	}

	view() {
		const { data, state, details, stops } = this;
		const all = data.runs.map((row) => viewed(row, state));
		const rows = filtered(all, state.filter);
		const counts = new Map();
		for (const { metric, xs } of all) if (xs.length) counts.set(metric, (counts.get(metric) ?? 0) + 1);
		const metrics = [...counts].sort((one, other) => other[1] - one[1]);
		if (!counts.has(state.metric)) state.metric = metrics[0]?.[0] ?? null;
		state.ticked ??= new Set(rows.slice(0, MOST_TICKED).map((row) => row.key));
		const place = [state.intensity == null ? null : state.place, state.pue == null ? null : `PUE ${number(state.pue)}`].filter(Boolean).join(", ");
		return { data, all, rows, state, details, stops, metrics, place, suffix: place && " (what if)" };
	}

	/** Reads what ticked and opened rows need, and draws again. */
	async readMore(rows) {
		const { state, source } = this;
		const ticked = rows.filter((row) => state.ticked.has(row.key)).slice(0, MOST_DETAILS).map((row) => row.key);
		const isRead = (key) => this.data.runs.some((row) => row.key === key && row.state !== "unread");
		const read = (known, keys, ask) =>
			keys.filter((key) => !known.has(key) && isRead(key)).map(async (key) => {
				known.set(key, null);
				known.set(key, await ask(key).catch(({ message }) => ({ text: message, facts: [[message, []]] })));
			});
		const reading = [...read(this.details, [...ticked, ...state.open], source.run), ...(state.rule ? read(this.stops, ticked, (key) => source.stop(key, state.rule)) : [])];
		if (reading.length) {
			await Promise.all(reading);
			this.draw();
		}
	}
}

function load(tag, options) {
	return new Promise((onload, onerror) => document.head.append(el(tag, { ...options, onload, onerror })));
}

export async function render() {
	Object.assign(document.documentElement, { lang: "en" });
	document.title = "Carbon";
	if (!window.uPlot) await Promise.all([load("link", { rel: "stylesheet", href: "vendor/uPlot.min.css" }), load("link", { rel: "stylesheet", href: "style.css" }), load("script", { src: "vendor/uPlot.iife.min.js" })]);
	await new Page().start();
}
