"""Anti-patterns in the project's own Python, found by its syntax tree: nothing is imported or run."""

from __future__ import annotations

import ast

from floe_dev.validate.files import own_files
from floe_dev.validate.python_rules import RULES
from floe_dev.validate.python_source import Source
from floe_dev.validate.result import Findings, Subject, failed, ok


def check(name: str, subject: Subject) -> Findings:
    """One finding for each anti-pattern, named `python:<rule>`, at its line."""
    count, wrong = 0, 0
    for file in own_files(subject.root, ".py"):
        place = subject.relative(file)
        try:
            source = Source(ast.parse(file.read_bytes(), place))
        except (SyntaxError, ValueError) as error:
            wrong += 1
            line = error.lineno if isinstance(error, SyntaxError) else None
            yield failed(name, f"it does not parse: {error}", "mend the syntax", place, line)
            continue
        count += 1
        in_tests = "tests" in file.relative_to(subject.root).parts[:-1]
        for rule in RULES:
            if in_tests and not rule.in_tests:
                continue
            for node, what in rule.find(source):
                wrong += 1
                yield failed(f"{name}:{rule.name}", what, rule.fix, place, getattr(node, "lineno", None))
    if not wrong:
        yield ok(name, f"{count} Python files have none of the anti-patterns: {', '.join(rule.name for rule in RULES)}")
