"""What is wrong with the operator's routes, each problem with the field it is in. Makes no provider and asks none for its models."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import isfinite

from parley.contract.errors import FieldProblem
from parley.guard.suggestions import did_you_mean
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME, ConfigurationFile, Route, RouteTarget


def route_problems(file: ConfigurationFile, providers: Collection[str]) -> Iterator[FieldProblem]:
    """Routes have names of their own and lead to models of providers: a route that led to a route might lead to itself."""
    routes = {route.name for route in file.routes}
    seen: set[str] = set()
    file_name = file.path.name if file.path else ""
    for index, route in enumerate(file.routes):
        path = f"{file_name}: routes[{index}] ({route.name})"
        yield from (FieldProblem(path=f"{path}.name", message=message) for message in _name_problems(route, providers, seen))
        seen.add(route.name)
        if not route.targets:
            yield FieldProblem(path=f"{path}.targets", message='is empty; give at least one {model = "provider/model"}')
        asked: set[str] = set()
        for place, target in enumerate(route.targets):
            if message := _target_problem(target, providers, routes) or ("is given twice" if target.model in asked else ""):
                yield FieldProblem(path=f"{path}.targets[{place}].model", message=message)
            if not (isfinite(target.weight) and target.weight > 0):
                yield FieldProblem(path=f"{path}.targets[{place}].weight", message="must be a number above 0")
            asked.add(target.model)


def _name_problems(route: Route, providers: Collection[str], seen: Collection[str]) -> Iterator[str]:
    if not PROVIDER_NAME.fullmatch(route.name):
        yield NAME_RULE
    if route.name in providers:
        yield f'"{route.name}" is the name of a provider; choose another'
    if route.name in seen:
        yield f'"{route.name}" is given twice; every name is unique'


def _target_problem(target: RouteTarget, providers: Collection[str], routes: Collection[str]) -> str:
    provider, separator, model = target.model.partition("/")
    if provider in routes and provider not in providers:
        return f'"{provider}" is a route, and a route leads to models of providers; name its targets here'
    if not separator or not model:
        return f'"{target.model}" is not provider/model, for example "acme/acme-fast"'
    if provider not in providers:
        return f'"{provider}" is no known provider.{did_you_mean(provider, providers)}'
    return ""
