import builtins

import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.registry import BudgetRegistry, check_registry_url, open_registry
from green_callbacks.registry.files.registry import FilesRegistry


@pytest.mark.parametrize("url", ["", "  ", None, 3, "logs", "postgres", "mysql://a:secret@h/d", "http://a:secret@h"])
def test_what_can_be_no_registry_is_refused_without_the_password(url):
    with pytest.raises(ConfigurationError, match="Give a URL such as 'sqlite:///") as refused:
        check_registry_url(url)
    assert "secret" not in str(refused.value)


def test_without_a_url_the_budget_lies_in_files(tmp_path):
    registry = open_registry(None, str(tmp_path / "logs"), "emissions_kg")
    assert isinstance(registry, FilesRegistry)
    assert isinstance(registry, BudgetRegistry)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("green_callbacks.registry.sql.address.find_spec", lambda _: None)
    for call in (check_registry_url, lambda url: open_registry(url, "logs", "emissions_kg")):
        with pytest.raises(ConfigurationError, match=r"green-callbacks\[registry\]") as refused:
            call("postgresql://ada:secret@host/budgets")
        assert "secret" not in str(refused.value)


def test_files_need_no_package_of_databases(tmp_path, monkeypatch):
    imported = builtins.__import__

    def refuse(name, *rest, **options):
        assert "sql" not in name
        return imported(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert open_registry(None, str(tmp_path), "emissions_kg").runs() == []
