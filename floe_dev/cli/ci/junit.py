"""The JUnit report of a job, which every provider shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from floe_dev.cli.ci.job import Case

#: What XML 1.0 does not allow in text, such as the escapes that colour a terminal.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_report(file: Path, project: str, cases: Sequence[Case]) -> None:
    """Write the report; raises OSError."""
    failures = sum(case.failure is not None for case in cases)
    suite = ET.Element(
        "testsuite",
        name="floe",
        tests=str(len(cases)),
        failures=str(failures),
        errors="0",
        skipped="0",
        time=f"{sum(case.seconds for case in cases):.3f}",
    )
    for case in cases:
        element = ET.SubElement(
            suite, "testcase", classname=f"floe.{project}", name=_clean(case.name), time=f"{case.seconds:.3f}"
        )
        if case.failure is not None:
            text = _clean(case.failure)
            failure = ET.SubElement(element, "failure", message=text.splitlines()[0][:300] if text else "")
            failure.text = text
    document = ET.Element("testsuites")
    document.append(suite)
    file.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(document).write(file, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)
