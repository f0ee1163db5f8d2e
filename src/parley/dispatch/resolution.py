"""Which provider and which of its models a name means. Sends nothing and makes no provider."""

from __future__ import annotations

from parley.contract.errors import CallerError, FieldProblem, UnknownModelError, UnknownProviderError, UnsupportedFeatureError
from parley.guard.suggestions import did_you_mean
from parley.registry.configuration_file import Route
from parley.registry.loading import Registry


def resolve_model(registry: Registry, model: str) -> tuple[str, str]:
    """The provider's name and its model ("" where the provider has none set).

    A route's name is that route, which has no model. Else the name is split at its first "/" where the left side is a provider
    (which may stand alone for its own default). Else it is a model id: the first provider that lists it, in the order of
    `Registry.names`, those that are configured before the others. Empty means the default. Raises UnknownProviderError or
    UnknownModelError.
    """
    model = model or registry.default
    if route_named(registry, model) is not None:
        return model, ""
    names = registry.names()
    left, separator, right = model.partition("/")
    if left in names:
        if separator and not right:
            raise _unknown_model(model, f'"{model}" names a provider and no model; write {left} or {left}/<model>.')
        return left, right or registry.default_model(left)
    offering = [name for name in names if any(listed.id == model for listed in registry.models(name))]
    if offering:
        return next((name for name in offering if registry.is_configured(name)), offering[0]), model
    if separator and route_named(registry, left) is not None:
        raise _unknown_model(model, f'"{left}" is a route, which has its own models: ask for "{left}" alone.')
    if separator and (hint := did_you_mean(left, names)):
        problem = f'no provider is called "{left}".{hint}'
        raise UnknownProviderError(problem, provider=left, model=model, fields=[FieldProblem(path="model", message=problem)])
    known = [*names, *(route.name for route in registry.routes), *(listed.id for name in names for listed in registry.models(name))]
    hint = did_you_mean(model, known)
    raise _unknown_model(
        model,
        f'"{model}" is neither a route, nor provider/model, nor a model that a provider lists.{hint}'
        " A model that no list knows is written with its provider before it: provider/model.",
    )


def resolve_embedding_model(registry: Registry, model: str) -> tuple[str, str]:
    """The same for embeddings: a provider alone means the first model that it declares for them ("" where it declares none), and a
    bare id is also looked for among those.
    """
    asked = model or registry.default
    names = registry.names()
    if asked in names:
        return asked, ""
    if not model and route_named(registry, asked) is None:
        return resolve_model(registry, asked)[0], ""
    if route_named(registry, asked) is not None:
        raise UnsupportedFeatureError(f'"{asked}" is a route; routes answer chats. Name a provider for embeddings', model=asked)
    if model.partition("/")[0] in names:
        return resolve_model(registry, model)
    offering = [name for name in names if any(listed.id == model for listed in registry.embedding_models(name))]
    if offering:
        return next((name for name in offering if registry.is_configured(name)), offering[0]), model
    return resolve_model(registry, model)


def default_problem(registry: Registry) -> FieldProblem | None:
    """Why the default that the operator chose means nothing; None where it means something, or none was chosen."""
    chosen = registry.chosen_default
    if chosen is None:
        return None
    try:
        resolve_model(registry, chosen.value)
    except CallerError as error:
        return FieldProblem(path=chosen.variable, message=error.message)
    return None


def route_named(registry: Registry, name: str) -> Route | None:
    """The operator's route of this name."""
    return next((route for route in registry.routes if route.name == name), None)


def _unknown_model(model: str, message: str) -> UnknownModelError:
    return UnknownModelError(message, model=model, fields=[FieldProblem(path="model", message=message)])
