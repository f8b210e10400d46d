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

class Page {
	state = { metric: null, isLog: true, kind: "per epoch", sort: ["g", true], filter: "", reach: null, zone: "", place: null, intensity: null, pue: null, rule: "", open: [], ...JSON.parse(sessionStorage.getItem(STORED)) };
	source = openSource();
	answers = new Map();
	said = el("div", { className: "wide", role: "status" });
	runNames = connect(() => this.load());

	async start() {
		const [zones] = await Promise.all([this.source.zones(), this.load()]);
		this.parts = [totals(this), frontChart(this), epochChart(this), runTable(this), whatIf(this, zones), ruleStops(this, this.source.rules)];
		document.body.append(el("main", {}, el("h1", { className: "hidden" }, "Carbon"), this.said, this.parts.map((part) => part.box)));
		followTheme(() => this.draw());
	}

	async load() {
		try {
			const [data, names] = await Promise.all([this.source.runs(), this.runNames()]);
			takePlaces([...names, ...data.runs.map((row) => row.name).sort()]);
			this.data = data;
			if (data.read < data.of) setTimeout(() => this.load(), AGAIN_MS);
			this.draw();
		} catch ({ message }) {
			this.said.replaceChildren(el("p", {}, `${message} Reload the page.`));
		}
	}

	/** Returns what the source says, or null until it has answered. Then the page is drawn again. */
	ask(name, ...given) {
		const key = [name, ...given].join("\n");
		if (!this.answers.has(key)) {
			const keep = (answer) => {
				this.answers.set(key, answer);
				this.draw();
			};
			this.answers.set(key, null);
			this.source[name](...given).then(keep, ({ message }) => keep({ text: message, facts: [[message, []]] }));
		}
		return this.answers.get(key);
	}

	set(changes) {
		Object.assign(this.state, changes);
		this.draw();
	}

	toggle(name, key) {
		const keys = this.state[name] ?? this.ticked;
		this.set({ [name]: keys.includes(key) ? keys.filter((each) => each !== key) : [...keys, key] });
	}

	draw() {
		if (!this.parts || !this.data) return;
		const { read, of, said } = this.data;
		const view = this.view();
		for (const part of this.parts) part.draw(view);
		this.said.replaceChildren(...said.map((text) => el("p", {}, text)));
		sessionStorage.setItem(STORED, JSON.stringify(this.state));
		Object.assign(document.documentElement.dataset, { read: `${read}/${of}`, painted: document.documentElement.dataset.painted ?? performance.now() });
	}

	view() {
		const { data, state } = this;
		const all = data.runs.map((row) => viewed(row, state));
		const rows = filtered(all, state.filter);
		const metrics = [...Map.groupBy(all.filter((row) => row.xs.length), (row) => row.metric)].map(([name, { length }]) => [name, length]).sort((one, other) => other[1] - one[1]);
		if (!metrics.some(([name]) => name === state.metric)) state.metric = metrics[0]?.[0];
		const shown = rows.filter((row) => row.metric === state.metric && row.xs.length);
		const best = paretoFront(shown).reverse().map(([, , key]) => key);
		this.ticked = state.ticked ?? [...new Set([...best, ...rows.map((row) => row.key)])].slice(0, MOST_TICKED);
		const place = [state.place, state.pue && `PUE ${number(state.pue)}`].filter(Boolean).join(", ");
		return { data, all, rows, shown, state, metrics, place, suffix: place && " (what if)", isTicked: (row) => row.state !== "unread" && this.ticked.includes(row.key) };
	}
}

const load = (tag, options) => new Promise((onload, onerror) => document.head.append(el(tag, { ...options, onload, onerror })));

export async function render() {
	document.documentElement.lang = "en";
	if (!window.uPlot) await Promise.all([load("link", { rel: "stylesheet", href: "vendor/uPlot.min.css" }), load("link", { rel: "stylesheet", href: "style.css" }), load("script", { src: "vendor/uPlot.iife.min.js" })]);
	await new Page().start();
}
