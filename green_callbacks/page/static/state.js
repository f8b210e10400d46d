// What the user has chosen, and what the source has answered.
import { get } from "./source.js";

const STORED = `green-callbacks ${location.pathname}`;
const answers = new Map();

export const state = { isLog: true, kind: "per epoch", sort: ["g", true], filter: "", reach: "", zone: "", pue: "", rule: "", open: [], ...JSON.parse(sessionStorage.getItem(STORED)) };

export function set(changes) {
	Object.assign(state, changes);
	sessionStorage.setItem(STORED, JSON.stringify(state));
	dispatchEvent(new Event("draw"));
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
		get(name, { key, rule }).then(keep, ({ message }) => keep({ text: message, facts: [[message, []]] }));
	}
	return answers.get(question);
}
