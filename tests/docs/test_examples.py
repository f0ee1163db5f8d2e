"""Every Python example in the README and the guides runs as it stands, offline."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytest_examples import CodeExample, find_examples

ROOT = Path(__file__).parents[2]
PAGES = [str(ROOT / "README.md"), str(ROOT / "docs" / "guides")]
# These speak to a server; test_served_guides runs them against one.
SERVED = {"first-answer.md", "point-your-client-at-parley.md"}


@pytest.mark.parametrize("example", list(find_examples(*PAGES)), ids=str)
def test_example_runs(example: CodeExample, tmp_path: Path) -> None:
    if not example.prefix.startswith("py") or example.path.name in SERVED:
        return
    program = tmp_path / "example.py"
    program.write_text(example.source)
    (tmp_path / "data").mkdir()  # as it is where a server ran
    done = subprocess.run([sys.executable, str(program)], check=False, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


def test_the_example_provider_of_the_readme_is_found_as_a_file(tmp_path: Path) -> None:
    (acme,) = [example for example in find_examples(PAGES[0]) if "AcmeConfig" in example.source]
    plugins = tmp_path / "parley_providers"
    plugins.mkdir()
    (plugins / "acme.py").write_text(acme.source)
    command = [str(Path(sys.executable).with_name("parley")), "providers", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert "Fast European models" in done.stdout
