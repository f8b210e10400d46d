// The page Carbon: its state, its data, and its parts from top to bottom.
import { epochChart, frontChart } from "./charts.js";
import { choices, el, find } from "./dom.js";
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
	state = { isLog: true, kind: "per epoch", sort: ["g", true], filter: "", reach: null, zone: "", pue: null, rule: "", open: [], ...JSON.parse(sessionStorage.getItem(STORED)) };
	source = openSource();
	answers = new Map();
	runNames = connect(() => this.load());
	inputs = [...document.querySelectorAll("[name]")];

	async start() {
		this.zones = await this.source.zones();
		this.parts = [totals(this), frontChart(), epochChart(this), runTable(this), whatIf(this.zones), ruleStops(this.source.rules)];
		for (const input of this.inputs) input[input.type === "text" ? "onchange" : "oninput"] = () => this.set({ [input.name]: this.valueOf(input) });
		await this.load();
		followTheme(() => this.draw());
	}

	valueOf({ name, type, checked, value }) {
		if (type === "checkbox") return checked;
		return ["pue", "reach"].includes(name) ? (value === "" ? null : Number(value)) : value;
	}

	async load() {
		try {
			const [data, names] = await Promise.all([this.source.runs(), this.runNames()]);
			takePlaces([...names, ...data.runs.map((row) => row.name).sort()]);
			this.data = data;
			if (data.read < data.of) setTimeout(() => this.load(), AGAIN_MS);
			this.draw();
		} catch ({ message }) {
			find("said").replaceChildren(el("p", {}, `${message} Reload the page.`));
		}
	}

	/** Returns what the source says of a run, or null until it has answered. Then the page is drawn again. */
	ask(name, { key, seen_at }, rule) {
		const question = [name, key, seen_at, rule].join("\n");
		if (!this.answers.has(question)) {
			const keep = (answer) => {
				this.answers.set(question, answer);
				this.draw();
			};
			this.answers.set(question, null);
			this.source[name](key, rule).then(keep, ({ message }) => keep({ text: message, facts: [[message, []]] }));
		}
		return this.answers.get(question);
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
		if (!this.data) return;
		const { state, data } = this;
		const view = this.view();
		for (const part of this.parts) part(view);
		for (const input of this.inputs) if (input !== document.activeElement) Object.assign(input, { value: state[input.name] ?? input.defaultValue ?? "", checked: state[input.name] });
		find("said").replaceChildren(...data.said.map((text) => el("p", { className: "note" }, text)));
		sessionStorage.setItem(STORED, JSON.stringify(state));
		const { dataset } = document.documentElement;
		Object.assign(dataset, { read: `${data.read}/${data.of}`, painted: dataset.painted ?? performance.now() });
	}

	view() {
		const { data, state } = this;
		const [, name, intensity] = this.zones.zones.find(([code]) => code === state.zone) ?? [];
		const all = data.runs.map((row) => viewed(row, intensity, state.pue));
		const rows = filtered(all, state.filter);
		const metrics = [...Map.groupBy(all.filter((row) => row.xs.length), (row) => row.metric)].sort((one, other) => other[1].length - one[1].length);
		choices(this.inputs[0], 0, metrics.map(([metric, { length }]) => [metric, `${metric} (${length})`]));
		if (!metrics.some(([metric]) => metric === state.metric)) state.metric = metrics[0]?.[0];
		const shown = rows.filter((row) => row.metric === state.metric && row.xs.length);
		const best = paretoFront(shown).reverse().map(([, , key]) => key);
		this.ticked = state.ticked ?? [...new Set([...best, ...rows.map((row) => row.key)])].slice(0, MOST_TICKED);
		return {
			...{ data, all, rows, shown, state },
			place: [name, state.pue && `PUE ${number(state.pue)}`].filter(Boolean).join(", "),
			isTicked: (row) => row.state !== "unread" && this.ticked.includes(row.key),
			stopOf: (row) => state.rule && this.ask("stop", row, state.rule),
		};
	}
}

const load = (tag, options) => new Promise((onload, onerror) => document.head.append(el(tag, { ...options, onload, onerror })));

export async function render() {
	document.documentElement.lang = "en";
	if (!window.uPlot) {
		const page = await (await fetch("page.html")).text();
		document.body.append(...new DOMParser().parseFromString(page, "text/html").body.children);
		await Promise.all([load("link", { rel: "stylesheet", href: "vendor/uPlot.min.css" }), load("link", { rel: "stylesheet", href: "style.css" }), load("script", { src: "vendor/uPlot.iife.min.js" })]);
	}
	await new Page().start();
}
