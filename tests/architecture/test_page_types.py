"""The page's types of the API are made from the server's own document (`make docs`), and have not fallen behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from parley.config import load_settings
from parley.server.app import route_table
from parley.server.composition import Services
from parley.server.metrics import Metrics
from parley.server.openapi import openapi_document

TYPES = Path(__file__).parents[2] / "ui" / "src" / "api" / "schema.d.ts"


async def test_the_page_knows_every_shape_and_field_of_the_api(tmp_path: Path) -> None:
    shapes = (await document(tmp_path))["components"]["schemas"]
    written = blocks(TYPES.read_text(encoding="utf-8"))
    missing = [
        f"{name}.{field}"
        for name, shape in shapes.items()
        for field in shape.get("properties", [""])
        if name not in written or (field and not re.search(rf'^\s*"?{re.escape(field)}"?\??:', written[name], re.MULTILINE))
    ]
    assert not missing, f"run `make docs`; {TYPES.name} lacks {', '.join(missing)}"


async def document(directory: Path) -> dict[str, Any]:
    settings = load_settings(environ={}, directory=directory)
    services = await Services.open(settings, None)
    try:
        return openapi_document(route_table(settings, services, metrics=Metrics()), version="1", server_url=settings.url)
    finally:
        await services.aclose()


def blocks(types: str) -> dict[str, str]:
    """Each shape's declaration by its name."""
    shapes = types.partition("\n    schemas: {\n")[2].partition("\n    };\n")[0]
    pieces = re.split(r"^ {8}(\w+): ", shapes, flags=re.MULTILINE)[1:]
    return dict(zip(pieces[::2], pieces[1::2], strict=True))
