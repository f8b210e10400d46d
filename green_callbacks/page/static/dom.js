// Makes elements. Texts become text nodes, so that no name can act as markup.
export function el(tag, options = {}, ...children) {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(options)) {
		if (name in made && name !== "list") made[name] = value;
		else made.setAttribute(name, value);
	}
	made.append(...children.flat(2).filter((child) => child != null));
	return made;
}

export const card = (title, controls, ...rest) => el("section", { className: "card" }, el("header", {}, title, controls), rest);

export const option = (value, text = value) => el("option", { value }, text);

export const labeled = (text, control) => el("label", {}, text, control);
