"""Our modules become one, or the bundler refuses."""

import pytest

from green_callbacks.errors import GreenCallbacksError
from green_callbacks.page.assets import ASSETS, MODULES
from green_callbacks.page.bundle import bundled


def test_modules_come_once_and_after_what_they_import():
    modules = {
        "index.js": 'import { b } from "./b.js";\nimport {\n  a,\n} from "./a.js";\n\n'
        "export async function render() {}\n",
        "b.js": 'import { a } from "./a.js";\nexport const b = a;',
        "a.js": "export function a() {}\nexport class A {}\nlet exported = 1;\n",
        "unused.js": "const c = 1;\n",
    }
    assert bundled(modules).split("\n") == [
        "function a() {}", "class A {}", "let exported = 1;", "const b = a;", "", "async function render() {}", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ('import { a as b } from "./a.js";', "imports a as b, which"),
        ('import a from "./a.js";', "another form"),
        ('import * as a from "./a.js";', "another form"),
        ('import { none } from "./a.js";', "does not export"),
        ('import { inner } from "./a.js";', "does not export"),
        ('import { a } from "./index.js";', "itself"),
        ('import { a } from "./none.js";', "no such module"),
        ('import { a } from "https://example.org/a.js";', "another form"),
        ('const a = await import("./a.js");', "a.js|another form"),
        ("export default function b() {}", "another form"),
        ("const a = 1; export { a };\nexport { a };", "another form"),
        ('export * from "./a.js";', "another form"),
        ("const { a } = window;", "by unpacking"),
        ("var b = 1;", "by var"),
        ("f(import.meta.url);", "another form"),
        ('import { a } from "./a.js";\nconst inner = 2;', "defines inner, and so does a.js"),
    ],
)
def test_other_forms_are_refused(source, reason):
    with pytest.raises(GreenCallbacksError, match=reason):
        bundled({"index.js": f"{source}\n", "a.js": "export const a = 1;\nconst inner = 1;\n"})


def test_a_name_of_an_inner_block_may_come_twice():
    modules = {
        "index.js": 'import { a } from "./a.js";\nf(() => {\n  const b = a;\n});\n',
        "a.js": "export const a = 1;",
    }
    modules["a.js"] += "\nif (a) {\n  const b = 2;\n}\n"
    assert bundled(modules).count("const b") == 2


def test_our_own_modules_are_joined():
    modules = {name: ASSETS[name].text() for name in MODULES}
    joined = bundled(modules) if modules else ""
    assert sum(map(len, modules.values())) - len(joined) < 3_000
