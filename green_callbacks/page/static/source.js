// The data of the page: from TensorBoard's server, or from the file of a report.
async function get(path, values) {
	const answer = await fetch(`${path}?${new URLSearchParams(values)}`);
	const data = await answer.json();
	if (!answer.ok) throw Error(data.error);
	return data;
}

export function openSource() {
	const inlined = document.getElementById("data");
	if (!inlined) return { runs: () => get("runs"), zones: () => get("zones"), run: (key) => get("run", { key }), stop: (key, rule) => get("stop", { key, rule }) };
	const data = JSON.parse(inlined.textContent);
	const found = async (value) => {
		if (value) return value;
		throw Error("This is not in the report. Open the run in TensorBoard.");
	};
	return { rules: Object.keys(data.stops), runs: async () => data.runs, zones: async () => data.zones, run: (key) => found(data.details[key]), stop: (key, rule) => found(data.stops[rule]?.[key]) };
}
