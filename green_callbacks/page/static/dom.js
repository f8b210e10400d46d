// Finds and makes elements. Texts become text nodes, so that no name can act as markup.
export const find = (id) => document.getElementById(id);

export const write = (id, text) => (find(id).textContent = text);

export function el(tag, options = {}, ...children) {
	const made = Object.assign(document.createElement(tag), options);
	made.append(...children.flat(2).filter((child) => child != null));
	return made;
}

/** Fills a selection after its first options, which stay. */
export const choices = (select, first, pairs) => select.replaceChildren(...[...select.options].slice(0, first), ...pairs.map(([value, text]) => el("option", { value }, text)));
