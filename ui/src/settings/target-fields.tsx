// Provider, then model: names, descriptions and reasons are the server's.
import type { Providers } from "../api/shapes";
import { Field } from "../controls/field";
import { defaultModel, labelOf, type Target } from "../chat/target";
import { askable, isReady, providerNamed } from "../data";

interface TargetFieldsProps {
  providers: Providers;
  target: Target | null;
  onChange: (target: Target) => void;
}

export function TargetFields({ providers, target, onChange }: TargetFieldsProps) {
  const provider = providerNamed(providers, target?.provider);
  const models = provider?.models ?? [];
  const model = models.find((other) => other.id === target?.model);
  const unlisted = target?.model && !model ? target.model : null;
  return (
    <>
      <Field
        label="Provider"
        hint={provider?.description}
        wrong={provider && !isReady(provider) ? (provider.reason ?? null) : target && !provider ? "This provider is no longer there." : null}
      >
        {(ids) => (
          <select
            {...ids}
            className="input"
            value={provider?.name ?? ""}
            onChange={(event) => {
              const chosen = providerNamed(providers, event.target.value);
              if (chosen) onChange({ provider: chosen.name, model: defaultModel(chosen) });
            }}
          >
            {provider ? null : <option value="">Choose a provider</option>}
            {askable(providers).map((other) => (
              <option key={other.name} value={other.name} disabled={!isReady(other)} title={other.reason ?? other.description}>
                {isReady(other) ? other.label : `${other.label} (not set up)`}
              </option>
            ))}
          </select>
        )}
      </Field>
      {provider ? (
        <Field label="Model" hint={model?.description}>
          {(ids) => (
            <select
              {...ids}
              className="input"
              value={target?.model ?? ""}
              onChange={(event) => onChange({ provider: provider.name, model: event.target.value })}
            >
              {models.length === 0 && !unlisted ? <option value="">The provider’s own choice</option> : null}
              {unlisted ? <option value={unlisted}>{unlisted}</option> : null}
              {models.map((other) => (
                <option key={other.id} value={other.id}>
                  {labelOf(other)}
                </option>
              ))}
            </select>
          )}
        </Field>
      ) : null}
    </>
  );
}
