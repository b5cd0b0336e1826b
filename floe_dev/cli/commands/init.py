"""`floe init`: a new project from the sample shop."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import click

from floe_dev.cli.naming import floe_command
from floe_dev.cli.options import json_option, pass_output
from floe_dev.cli.output import Output
from floe_dev.errors import Code, FloeError
from floe_dev.model.layout import DBT_FILE, FLOE_FILE

#: What building or running leaves behind in the template folder and no new project should get.
_LEFT_OUT = (".floe", "target", "logs", "dbt_packages", "__pycache__", "*.pyc", ".user.yml", ".DS_Store", "*.duckdb")


@click.command(short_help="Make a new project from the sample shop.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--name", default=None, help="The project's name (default: the folder's).")
@click.option("--from", "dbt_project", type=click.Path(path_type=Path), help="Add the two files to this dbt project.")
@json_option
@pass_output
def command(output: Output, folder: Path, name: str | None, dbt_project: Path | None, as_json: bool) -> None:
    """Make a new project in FOLDER (default: here): a small shop with ingestion, dbt models and tests.

    With --from DIR, write floe.yaml and platform.yaml into the dbt project DIR instead; nothing of it is changed.
    """
    output.project = None
    if dbt_project is not None:
        root = dbt_project.resolve()
        files = _adopt(root)
        project_name = name or root.name
    else:
        root = folder.resolve()
        project_name, files = _make(root, name)
    if as_json:
        output.document({"project": str(root), "name": project_name, "files": files})
        return
    output.say(f"made {project_name} in {root} ({len(files)} files)")
    output.say("next:")
    if root != Path.cwd():
        output.say(f"  {floe_command('up', project=root)}")
    else:
        output.say(f"  {floe_command('up')}")


def _make(root: Path, name: str | None) -> tuple[str, list[str]]:
    from floe_dev.config.bundled import bundled

    _require_empty(root)
    template = bundled("sample_project")
    shutil.copytree(template, root, ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True)
    (root / ".gitignore").write_text(_gitignore(root), "utf-8")
    project_name = _name_project(root, name or root.name)
    return project_name, sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def _adopt(root: Path) -> list[str]:
    from floe_dev.config.implicit import floe_text, implicit_spec, platform_text

    if not (root / DBT_FILE).is_file():
        raise FloeError(Code.NO_PROJECT, f"there is no {DBT_FILE} in {root}", fix="floe init")
    spec = implicit_spec(root)
    texts = {FLOE_FILE: floe_text(spec), "platform.yaml": platform_text(spec)}
    there = [name for name in texts if (root / name).exists()]
    if there:
        raise FloeError(
            Code.FOLDER_IN_USE,
            f"{root} has a {there[0]} already",
            why="`floe init` never overwrites a file",
            fix=floe_command("up", "--project", str(root)),
        )
    for name, text in texts.items():
        (root / name).write_text(text, "utf-8")
    return sorted(texts)


def _require_empty(root: Path) -> None:
    # A fresh clone of an empty repository is as good as an empty folder.
    allowed = {".git", ".gitignore", ".gitattributes", "README.md", "LICENSE"}
    blocked = next((parent for parent in root.parents if parent.exists() and not parent.is_dir()), None)
    if blocked is not None:
        raise click.BadParameter(f"{blocked} is a file", param_hint="FOLDER")
    if not root.exists():
        return
    found = sorted(path.name for path in root.iterdir())
    clashes = [name for name in found if name not in allowed or (name == "README.md")]
    if clashes:
        raise FloeError(
            Code.FOLDER_IN_USE,
            f"{root} is not empty",
            why=f"it holds {', '.join(clashes[:4])}{' …' if len(clashes) > 4 else ''}",
            fix="floe init my-lakehouse",
        )


def _gitignore(root: Path) -> str:
    path = root / ".gitignore"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    lines += [line for line in (".floe/", "target/", "logs/", "__pycache__/") if line not in lines]
    return "\n".join(lines) + "\n"


def _name_project(root: Path, name: str) -> str:
    """Write the name into floe.yaml, in the form names take (lower case, digits, hyphens)."""
    clean = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "lakehouse"
    if not clean[0].isalpha():
        clean = f"lakehouse-{clean}"
    path = root / "floe.yaml"
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"(?m)^name:.*$", f"name: {clean}", text, count=1), "utf-8")
    return clean
