// TensorBoard around the page: colors of runs, theme and reload button. A report has none of them.
import { attempt } from "./dom.js";

const PALETTE = ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];
const body = parent === window ? null : attempt(() => parent.document.body);
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => body?.classList.contains("dark-mode") ?? prefersDark.matches;
const places = new Map();

/** Remembers the first place of each name, as TensorBoard does. */
export const takePlaces = (names) => names.forEach((name) => places.has(name) || places.set(name, places.size));

export function color(name) {
	const place = places.get(name) % PALETTE.length;
	return place || !isDark() ? PALETTE[place] : "#8e98a3";
}

export const dash = (name) => DASHES[places.get(name) % DASHES.length];

/** Speaks TensorBoard's experimental protocol, which tells when its button was pressed. */
export function followReload(onReload) {
	if (!body) return;
	const { port1, port2 } = new MessageChannel();
	port1.onmessage = ({ data }) => {
		const { type, id } = JSON.parse(data);
		port1.postMessage(JSON.stringify({ type, id, isReply: true, payload: null, error: null }));
		if (type === "experimental.DataReloaded") onReload();
	};
	parent.postMessage("experimental.bootstrap", "*", [port2]);
}

export function followTheme(onChange) {
	const apply = () => {
		document.documentElement.className = isDark() ? "dark" : "";
		onChange();
	};
	if (body) new MutationObserver(apply).observe(body, { attributeFilter: ["class"] });
	prefersDark.onchange = apply;
	apply();
}
