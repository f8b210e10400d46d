// Finds and makes elements. Texts become text nodes, so that no name can act as markup.
export const find = (id) => document.getElementById(id);

export const write = (id, text) => (find(id).textContent = text);

export function el(tag, options = {}, ...children) {
	const made = Object.assign(document.createElement(tag), options);
	made.append(...children.flat(2));
	return made;
}

export const option = ([value, text = value]) => el("option", { value }, text);
