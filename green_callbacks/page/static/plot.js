// A chart: axes and zoom by uPlot, our own lines over them, and a pointer and keys that find their points.
import { find, write } from "./dom.js";
import { color, dash } from "./host.js";

const REACH_PX = 30;
const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value ?? low), Math.max(high, value ?? high)], [Infinity, -Infinity]);

/** Returns the labels of a logarithmic axis. uPlot's own search never ends where the axis does not begin at a power of ten. */
function logPlaces({ width }, _, low, high) {
	const [first, last] = [low, high].map((end) => Math.floor(Math.log10(end)));
	const step = Math.ceil((last - first) / 9) || 1;
	const digits = high / low > 10 ** (width / 200) ? [1] : high / low < 5 ? [1, 1.5, 2, 3, 4, 5, 7] : [1, 2, 5];
	const powers = Array.from({ length: (last - first) / step + 1 }, (_, i) => first + i * step);
	return powers.flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`))).filter((place) => place >= low && place <= high);
}

function shape(tag, attributes, text = "") {
	const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
	made.append(text);
	return made;
}

/** Returns a function that draws lines, vertical limits and marks into an element. A zoom stays until the data change. */
export function plot(id, formatX, formatY) {
	const box = find(id);
	const [all, pointed] = [shape("g", {}), shape("g", {})];
	const layers = shape("svg", { "aria-hidden": true });
	layers.append(all, pointed);
	let [chart, wasLog, met] = [null, null, {}];
	let [lines, limits, marks] = [[], [], []];

	const at = (x, y) => [chart.valToPos(x, "x").toFixed(1), chart.valToPos(y, "y").toFixed(1)];

	/** Returns the path of a line. A line with an end is a staircase. */
	const path = ({ xs, ys, end }, isShown = () => true) => {
		const steps = xs.map((x, i) => {
			const [left, top] = at(x, ys[i]);
			return i && isShown(i) ? (end ? `H${left}V${top}` : `L${left} ${top}`) : `M${left} ${top}`;
		});
		return steps.join("") + (end ? `H${at(end, 0)[0]}` : xs.length > 1 ? "" : "h2");
	};

	function drawn(line, width = 2) {
		const { name, xs, ys, low, high, end, symbol, isModelled = () => false } = line;
		const stroke = color(name);
		const made = [shape("path", { d: path(line, (i) => !isModelled(i)), stroke, "stroke-width": width, "stroke-dasharray": symbol ? dash(name) : "" })];
		if (xs.some((_, i) => isModelled(i))) made.push(shape("path", { d: path(line, isModelled), stroke, "stroke-width": width, "stroke-dasharray": "1 4" }));
		if (low) made.push(shape("path", { class: "band", d: path({ xs: [...xs, ...xs.toReversed()], ys: [...high, ...low.toReversed()] }), fill: stroke }));
		return symbol ? [...made, letter(symbol, [end, ys.at(-1)], { fill: stroke })] : made;
	}

	function letter(text, place, attributes) {
		const [x, y] = at(...place);
		return shape("text", { x, y, ...attributes }, text);
	}

	function paint() {
		const known = lines.filter(({ key }) => key);
		all.replaceChildren(
			shape("path", { class: "quiet", d: known.filter(({ isQuiet }) => isQuiet).map((line) => path(line)).join("") }),
			...lines.filter(({ key }) => !key).map((line) => shape("path", { class: "front", d: path(line) })),
			...known.filter(({ isQuiet }) => !isQuiet).flatMap((line) => drawn(line)),
			...limits.flatMap(([x, text]) => [shape("path", { class: "limit", d: `M${at(x, 0)[0]} 0V999` }), letter(text, [x, chart.scales.y.max], { class: "limit", dx: -4, dy: 12 })]),
			...marks.map((place) => letter("◆", place, { class: "mark" })),
		);
		encircle();
	}

	function encircle() {
		const [cx, cy] = met.line ? at(met.line.xs[met.i], met.line.ys[met.i]) : [];
		pointed.replaceChildren(...(met.line ? [...drawn(met.line, 3), shape("circle", { cx, cy, r: 6 })] : []));
	}

	/** Points at a point of a line, or at nothing. */
	function point(next = {}) {
		if (met.line === next.line && met.i === next.i) return;
		met = next;
		write(`${id}-text`, met.line?.text(met.i) ?? "");
		encircle();
	}

	box.onpointerleave = () => point();
	box.onpointermove = ({ clientX, clientY }) => {
		const { left, top } = chart.over.getBoundingClientRect();
		let [next, least] = [{}, REACH_PX];
		for (const line of lines.filter(({ key }) => key)) {
			line.xs.forEach((x, i) => {
				const away = Math.hypot(chart.valToPos(x, "x") - clientX + left, chart.valToPos(line.ys[i], "y") - clientY + top);
				if (away < least) [next, least] = [{ line, i }, away];
			});
		}
		point(next);
	};
	box.onkeydown = (event) => {
		const step = STEPS[event.key];
		const known = lines.filter(({ key }) => key);
		if (!step || !known.length) return void (event.key === "Escape" && point()); // false would keep Tab here
		event.preventDefault();
		const now = known.findIndex(({ key }) => key === met.line?.key);
		const line = known.at((Math.max(0, now) + step[1]) % known.length);
		point({ line, i: now < 0 ? 0 : Math.max(0, Math.min(line.xs.length - 1, met.i + step[0])) });
	};
	const size = () => ({ width: box.clientWidth, height: box.clientHeight });
	new ResizeObserver(() => chart?.setSize(size())).observe(box);

	const axis = (format, room, hasGrid) => ({ size: room, stroke: () => css("--dim"), grid: { show: hasGrid, stroke: () => css("--line"), width: 1 }, ticks: { show: false }, values: (_, values) => values.map((value) => (value == null ? "" : format(value))) });
	// A logarithmic axis begins at one digit, because uPlot steps from there to the powers of ten, or for ever.
	const options = (isLog) => ({
		...size(),
		legend: { show: false },
		scales: { x: isLog ? { distr: 3, range: (_, low, high) => [+(low / 1.4).toPrecision(1), high * 1.3] } : { time: false } },
		axes: [{ ...axis(formatX, 28, !isLog), ...(isLog && { splits: logPlaces, filter: (_, places) => places }) }, axis(formatY, 60, true)],
		series: [{}, { points: { show: false } }],
		cursor: { points: { show: false }, drag: { y: true, uni: 30 } },
		hooks: { draw: [paint] },
	});

	return (given, isLog = false) => {
		({ lines, limits = [], marks = [] } = given);
		const line = lines.find(({ key }) => key && key === met.line?.key);
		met = line?.xs.length > met.i ? { line, i: met.i } : {};
		const [low, high] = ends([...lines.flatMap(({ xs, end }) => [xs[0], xs.at(-1), end]), ...limits.map(([x]) => x)]);
		const bounds = lines.length ? [[low, high * 1.02 || 1], ends(lines.flatMap(({ ys, high: top = [], low: bottom = [] }) => [...ys, ...top, ...bottom]))] : [[1, 10], [0, 1]];
		if (wasLog !== isLog) {
			chart?.destroy();
			chart = new uPlot(options((wasLog = isLog)), bounds, (made, start) => {
				box.append(made.root);
				made.over.append(layers);
				chart = made;
				start();
			});
			box.querySelector("canvas").ariaHidden = true;
		}
		chart.setData(bounds, String(bounds) !== String(chart.data));
		chart.redraw(false, true);
	};
}
