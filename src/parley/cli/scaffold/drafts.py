"""What a new provider is written as: its file, its test, or a whole package. Fills the templates; writes nothing and asks nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, Literal, TypeAlias, get_args

from msgspec import Struct

import parley.provider
from parley import providers
from parley.cli.scaffold.imports import import_lines
from parley.contract.capabilities import Model
from parley.providers import COMPATIBLE
from parley.transport.http_provider import Dialect

Kind: TypeAlias = Literal["dialect", "wire", "class"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_MODELS = 10
"""More are not curated by anybody; the rest comes from the vendor's own list."""


class Draft(Struct, frozen=True, kw_only=True):
    """What somebody decided about a new provider. `wire` counts for a dialect; `local` is a server on this machine."""

    name: str
    kind: Kind = "dialect"
    label: str
    endpoint: str
    wire: str
    model: str = ""
    models: Sequence[Model] = ()
    needs_key: bool = True
    local: bool = False

    @property
    def module(self) -> str:
        """The name as a Python module has it."""
        return self.name.replace("-", "_")

    @property
    def prefix(self) -> str:
        """What its environment variables begin with."""
        return self.module.upper()

    @property
    def class_name(self) -> str:
        """The name as its classes begin with it."""
        return "".join(word.capitalize() for word in self.name.split("-"))


class Places(Struct, frozen=True, kw_only=True):
    """Where the two files go, how the test comes by the provider's module, and which packages are no strangers to it."""

    provider: Path
    test: Path
    loading: str
    own_imports: dict[str, str] = {}
    own_packages: tuple[str, ...] = ()


def wires() -> dict[str, Any]:
    """The wires that a dialect can speak, by name ("openai-chat"): whatever the author's door offers that is a codec."""
    offered = [getattr(parley.provider, name) for name in parley.provider.__all__]
    codecs: list[Any] = [value for value in offered if _is_codec(value)]
    # A cloud's form of a wire is derived from the wire itself, and has its name.
    return {wire_name(value): value for value in codecs if not any(issubclass(value, other) for other in codecs if other is not value)}


def compatible_dialect() -> Dialect:
    """What any server is declared as that speaks the most common wire."""
    return import_module(f"{providers.__name__}.{COMPATIBLE.replace('-', '_')}").provider


def default_wire() -> str:
    """The wire that a dialect speaks unless somebody says otherwise."""
    return wire_name(compatible_dialect().wire)


def wire_name(wire: Any) -> str:
    """A codec's name as people write it."""
    return wire.name.replace("_", "-")


def _is_codec(kind: Any) -> bool:
    methods = ("encode", "decoder", "decode_error")
    return (
        isinstance(kind, type)
        and isinstance(getattr(kind, "name", None), str)
        and all(callable(getattr(kind, method, None)) for method in methods)
    )


def beside(draft: Draft, directory: Path) -> Places:
    """A folder of provider files, the test next to the provider."""
    provider = directory / f"{draft.module}.py"
    loading = f'module = load_file(Path(__file__).with_name("{provider.name}"))\n'
    return Places(provider=provider, test=directory / f"test_{provider.name}", loading=loading)


def in_checkout(draft: Draft, checkout: Path) -> Places:
    """Parley's own source, whose tests lie apart."""
    return Places(
        provider=checkout / "src" / "parley" / "providers" / f"{draft.module}.py",
        test=checkout / "tests" / "unit" / "providers" / f"test_{draft.module}.py",
        loading="",
        own_imports={"module": f"from parley.providers import {draft.module} as module"},
        own_packages=("parley",),
    )


def in_package(draft: Draft, directory: Path) -> Places:
    """The source and the test of a package in a folder of its own."""
    package = f"parley_{draft.module}"
    return Places(
        provider=directory / "src" / package / "provider.py",
        test=directory / "tests" / f"test_{draft.module}.py",
        loading="",
        own_imports={"module": f"from {package} import provider as module"},
        own_packages=(package,),
    )


def written(draft: Draft, places: Places, *, shown_test: str) -> dict[Path, str]:
    """The provider and its test, by path. `shown_test` is how a person names the test to pytest."""
    values = _values(draft) | {"test_path": shown_test}
    provider = _filled(f"{draft.kind}.py.txt", values, own={}, own_packages=places.own_packages)
    test = _filled(
        f"test_{draft.kind}.py.txt", values, own=places.own_imports, own_packages=places.own_packages, after_imports=places.loading
    )
    return {places.provider: provider, places.test: test}


def written_package(draft: Draft, directory: Path) -> dict[Path, str]:
    """Everything of a package that can be built, installed and published."""
    places = in_package(draft, directory)
    package = places.provider.parent
    major, minor, *_ = parley.__version__.split(".")
    values = _values(draft) | {
        "package": package.name,
        "description_literal": json.dumps(f"{draft.label} for Parley", ensure_ascii=False),
        "parley_version": f"{major}.{minor}",
    }
    return {
        directory / "pyproject.toml": _template("pyproject.toml.txt").substitute(values),
        directory / "README.md": _template("README.md.txt").substitute(values),
        package / "__init__.py": f'"""{draft.label} for Parley."""\n',
        **written(draft, places, shown_test=f"tests/{places.test.name}"),
    }


def _values(draft: Draft) -> dict[str, str]:
    return {
        "name": draft.name,
        "module": draft.module,
        "prefix": draft.prefix,
        "class_name": draft.class_name,
        "label": draft.label,
        "label_literal": _literal(draft.label),
        "date": f"{datetime.now().astimezone():%Y-%m-%d}",
        "wire_name": draft.wire,
        "wire": _wire_expression(draft.wire),
        "fields": "\n".join(f"    {line}" for line in _fields(draft)),
        "declared": "".join(_declared(draft)),
    }


def _wire_expression(wire: str) -> str:
    kind = wires()[wire]
    # What all servers but the inventor's call it.
    options = 'max_tokens_field="max_tokens"' if "max_tokens_field" in getattr(kind, "__struct_fields__", ()) else ""
    return f"{kind.__name__}({options})"


def _fields(draft: Draft) -> list[str]:
    key = """api_key: Annotated[str, Setting("the server's key, if it wants one", secret=True)] = \"\""""
    return [
        *([] if draft.needs_key else [key]),
        *([f"model: str = {_literal(draft.model)}"] if draft.model else []),
        f"endpoint: str = {_literal(draft.endpoint)}",
    ]


def _declared(draft: Draft) -> list[str]:
    """What is declared beside name and label: arguments of a Dialect, or attributes of a class. Each begins with its line break."""
    is_class = draft.kind == "class"
    assign, begin, end, after = (" = ", "(", ")", "") if is_class else ("=", "[", "]", ",")
    models = [f"    {_model(model)}," for model in draft.models]
    if is_class and len(models) == 1:  # as formatters write it
        listed = [f"models = ({models[0].strip()})"]
    else:
        listed = [f"models{assign}{begin}", *models, f"{end}{after}"] if models else []
    local = [f"local{assign}True{after}"] if draft.local else []
    return [f"\n    {line}" for line in (*listed, *local)]


def _model(model: Model) -> str:
    label = f", label={_literal(model.label)}" if model.label else ""
    context = f", context_tokens={model.context_tokens:_}" if model.context_tokens else ""
    return f"Model({_literal(model.id)}{label}{context})"


def _literal(text: str) -> str:
    """The text as Python source."""
    return json.dumps(text, ensure_ascii=False)


def _filled(template: str, values: dict[str, str], *, own: dict[str, str], own_packages: tuple[str, ...], after_imports: str = "") -> str:
    filled = _template(template).substitute(values, imports="# imports")
    imports = import_lines(after_imports + filled, own=own, own_packages=own_packages)
    return filled.replace("# imports", imports + (f"\n\n{after_imports.rstrip()}" if after_imports else ""), 1)


def _template(name: str) -> Template:
    return Template((files("parley.cli.scaffold") / "templates" / name).read_text(encoding="utf-8"))
