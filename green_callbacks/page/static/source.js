// The data of the page: from TensorBoard's server, or from the file of a report.
import { find } from "./dom.js";

const report = find("data") && JSON.parse(find("data").textContent);

export const rules = report ? Object.keys(report.stops) : ["marginal-gain", "marginal-gain,landing=0.2", "marginal-gain,acceptable=0.9", "budget=500 g"];

export async function get(name, { key, rule } = {}) {
	if (report) return { ...report, run: report.details[key], stop: report.stops[rule]?.[key] }[name] ?? Promise.reject(Error("The report has no details of this run."));
	const answer = await fetch(`${name}?${new URLSearchParams({ key, rule })}`).catch(() => Promise.reject(Error("TensorBoard does not answer.")));
	const data = await answer.json();
	return answer.ok ? data : Promise.reject(Error(data.error));
}
