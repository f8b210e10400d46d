"""The page in one file: nothing in its data is markup, and its policy allows what it carries and nothing else."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.report_page import HOSTILE, STAND_IN

from green_callbacks.page.report import inlined_json, report_html


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes and texts."""

    def __init__(self, html):
        super().__init__()
        self.found, self.is_open = [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), []))
        self.is_open = True

    def handle_endtag(self, tag):
        self.is_open = False

    def handle_data(self, data):
        if self.is_open:
            self.found[-1][2].append(data)

    def texts(self, tag):
        return ["".join(texts) for name, _, texts in self.found if name == tag]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_data_stay_data(name):
    page = Elements(report_html({"runs": {name: name}}, assets=STAND_IN))
    assert [tag for tag, _, _ in page.found] == [
        "html", "head", "meta", "meta", "meta", "meta", "meta", "title", "style", "style",
        "body", "noscript", "p", "main", "script", "script", "script",
    ]  # fmt: skip
    assert json.loads(page.texts("script")[0]) == {"runs": {name: name}}


@given(st.text())
def test_any_text_is_inert_and_reads_back(text):
    written = inlined_json({"name": text})
    assert written.isascii()
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"name": text}


def test_a_hostile_title_is_text():
    page = Elements(report_html({}, title="</title><script>alert(1)</script>\udc80", assets=STAND_IN))
    assert page.texts("title") == ["</title><script>alert(1)</script>?"]


def test_numbers_are_finite():
    with pytest.raises(ValueError, match="not JSON compliant"):
        report_html({"runs": float("nan")}, assets=STAND_IN)


def test_the_policy_allows_the_scripts_and_styles_of_the_file_only():
    page = Elements(report_html({"runs": {}}, assets=STAND_IN))
    policy = next(a["content"] for _, a, _ in page.found if a.get("http-equiv") == "Content-Security-Policy")
    _, *scripts = page.texts("script")
    hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in scripts]
    styles = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in page.texts("style")]
    assert policy.split("; ") == [
        "default-src 'none'", f"script-src {' '.join(hashes)}", f"style-src {' '.join(styles)}",
        "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip


def test_the_page_names_its_language_and_begins_to_draw_at_its_end():
    html = report_html({"runs": {}}, assets=STAND_IN)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert Elements(html).texts("script")[-1].endswith("\nwindow.drawn = typeof uPlot;\n")
    assert "Permission is hereby granted" in html
    assert not re.search(r"""(?:src|href)=""", html)
