// What the user has chosen, and what the source says: TensorBoard's server, or the file of a report.
import { attempt, find } from "./dom.js";

const STORED = `green-callbacks ${location.pathname}`;
const answers = new Map();

export const report = find("data") && JSON.parse(find("data").textContent);

/** The inputs of the page have their names here, too. */
export const state = { sort: ["g", true], open: [] };

for (const [name, value] of Object.entries(attempt(() => JSON.parse(sessionStorage.getItem(STORED))) ?? {})) {
	if (Array.isArray(value) === ["sort", "open", "ticked"].includes(name)) state[name] = value;
}

export function set(changes) {
	Object.assign(state, changes);
	dispatchEvent(new Event("draw"));
	attempt(() => sessionStorage.setItem(STORED, JSON.stringify(state))); // what freezes the page is not kept
}

export function toggle(name, key, keys = state[name]) {
	set({ [name]: keys.includes(key) ? keys.filter((each) => each !== key) : [...keys, key] });
}

function fail(message) {
	throw Error(message);
}

export async function get(name, values = {}) {
	const { key, rule } = values;
	const missing = rule && !report?.stops[rule] ? "such rule. Write it again with --rule" : "details of this run";
	if (report) return { ...report, run: report.details[key], stop: report.stops[rule]?.[key] }[name] ?? fail(`The report has no ${missing}.`);
	const answer = await fetch(`${name}?${new URLSearchParams(values)}`).catch(() => fail("TensorBoard does not answer."));
	const data = await answer.json();
	return answer.ok ? data : fail(data.error);
}

/** Returns what the source says of a run, or null. Once it answers, the page is drawn again. */
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
