// A chart: axes and zoom by uPlot, our own lines, and a pointer and keys that find their points.
import { el } from "./dom.js";
import { color, dash } from "./host.js";

const REACH_PX = 30;
const STEPS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value ?? low), Math.max(high, value ?? high)], [Infinity, -Infinity]);

/** Returns the places of labels between two powers of ten: these powers, or also twice and five times them. */
function decades(low, high) {
	const powers = Array.from({ length: 40 }, (_, i) => 10 ** (i - 20));
	const places = powers.flatMap((power) => (high / low > 1e3 ? power : [power, 2 * power, 5 * power]));
	return places.filter((place) => place >= low && place <= high);
}

export class Plot {
	met = {};

	/** Takes the name of the chart, functions that write x and y, and a function that says a text. */
	constructor(label, x, y, say) {
		this.tip = el("div", { className: "tip", hidden: true });
		this.focus = el("div", { tabIndex: 0, role: "application", ariaLabel: `${label}. Arrow keys go along a run, and to another run.`, onkeydown: (event) => this.key(event), onblur: () => this.point({}) });
		this.box = el("div", { className: "plot" }, this.focus, this.tip);
		Object.assign(this, { x, y, say });
		new ResizeObserver(() => this.chart?.setSize(this.size())).observe(this.box);
	}

	size = () => ({ width: this.box.clientWidth, height: this.box.clientHeight });

	/** Draws lines, vertical limits and marks. A zoom stays, unless the data change. */
	draw({ lines, limits = [], marks = [], isLog = false }) {
		Object.assign(this, { lines, limits, marks });
		const xs = ends([...lines.flatMap((line) => [line.xs[0], line.xs.at(-1), line.end]), ...limits.map(([x]) => x)]);
		const ys = ends(lines.flatMap((line) => [...line.ys, ...(line.high ?? [])]));
		const bounds = lines.length ? [[xs[0], xs[1] * 1.02 + 1e-12], ys] : [[1, 10], [0, 1]];
		if (this.isLog !== isLog) {
			this.chart?.destroy();
			this.chart = new uPlot(this.options(isLog), bounds, this.focus);
			this.focus.querySelector("canvas").ariaHidden = true;
			this.isLog = isLog;
		}
		this.chart.setData(bounds, String(bounds) !== String(this.chart.data));
		this.chart.redraw(false, true);
	}

	options(isLog) {
		const axis = (write, size, more) => ({ size, stroke: () => css("--dim"), grid: { stroke: () => css("--line"), width: 1 }, ticks: { show: false }, font: "12px Roboto, sans-serif", values: (_, places) => places.map((place) => write(place)), ...more });
		return {
			...this.size(),
			legend: { show: false },
			padding: [10, 20, 0, 0],
			scales: { x: { time: false, distr: isLog ? 3 : 1 } },
			axes: [axis(this.x, 28, isLog && { splits: (...given) => decades(given[2], given[3]), filter: (_, places) => places }), axis(this.y, 62)],
			series: [{}, { stroke: "transparent", points: { show: false } }],
			cursor: { points: { show: false }, drag: { y: true, uni: 30 } },
			hooks: { draw: [() => this.paint()], setCursor: [({ cursor }) => this.hover(cursor.left, cursor.top)] },
		};
	}

	at = (x, y) => [this.chart.valToPos(x, "x", true) / devicePixelRatio, this.chart.valToPos(y, "y", true) / devicePixelRatio];

	paint() {
		const { ctx, bbox } = this.chart;
		const isMet = (line) => line.key && line.key === this.met.line?.key;
		const isQuiet = (line) => line.isQuiet && !isMet(line);
		const stroke = (strokeStyle, lineWidth, dashes, trace) => {
			ctx.beginPath();
			trace();
			ctx.setLineDash(dashes);
			Object.assign(ctx, { strokeStyle, lineWidth }).stroke();
		};
		const write = (text, [x, y], fillStyle, textAlign = "center") => Object.assign(ctx, { fillStyle, textAlign, textBaseline: "middle", font: "15px sans-serif" }).fillText(text, x, y);
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
			if (symbol) write(symbol, this.at(line.end, line.ys.at(-1)), own);
		}
		for (const [limit, text] of this.limits) {
			const [x] = this.at(limit, 0);
			stroke(css("--alarm"), 1.5, [6, 4], () => (ctx.moveTo(x, 0), ctx.lineTo(x, this.size().height)));
			write(text, [x - 4, 20], css("--alarm"), "right");
		}
		for (const mark of this.marks) write("◆", this.at(...mark), css("--fg"));
		if (this.met.line) stroke(css("--fg"), 2, [], () => ctx.arc(...this.place(this.met), 6, 0, 7));
		ctx.restore();
	}

	place = ({ line, i }) => this.at(line.xs[i], line.ys[i]);

	/** Traces a line. One that has an end is a staircase. */
	trace({ xs, ys, end }, isShown = () => true) {
		const { ctx } = this.chart;
		xs.forEach((x, i) => {
			if (!i || !isShown(i)) return ctx.moveTo(...this.at(x - (xs.length < 2) / 9, ys[i]));
			if (end) ctx.lineTo(...this.at(x, ys[i - 1]));
			ctx.lineTo(...this.at(x, ys[i]));
		});
		if (xs.length) ctx.lineTo(...this.at(end ?? xs.at(-1), ys.at(-1)));
	}

	band({ xs, low, high }, fillStyle) {
		const { ctx } = this.chart;
		ctx.beginPath();
		[...high, ...low.toReversed()].forEach((y, i) => ctx.lineTo(...this.at(xs[Math.min(i, 2 * xs.length - 1 - i)], y)));
		Object.assign(ctx, { fillStyle, globalAlpha: 0.15 }).fill();
		ctx.globalAlpha = 1;
	}

	hover(left, top) {
		if (this.isKeyed) return;
		const { bbox } = this.chart;
		let [met, least] = [{}, REACH_PX];
		for (const line of left < 0 ? [] : this.lines.filter((each) => each.key)) {
			line.xs.forEach((_, i) => {
				const [x, y] = this.place({ line, i });
				const away = Math.hypot(x - left - bbox.left / devicePixelRatio, y - top - bbox.top / devicePixelRatio);
				if (away < least) [met, least] = [{ line, i }, away];
			});
		}
		this.point(met);
	}

	/** Points at a point of a line, or at nothing. */
	point(met) {
		if (this.met.line === met.line && this.met.i === met.i) return;
		this.met = met;
		this.isKeyed &&= Boolean(met.line);
		this.tip.hidden = !met.line;
		if (met.line) {
			const [x, y] = this.place(met);
			this.tip.textContent = met.line.text(met.i);
			this.tip.style.left = `${Math.max(0, Math.min(x + 12, this.size().width - this.tip.offsetWidth))}px`;
			this.tip.style.top = `${Math.max(0, y - 40)}px`;
		}
		this.chart.redraw(false, false);
	}

	key(event) {
		if (event.key === "Escape") return this.point({});
		const step = STEPS[event.key];
		const lines = this.lines.filter((line) => line.key);
		if (!step || !lines.length) return;
		event.preventDefault();
		this.isKeyed = true;
		const now = lines.findIndex((line) => line.key === this.met.line?.key);
		const line = lines.at((Math.max(0, now) + step[1]) % lines.length);
		const i = now < 0 ? 0 : Math.max(0, Math.min(line.xs.length - 1, this.met.i + step[0]));
		this.point({ line, i });
		this.say(line.text(i));
	}
}
