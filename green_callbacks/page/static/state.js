// What the user has chosen, and what the source says: TensorBoard's server, or the file of a report.
import { attempt, find } from "./dom.js";

const report = find("data") && JSON.parse(find("data").textContent);

export const rules = report ? Object.keys(report.stops) : ["marginal-gain", "marginal-gain,landing=0.2", "marginal-gain,acceptable=0.9", "budget=500 g"];

export async function get(name, values = {}) {
	const { key, rule } = values;
	if (report) return { ...report, run: report.details[key], stop: report.stops[rule]?.[key] }[name] ?? Promise.reject(Error(`The report has no ${rule && !report.stops[rule] ? "such rule. Write it again with --rule" : "details of this run"}.`));
	const answer = await fetch(`${name}?${new URLSearchParams(values)}`).catch(() => Promise.reject(Error("TensorBoard does not answer.")));
	const data = await answer.json();
	return answer.ok ? data : Promise.reject(Error(data.error));
}

const STORED = `green-callbacks ${location.pathname}`;
const answers = new Map();

export const state = { isLog: true, kind: "per epoch", sort: ["g", true], filter: "", reach: "", zone: "", pue: "", rule: "", metric: "", open: [] };
for (const [name, value] of Object.entries(attempt(() => JSON.parse(sessionStorage.getItem(STORED))) ?? {})) if (value?.constructor === (state[name] ?? []).constructor) state[name] = value;

export function set(changes) {
	Object.assign(state, changes);
	dispatchEvent(new Event("draw"));
	attempt(() => sessionStorage.setItem(STORED, JSON.stringify(state))); // what freezes the page is not kept
}

export function toggle(name, key, keys = state[name]) {
	set({ [name]: keys.includes(key) ? keys.filter((each) => each !== key) : [...keys, key] });
}

/** Returns what the source says of a run, or null until it has answered. Then the page is drawn again. */
export function ask(name, { key, seen_at }, rule = "") {
	const question = [name, key, seen_at, rule].join("\n");
	const keep = (answer) => set({}, answers.set(question, answer));
	if (!answers.has(question)) {
		answers.set(question, null);
		get(name, { key, rule }).then(keep, ({ message }) => keep({ text: message, facts: [[message, []]], isFailure: true }));
	}
	return answers.get(question);
}

/** Lets the page ask again, because a failure may have passed. */
export function forgetFailures() {
	for (const [question, answer] of answers) if (answer?.isFailure) answers.delete(question);
}
