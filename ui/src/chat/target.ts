// Which provider and model a chat talks to. Everything about them is what the server tells.
import type { Model, Preferences, Provider, Providers } from "../api/shapes";
import { isReady, providerNamed } from "../data";

export interface Target {
  provider: string;
  model: string;
}

export interface ShownTarget extends Target {
  label: string;
  providerLabel: string;
  description: string;
  ready: boolean;
  images: boolean;
  prepared: boolean;
}

/** The one provider that answers with prepared text; it is part of Parley. */
const PREPARED = "demo";

/** Whether an answer of this provider is prepared text, without any model. */
export function isPrepared(providers: Providers | undefined, name: string | null | undefined): boolean {
  return name === PREPARED && (providers === undefined || providerNamed(providers, name) !== undefined);
}

export function preparedProvider(providers: Providers): Provider | undefined {
  return providerNamed(providers, PREPARED);
}

export function labelOf(model: Model): string {
  return model.label || model.id;
}

export function shown(provider: Provider, modelId: string): ShownTarget {
  const model = provider.models?.find((other) => other.id === modelId);
  return {
    provider: provider.name,
    model: modelId,
    label: model ? labelOf(model) : [provider.label, modelId].filter(Boolean).join(" · "),
    providerLabel: provider.label,
    description: model?.description || provider.description,
    ready: isReady(provider),
    images: (model?.capabilities?.images ?? provider.capabilities?.images) !== false,
    prepared: provider.name === PREPARED,
  };
}

export function defaultModel(provider: Provider): string {
  return provider.model || provider.models?.[0]?.id || "";
}

/** What the chat has, else what the user prefers, else what the server would take, else the first that was set up and is ready. */
export function chosenTarget(
  providers: Providers | undefined,
  chosen: Partial<Target> | null,
  preferences: Preferences,
): ShownTarget | null {
  if (providers === undefined) return null;
  if (chosen?.provider) {
    const provider = providerNamed(providers, chosen.provider);
    return provider ? shown(provider, chosen.model ?? defaultModel(provider)) : null;
  }
  const preferred = providerNamed(providers, preferences.defaultProvider);
  if (preferred && isReady(preferred)) return shown(preferred, preferences.defaultModel || defaultModel(preferred));
  const fallback = [providers.default, ...providers.available].map((name) => providerNamed(providers, name));
  const provider = fallback.find((other) => other !== undefined && isReady(other));
  return provider ? shown(provider, defaultModel(provider)) : null;
}
