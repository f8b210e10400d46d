// The two pictures: axes and zoom by uPlot, with our own lines, pointer and keys over them.
import { find, mass, number, write } from "./dom.js";
import { color, dash } from "./host.js";
import { ask, state } from "./state.js";
import { paretoFront } from "./view.js";

const SYMBOLS = { closed: "●", running: "○", killed: "✕" };
const MEASURED = 0.5;
const LEAST_G = 1e-30;
const FAR = 10;
const MOST_RUNS = 20;
const REACH_PX = 30;
const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);

function ends(values) {
	const known = Float64Array.from(values.filter(Number.isFinite)).sort();
	return [known[0], known.at(-1)];
}

/** Returns the labels of a logarithmic axis. uPlot's own search never ends where the axis does not begin at a power of ten. */
function logPlaces({ width }, _, low, high) {
	const [first, last] = [low, high].map((end) => Math.floor(Math.log10(end)));
	const step = Math.ceil((last - first) / 9) || 1;
	const digits = high / low > 10 ** (width / 200) ? [1] : high / low < 5 ? [1, 1.5, 2, 3, 4, 5, 7] : [1, 2, 5];
	const powers = Array.from({ length: (last - first) / step + 1 }, (_, i) => first + i * step);
	return powers.flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`))).filter((place) => place >= low && place <= high);
}

const axis = (format, size, isLog) => ({
	size,
	stroke: () => css("--dim"),
	grid: { show: !isLog, stroke: () => css("--line"), width: 1 },
	ticks: { show: false },
	...(isLog && { splits: logPlaces, filter: (_, places) => places }),
	values: (_, values) => values.map((value) => format(value)),
});

function shape(tag, attributes, text = "") {
	const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
	for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
	made.append(text);
	return made;
}

/** Returns a function that draws into an element. A zoom stays until the data change. */
function plot(id, formatX, formatY) {
	const box = find(id);
	const layers = box.querySelector("svg");
	const [all, pointed] = layers.children;
	let chart, wasLog, lines, limits, marks;
	let [runs, met] = [[], {}];

	const pixel = (value, scale) => Math.round(10 * chart.valToPos(value, scale)) / 10;
	const at = ([x, y]) => [pixel(x, "x"), pixel(y, "y")];

	/** Returns the path of a line. A line with an end is a staircase. The short end of others shows a single point. */
	function path({ points, end }, isShown = () => true) {
		const steps = points.map((point, i) => {
			const [left, top] = at(point);
			return i && isShown(point) ? (end ? `H${left}V${top}` : `L${left} ${top}`) : `M${left} ${top}`;
		});
		return steps.join("") + (end ? `H${pixel(end, "x")}` : "h2");
	}

	function letter(text, place, attributes) {
		const [x, y] = at(place);
		return shape("text", { x, y, ...attributes }, text);
	}

	function drawn(line, width = 2) {
		const { key, name, points, band, end, symbol, isMeasured } = line;
		if (!key) return [shape("path", { class: "front", d: path(line) })];
		const stroke = color(name);
		const pen = (d, dashes) => shape("path", { d, stroke, "stroke-width": width, "stroke-dasharray": dashes });
		if (symbol) return [pen(path(line), dash(name)), letter(symbol, [end, points.at(-1)[1]], { fill: stroke })];
		const made = [pen(path(line, isMeasured), "")];
		if (!points.every(isMeasured)) made.unshift(pen(path(line), "1 4"));
		if (band) made.push(shape("path", { class: "band", d: path({ points: band }), fill: stroke }));
		return made;
	}

	function paint() {
		const quiet = lines.filter((line) => line.isQuiet).map((line) => path(line));
		all.replaceChildren(
			shape("path", { class: "quiet", d: quiet.join("") }),
			...lines.filter((line) => !line.isQuiet).flatMap((line) => drawn(line)),
			...limits.flatMap(([x, text]) => [shape("path", { class: "limit", d: `M${pixel(x, "x")} 0V999` }), letter(text, [x, chart.scales.y.max], { class: "limit", dx: -4, dy: 12 })]),
			...marks.map((place) => letter("◆", place, { class: "mark" })),
		);
		encircle();
	}

	function encircle() {
		const { line, i } = met;
		write(`${id}-text`, line ? line.text(line.points[i]) : "");
		const [cx, cy] = line ? at(line.points[i]) : [];
		pointed.replaceChildren(...(line ? [...drawn(line, 3), shape("circle", { cx, cy, r: 6 })] : []));
	}

	function point(next = {}) {
		if (met.line === next.line && met.i === next.i) return;
		met = next;
		encircle();
	}

	function pointNear({ offsetX, offsetY }) {
		let [next, least] = [{}, REACH_PX];
		for (const line of runs) {
			line.points.forEach((place, i) => {
				const [left, top] = at(place);
				const away = Math.hypot(left - offsetX, top - offsetY);
				if (away < least) [next, least] = [{ line, i }, away];
			});
		}
		point(next);
	}

	box.onpointerleave = () => point();
	box.onkeydown = (event) => {
		const step = STEPS[event.key];
		if (!step || !runs.length) return void (event.key === "Escape" && point()); // false would keep Tab here
		event.preventDefault();
		const now = runs.findIndex(({ key }) => key === met.line?.key);
		const line = runs.at((Math.max(0, now) + step[1]) % runs.length);
		point({ line, i: now < 0 ? 0 : Math.max(0, Math.min(line.points.length - 1, met.i + step[0])) });
	};
	const size = () => ({ width: box.clientWidth, height: box.clientHeight });
	new ResizeObserver(() => chart?.setSize(size())).observe(box);

	const options = (isLog) => ({
		...size(),
		legend: { show: false },
		scales: { x: isLog ? { distr: 3, range: (_, low, high) => [+(low / 1.4).toPrecision(1), high * 1.3] } : { time: false } },
		axes: [axis(formatX, 28, isLog), axis(formatY, 60)],
		series: [{}, { points: { show: false } }],
		cursor: { points: { show: false }, drag: { y: true, uni: 30 } },
		hooks: { draw: [paint] },
	});

	return (given, isLog = false) => {
		({ lines, limits = [], marks = [] } = given);
		runs = lines.filter(({ key }) => key);
		const line = runs.find(({ key }) => key === met.line?.key);
		met = line?.points.length > met.i ? { line, i: met.i } : {};
		const points = lines.flatMap(({ points, band = [] }) => [...points, ...band]);
		const [low, high] = ends([...points, ...lines.map(({ end }) => [end]), ...limits].map(([x]) => x));
		const bounds = lines.length ? [[low, high * 1.02 || 1], ends([...(given.floor ?? []), ...points.map(([, y]) => y)])] : [[1, 10], [0, 1]];
		if (wasLog !== isLog) {
			chart?.destroy();
			chart = new uPlot(options((wasLog = isLog)), bounds, box);
			chart.over.append(layers);
			chart.over.onpointermove = pointNear;
			chart.ctx.canvas.ariaHidden = true;
		}
		chart.setData(bounds, String(bounds) !== String(chart.data));
		chart.redraw(false, true);
	};
}

const drawFront = plot("front", (x) => mass(x, 2), number);
const drawEpochs = plot("epochs", (x) => (x % 1 ? "" : number(x)), mass);

export function frontChart({ shown, isTicked, stopOf }) {
	const isLog = state.scale === "logarithmic";
	const lines = shown.flatMap((row) => {
		const first = isLog ? row.points.findIndex(([g]) => g > LEAST_G) : 0;
		const text = ([g, best, epoch]) => `${row.name}: ${row.metric} ${number(best)} at ${mass(g)}, epoch ${epoch ?? "–"}`;
		const symbol = row.stop && row.state === "closed" ? "■" : SYMBOLS[row.state];
		return first < 0 ? [] : { ...row, points: row.points.slice(first), text, end: row.g, symbol, isQuiet: !isTicked(row) };
	});
	const end = Math.max(...lines.map((line) => line.end));
	const off = shown.length - lines.length;
	const needed = off ? ` ${off} of ${shown.length} runs ${off > 1 ? "need" : "needs"} a linear axis, at 0 g.` : "";
	if (shown.length) write("direction", `${shown[0].sign < 0 ? "Less" : "More"} ${state.metric} is better.${needed}`);
	if (lines.length) lines.unshift({ points: paretoFront(lines), end });
	const ticked = shown.filter(isTicked);
	const limits = new Set(ticked.map((row) => row.limit_g).filter((limit) => limit && limit < FAR * end));
	const stopped = ticked.map((row) => [row, stopOf(row)]).filter(([, stop]) => stop?.stops && stop.q != null);
	const marks = stopped.map(([row, stop]) => [...row.moved([stop.at_g], [row.kwh * (1 - stop.saved_kwh / row.facility_kwh)]), stop.q]);
	drawFront({ lines, limits: [...limits].map((limit) => [limit, `budget ${mass(limit)}`]), marks: marks.filter(([g]) => !isLog || g > LEAST_G) }, isLog);
}

export function epochChart({ rows, isTicked, place }) {
	const isSum = state.kind === "so far";
	const ticked = rows.filter(isTicked);
	const read = ticked.filter((row) => row.g != null).slice(0, MOST_RUNS).map((row) => [row, ask("run", row)]).filter(([, run]) => run?.epoch?.length);
	const lines = read.map(([{ key, name, moved }, run]) => {
		const [recorded, kwh] = isSum ? [run.total_g, run.total_kwh] : [run.g, run.kwh];
		const { low_g: lows, high_g: highs } = isSum || place ? {} : run;
		const amounts = moved(recorded, kwh);
		const points = run.epoch.map((epoch, i) => [epoch, amounts[i], run.measured[i], lows?.[i], highs?.[i]]).filter((_, i) => recorded[i] != null);
		const band = lows && [...points.map(([epoch, , , low]) => [epoch, low]), ...points.map(([epoch, , , , high]) => [epoch, high]).reverse()];
		const text = ([epoch, amount, , low, high]) => `${name}: ${mass(amount)}${lows ? ` (${mass(low)} to ${mass(high)})` : ""} ${isSum ? "until" : "in"} epoch ${epoch}`;
		return { key, name, points, band, text, isMeasured: ([, , measured]) => measured >= MEASURED };
	}).filter(({ points }) => points.length);
	const every = Math.max(0, ...read.map(([, run]) => run.epochs_a_point));
	write("drawn", `${lines.length} of ${ticked.length} ticked runs.${every > 1 ? ` A point is up to ${every} epochs.` : ""}`);
	drawEpochs({ lines, floor: [0] });
}
