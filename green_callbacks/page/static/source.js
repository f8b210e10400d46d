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
	const { runs, zones, details, stops } = JSON.parse(inlined.textContent);
	const found = (value) => value ?? Promise.reject(Error("The report has no details of this run."));
	return { rules: Object.keys(stops), runs: () => runs, zones: () => zones, run: async (key) => found(details[key]), stop: async (key, rule) => found(stops[rule]?.[key]) };
}
