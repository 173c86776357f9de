"""The documentation keeps up: commands, metrics and settings are in it, links resolve, what it shows can be typed."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from console import cli
from monitoring import metrics

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _shown() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for kind, block in FENCED.findall(page.read_text()):
            if kind == "console":
                for line in block.splitlines():
                    if line.startswith("$ "):
                        yield _name(page), line[2:]


def test_there_is_a_page_for_every_kind_of_user() -> None:
    names = {_name(page) for page in PAGES}
    wanted = ("analyst", "operations", "models", "settings", "philosophy", "law-and-ethics")
    assert {f"docs/{each}.md" for each in wanted} <= names
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/decisions/0001-the-house.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = FENCED.sub("", page.read_text())
    broken = []
    for link in LINK.findall(text):
        target, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        found = (page.parent / target).resolve() if target else page
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in _anchors(found)):
            broken.append(link)
    assert broken == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [name for name, *_ in cli.COMMANDS])
def test_every_command_is_shown_on_some_page(name: str) -> None:
    assert any(shlex.split(line)[:2] == ["linewatch", name] for _, line in _shown())


@pytest.mark.parametrize(("page", "line"), list(_shown()))
def test_what_a_page_shows_can_be_typed(page: str, line: str) -> None:
    words = shlex.split(line)
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
        assert words[1] in targets
    elif words[0] == "linewatch":
        group = typer.main.get_command(cli.app)
        context = group.make_context("linewatch", words[1:])
        name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        command.make_context(name, list(rest), parent=context)
    else:
        assert words[0] in {".", "cd", "git", "curl"}, f"{page} shows a command that no test knows: {line}"


@pytest.mark.parametrize("page", ["README.md", "docs/detectors.md"])
def test_every_detector_has_one_row_and_none_that_is_not_there(page: str) -> None:
    from detectors.discovery import all_detectors

    rows = re.findall(r"^\|[^`|]*(?:\| )?`([a-z_]+)` \|", (ROOT / page).read_text(), flags=re.MULTILINE)
    assert sorted(rows) == [each.id for each in all_detectors()]


def test_the_page_of_detectors_says_what_each_claims() -> None:
    from detectors.discovery import all_detectors

    text = (ROOT / "docs" / "detectors.md").read_text()
    claims = dict(re.findall(r"^\| `([a-z_]+)` \| (line|exploited) \|", text, flags=re.MULTILINE))
    assert claims == {each.id: each.claim for each in all_detectors() if each.claim and each.stream != "both"}


@pytest.mark.parametrize("declared", metrics.ALL, ids=lambda declared: declared.name)
def test_every_metric_is_explained_with_its_labels(declared: metrics.Declared) -> None:
    rows = [
        line.split("|")
        for line in (ROOT / "docs" / "operations.md").read_text().splitlines()
        if line.startswith(f"| `{declared.name}` |")
    ]
    assert len(rows) == 1, f"{declared.name} must have one row in docs/operations.md"
    assert tuple(rows[0][2].replace(",", " ").split()) == declared.labels


def test_no_page_speaks_of_a_metric_that_is_not_there() -> None:
    names = {declared.name for declared in metrics.ALL}
    allowed = names | {f"{name}{end}" for name in names for end in ("_bucket", "_sum", "_count")}
    for page in PAGES:
        spoken_of = set(re.findall(r"\blinewatch_[a-z_]+\b", page.read_text())) - {"linewatch_"}
        assert spoken_of <= allowed, f"{_name(page)}: {sorted(spoken_of - allowed)}"


def test_the_rules_that_wake_somebody_ask_for_numbers_and_labels_that_are_there() -> None:
    text = (ROOT / "deploy" / "prometheus-rules.yml").read_text()
    labels = {declared.name: {*declared.labels, "instance", "le"} for declared in metrics.ALL}
    asked = 0
    for expression in re.findall(r"expr: (?:>-\n((?:          .*\n)+)|(.*))", text):
        words = " ".join(expression)
        names = [re.sub("_bucket$", "", name) for name in re.findall(r"\blinewatch_[a-z_]+\b", words)]
        assert set(names) <= set(labels), words
        by = {label for group in re.findall(r"by \(([^)]*)\)", words) for label in group.split(", ")}
        assert all(by <= labels[name] for name in names), words
        asked += 1
    assert asked == text.count("- alert:")


def test_the_unit_starts_a_run_with_a_command_line_that_is_understood() -> None:
    text = (ROOT / "deploy" / "linewatch.service").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^ExecStart=\S+/linewatch (.*)$", text, flags=re.MULTILINE)
    group = typer.main.get_command(cli.app)
    context = group.make_context("linewatch", shlex.split(line))
    name, command, rest = group.resolve_command(context, [*context._protected_args, *context.args])
    assert name == "run"
    assert command is not None
    port = command.make_context(name, list(rest), parent=context).params["metrics_port"]
    assert f"127.0.0.1:{port}" in (ROOT / "deploy" / "prometheus.yml").read_text()


def test_every_setting_is_explained_with_its_default_and_none_that_is_not_there() -> None:
    from flows.settings import Settings, explained

    text = (ROOT / "docs" / "settings.md").read_text()
    told = dict(re.findall(r"^\| `([a-z_]+)` \| (\S+) \|", text, flags=re.MULTILINE))
    assert set(told) == set(Settings.model_fields)
    for name, (default, words) in explained().items():
        assert words, f"{name} has no description"
        given = default if isinstance(default, (bool, int, float)) else str(default or "")
        plain = "-" if default is None or "Undefined" in str(given) else f"`{given}`"
        assert told[name] == plain, name


def test_the_settings_files_shown_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from events.bases import Bases
    from flows.settings import FILE, Settings

    shown = [
        block for kind, block in FENCED.findall((ROOT / "docs" / "settings.md").read_text()) if kind == "toml"
    ]
    file, bases = shown
    monkeypatch.chdir(tmp_path)
    (tmp_path / FILE).write_text(file)
    settings = Settings()
    table = Bases.from_toml(bases).table
    assert settings.processes == 4
    assert settings.sources["operator-b"].basis in table
