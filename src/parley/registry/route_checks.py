"""What is wrong with routes, each problem with the field it is in; and which of two of one name counts. Makes no provider, asks none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from math import isfinite

from parley.contract.errors import FieldProblem
from parley.guard.suggestions import did_you_mean
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME, ConfigurationFile, Route, RouteTarget


def route_problems(file: ConfigurationFile, providers: Collection[str]) -> Iterator[FieldProblem]:
    """Everything that is wrong with the routes of the operator's file."""
    routes = {route.name for route in file.routes}
    seen: set[str] = set()
    file_name = file.path.name if file.path else ""
    for index, route in enumerate(file.routes):
        path = f"{file_name}: routes[{index}] ({route.name})."
        if route.name in seen:
            yield FieldProblem(path=f"{path}name", message=f'"{route.name}" is given twice; every name is unique')
        seen.add(route.name)
        yield from problems_of(route, providers, routes=routes, path=path)


def problems_of(route: Route, providers: Collection[str], *, routes: Collection[str], path: str = "") -> Iterator[FieldProblem]:
    """A route has a name of its own and leads to models of providers: one that led to one of `routes` might lead to itself.

    `path` stands before each field.
    """
    for message in _name_problems(route, providers):
        yield FieldProblem(path=f"{path}name", message=message)
    if not route.targets:
        yield FieldProblem(path=f"{path}targets", message='is empty; give at least one {model = "provider/model"}')
    asked: set[str] = set()
    for place, target in enumerate(route.targets):
        if message := _target_problem(target, providers, routes) or ("is given twice" if target.model in asked else ""):
            yield FieldProblem(path=f"{path}targets[{place}].model", message=message)
        if not (isfinite(target.weight) and target.weight > 0):
            yield FieldProblem(path=f"{path}targets[{place}].weight", message="must be a number above 0")
        asked.add(target.model)


def routes_over(routes: Sequence[Route], others: Sequence[Route]) -> list[Route]:
    """The others in the place of those of the same name, then those that are new."""
    given = {route.name: route for route in others}
    names = {route.name for route in routes}
    return [*(given.get(route.name, route) for route in routes), *(route for route in others if route.name not in names)]


def _name_problems(route: Route, providers: Collection[str]) -> Iterator[str]:
    if not PROVIDER_NAME.fullmatch(route.name):
        yield NAME_RULE
    if route.name in providers:
        yield f'"{route.name}" is the name of a provider; choose another'


def _target_problem(target: RouteTarget, providers: Collection[str], routes: Collection[str]) -> str:
    provider, separator, model = target.model.partition("/")
    if provider in routes and provider not in providers:
        return f'"{provider}" is a route, and a route leads to models of providers; name its targets here'
    if not separator or not model:
        return f'"{target.model}" is not provider/model, for example "acme/acme-fast"'
    if provider not in providers:
        return f'"{provider}" is no known provider.{did_you_mean(provider, providers)}'
    return ""
