// TensorBoard around the page: its runs, colors, theme and reload button. A report has none of them.
import { attempt } from "./dom.js";

const PALETTE = ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"];
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];
const PATIENCE_MS = 1500;
const body = parent === window ? null : attempt(() => parent.document.body);
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => body?.classList.contains("dark-mode") ?? prefersDark.matches;
const places = new Map();

/** Speaks TensorBoard's experimental protocol, and returns a function that asks for the names of its runs. */
export function connect(onReload) {
	if (!body) return () => [];
	const { port1, port2 } = new MessageChannel();
	const send = (type, isReply, id = 0) => port1.postMessage(JSON.stringify({ type, id, isReply, payload: null, error: null }));
	let answer;
	port1.onmessage = ({ data }) => {
		const { type, id, isReply, payload } = JSON.parse(data);
		if (isReply) return answer(payload ?? []);
		send(type, true, id);
		if (type === "experimental.DataReloaded") onReload();
	};
	parent.postMessage("experimental.bootstrap", "*", [port2]);
	return () =>
		new Promise((resolve) => {
			answer = resolve;
			setTimeout(resolve, PATIENCE_MS, []); // an older host does not answer
			send("experimental.GetRuns", false);
		});
}

/** Remembers the first place of each name, as TensorBoard does. */
export const takePlaces = (names) => names.forEach((name) => places.has(name) || places.set(name, places.size));

export function color(name) {
	const place = places.get(name) % PALETTE.length;
	return place || !isDark() ? PALETTE[place] : "#8e98a3";
}

export const dash = (name) => DASHES[places.get(name) % DASHES.length];

export function followTheme(onChange) {
	const apply = () => {
		document.documentElement.className = isDark() ? "dark" : "";
		onChange();
	};
	if (body) new MutationObserver(apply).observe(body, { attributeFilter: ["class"] });
	prefersDark.onchange = apply;
	apply();
}
