// A chart: axes and zoom by uPlot, our own lines, and a pointer and keys that find their points.
import { find, write } from "./dom.js";
import { color, dash } from "./host.js";

const REACH_PX = 30;
const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value ?? low), Math.max(high, value ?? high)], [Infinity, -Infinity]);

export class Plot {
	met = {};

	/** Takes the id of the chart's element, and functions that write x and y. */
	constructor(id, x, y) {
		Object.assign(this, { id, x, y, box: find(id) });
		Object.assign(this.box, { onkeydown: (event) => this.key(event), onpointermove: (event) => this.hover(event), onpointerleave: () => this.point({}) });
		new ResizeObserver(() => this.chart?.setSize(this.size())).observe(this.box);
	}

	size = () => ({ width: this.box.clientWidth, height: this.box.clientHeight });

	/** Draws lines, vertical limits and marks. A zoom stays, unless the data change. */
	draw({ lines, limits = [], marks = [], isLog = false }) {
		const line = lines.find(({ key }) => key && key === this.met.line?.key);
		Object.assign(this, { lines, limits, marks, met: line?.xs.length > this.met.i ? { line, i: this.met.i } : {} });
		const [low, high] = ends([...lines.flatMap((line) => [line.xs[0], line.xs.at(-1), line.end]), ...limits.map(([x]) => x)]);
		const bounds = lines.length ? [[low, high * 1.02 || 1], ends(lines.flatMap((line) => [...line.ys, ...(line.high ?? [])]))] : [[1, 10], [0, 1]];
		if (this.isLog !== isLog) {
			this.chart?.destroy();
			this.chart = new uPlot(this.options(isLog), bounds, this.box);
			this.box.querySelector("canvas").ariaHidden = true;
			this.isLog = isLog;
		}
		this.chart.setData(bounds, String(bounds) !== String(this.chart.data));
		this.chart.redraw(false, true);
	}

	options(isLog) {
		const axis = (format, size, hasGrid) => ({ size, stroke: () => css("--dim"), grid: { show: hasGrid, stroke: () => css("--line"), width: 1 }, ticks: { show: false }, values: (_, places) => places.map((place) => (place == null ? "" : format(place))) });
		return {
			...this.size(),
			legend: { show: false },
			padding: [8, 16, 0, 0],
			scales: { x: { time: false, distr: isLog ? 3 : 1 } },
			axes: [axis(this.x, 28, !isLog), axis(this.y, 62, true)],
			series: [{}, { stroke: "transparent", points: { show: false } }],
			cursor: { points: { show: false }, drag: { y: true, uni: 30 } },
			hooks: { draw: [() => this.paint()] },
		};
	}

	at = (x, y) => [this.chart.valToPos(x, "x", true) / devicePixelRatio, this.chart.valToPos(y, "y", true) / devicePixelRatio];

	place = ({ line, i }) => this.at(line.xs[i], line.ys[i]);

	paint() {
		const { ctx, bbox } = this.chart;
		const isMet = ({ key }) => key && key === this.met.line?.key;
		const isQuiet = (line) => line.isQuiet && !isMet(line);
		const stroke = (strokeStyle, lineWidth, dashes, trace) => {
			ctx.beginPath();
			trace();
			ctx.setLineDash(dashes);
			Object.assign(ctx, { strokeStyle, lineWidth }).stroke();
		};
		const letter = (text, [x, y], fillStyle, textAlign = "center") => Object.assign(ctx, { fillStyle, textAlign, textBaseline: "middle", font: "15px sans-serif" }).fillText(text, x, y);
		ctx.save();
		ctx.beginPath();
		ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
		ctx.clip();
		ctx.scale(devicePixelRatio, devicePixelRatio);
		stroke(css("--faint"), 1, [], () => this.lines.filter(isQuiet).forEach((line) => this.trace(line)));
		for (const line of this.lines.filter((each) => !isQuiet(each))) {
			const { key, name, low, isModelled, symbol } = line;
			const own = key ? color(name) : css("--front");
			if (low) this.band(line, own);
			stroke(own, key ? 2 + isMet(line) : 4, symbol ? dash(name) : [], () => this.trace(line, (i) => !isModelled?.(i)));
			if (isModelled) stroke(own, 2, [1, 4], () => this.trace(line, isModelled));
			if (symbol) letter(symbol, this.at(line.end, line.ys.at(-1)), own);
		}
		for (const [limit, text] of this.limits) {
			const [x] = this.at(limit, 0);
			stroke(css("--alarm"), 1.5, [6, 4], () => (ctx.moveTo(x, 0), ctx.lineTo(x, this.size().height)));
			letter(text, [x - 4, 20], css("--alarm"), "right");
		}
		for (const mark of this.marks) letter("◆", this.at(...mark), css("--fg"));
		if (this.met.line) stroke(css("--fg"), 2, [], () => ctx.arc(...this.place(this.met), 6, 0, 7));
		ctx.restore();
	}

	/** Traces a line. A line with an end is a staircase. */
	trace({ xs, ys, end }, isShown = () => true) {
		const { ctx } = this.chart;
		xs.forEach((x, i) => {
			if (!i || !isShown(i)) return ctx.moveTo(...this.at(x, ys[i]));
			if (end) ctx.lineTo(...this.at(x, ys[i - 1]));
			ctx.lineTo(...this.at(x, ys[i]));
		});
		const [x, y] = this.at(end ?? xs.at(-1), ys.at(-1));
		if (end || xs.length === 1) ctx.lineTo(x + 2, y);
	}

	band({ xs, low, high }, fillStyle) {
		const { ctx } = this.chart;
		ctx.beginPath();
		[...high, ...low.toReversed()].forEach((y, i) => ctx.lineTo(...this.at(xs[Math.min(i, 2 * xs.length - 1 - i)], y)));
		Object.assign(ctx, { fillStyle, globalAlpha: 0.15 }).fill();
		ctx.globalAlpha = 1;
	}

	hover({ clientX, clientY }) {
		const { left, top } = this.box.getBoundingClientRect();
		let [met, least] = [{}, REACH_PX];
		for (const line of this.lines.filter((each) => each.key)) {
			line.xs.forEach((_, i) => {
				const [x, y] = this.place({ line, i });
				const away = Math.hypot(x - clientX + left, y - clientY + top);
				if (away < least) [met, least] = [{ line, i }, away];
			});
		}
		this.point(met);
	}

	/** Points at a point of a line, or at nothing. */
	point(met) {
		if (this.met.line === met.line && this.met.i === met.i) return;
		this.met = met;
		write(`${this.id}-text`, met.line?.text(met.i) ?? "");
		this.chart.redraw(false, false);
	}

	key(event) {
		const step = STEPS[event.key];
		const lines = this.lines.filter((line) => line.key);
		if (!step || !lines.length) return event.key === "Escape" && this.point({});
		event.preventDefault();
		const now = lines.findIndex((line) => line.key === this.met.line?.key);
		const line = lines.at((Math.max(0, now) + step[1]) % lines.length);
		this.point({ line, i: now < 0 ? 0 : Math.max(0, Math.min(line.xs.length - 1, this.met.i + step[0])) });
	}
}
