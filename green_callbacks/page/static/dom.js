// Finds and makes elements, and writes amounts. Texts become text nodes, so that no name can act as markup.
export const find = (id) => document.getElementById(id);

export const write = (id, text) => (find(id).textContent = text);

export function el(tag, options = {}, ...children) {
	const made = Object.assign(document.createElement(tag), options);
	made.append(...children.flat(2));
	return made;
}

/** Returns undefined where the browser refuses, as in a frame of another site. */
export function attempt(what) {
	try {
		return what();
	} catch {}
}

export const text = (value) => value ?? "–";
const writers = {};
const writer = (digits) => (writers[digits] ??= new Intl.NumberFormat("en-US", { maximumSignificantDigits: digits }));
export function number(value, digits = 4) {
	const isFar = Math.abs(Math.log10(Math.abs(value || 1))) > 15;
	return isFar ? value.toExponential(digits - 1) : value == null ? "–" : writer(digits).format(value);
}
export const count = (value) => number(value, 9);

const amount = (...units) => (value, digits = 3) => {
	const size = Math.abs(value?.toPrecision(digits)) || 1;
	const [least, unit] = units.find((each) => size >= each[0]) ?? units.at(-1);
	return value == null ? "–" : `${number(value / least, digits)} ${unit}`;
};

export const mass = amount([1e6, "t"], [1e3, "kg"], [1, "g"], [1e-3, "mg"], [1e-6, "µg"]);
export const energy = amount([1e3, "MWh"], [1, "kWh"], [1e-3, "Wh"], [1e-6, "mWh"]);
export const duration = amount([86400, "d"], [3600, "h"], [60, "min"], [1, "s"]);
export const percent = amount([0.01, "%"]);
