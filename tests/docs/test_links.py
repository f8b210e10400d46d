import pytest
from docs.links import broken


@pytest.fixture
def site(tmp_path):
    def site(**pages):
        for name, text in pages.items():
            path = tmp_path / f"{name.replace('__', '/')}.html"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [sentence.split(": ", 1)[1] for sentence in broken(tmp_path)]

    return site


def test_links_to_pages_and_anchors_that_exist_are_fine(site):
    assert (
        site(
            index='<a href="room/a.html#x">a</a><a href="#here">b</a><p id="here"></p><a href="https://a.b/c#d">c</a>',
            room__a='<p id="x"></p><a href="../index.html">up</a><a href="#">top</a>',
        )
        == []
    )


@pytest.mark.parametrize("link", ["gone.html", "room/gone.html#x", "../index.html"])
def test_a_link_to_no_page_is_found(site, link):
    assert site(index=f'<a href="{link}">a</a>') == [f"{link} leads to no file."]


@pytest.mark.parametrize("link", ["#gone", "index.html#gone", "room/a.html#gone"])
def test_a_link_to_no_anchor_is_found(site, link):
    assert site(index=f'<a href="{link}">a</a>', room__a="") == [f"{link} leads to no anchor of its page."]


def test_pictures_and_scripts_count(site):
    assert site(index='<img src="gone.png"><script src="gone.js"></script>') == [
        "gone.js leads to no file.",
        "gone.png leads to no file.",
    ]


def test_what_a_script_holds_is_no_link(site):
    assert site(index='<script>x = `<a href="${url}">`</script>') == []
