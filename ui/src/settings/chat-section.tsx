// The settings of one chat: who answers, how it is asked. All of it from what the server tells of the provider.
import { useMutation } from "@tanstack/react-query";
import { ChevronRight } from "lucide-react";
import { useState } from "react";
import { problemOf } from "../api/problem";
import type { OptionSchema, Provider, SessionChanges, User } from "../api/shapes";
import { Note } from "../controls/note";
import { toast } from "../controls/toasts";
import { takeTarget, useNewTarget } from "../chat/new-target";
import { chosenTarget, type Target } from "../chat/target";
import { providerNamed, useProviders, useSession } from "../data";
import { operations, queries } from "../parley";
import { OptionField } from "./option-field";
import { SavedText } from "./saved-text";
import { TargetFields } from "./target-fields";

// Shown for every provider: where one does not take it, the reason stands in its place.
const ALWAYS: Record<string, OptionSchema> = {
  temperature: { type: "number", minimum: 0, maximum: 2, title: "Temperature" },
  maxTokens: { type: "integer", minimum: 1, title: "Longest answer" },
};

function useSaving(sessionId: string) {
  return useMutation({
    mutationFn: (changes: SessionChanges) => operations.updateSession(sessionId, changes),
    onSuccess: (session) => {
      queries.setQueryData(["session", sessionId], session);
      void queries.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
}

function limitOf(provider: Provider, model: string): string {
  const tokens = provider.models?.find((other) => other.id === model)?.contextTokens;
  return tokens ? ` The model holds ${tokens.toLocaleString("en")} tokens in all.` : "";
}

interface OptionsProps {
  provider: Provider;
  model: string;
  settings: Record<string, unknown>;
  onSave: (changes: Record<string, unknown>) => void;
}

function ProviderOptions({ provider, model, settings, onSave }: OptionsProps) {
  const { extra, ...offered } = provider.optionsSchema?.properties ?? {};
  const capabilities: Record<string, unknown> = provider.models?.find((other) => other.id === model)?.capabilities ?? {};
  const all: Record<string, OptionSchema> = { ...ALWAYS, ...offered };
  const own = (settings.extra ?? {}) as Record<string, unknown>;
  const unavailable = (name: string): string | null => {
    if (!(name in offered)) return `${provider.label} does not take this.`;
    return capabilities[name] === false ? `${model} does not take this.` : null;
  };
  const first = Object.keys(ALWAYS);
  const rest = Object.keys(all).filter((name) => !first.includes(name));
  const field = (name: string) => {
    const schema = all[name] ?? {};
    const about = name === "maxTokens" ? { ...schema, description: `${schema.description ?? "in tokens"}.${limitOf(provider, model)}` } : schema;
    return (
      <OptionField
        key={`${provider.name}/${name}`}
        label={schema.title ?? name}
        schema={about}
        value={settings[name]}
        unavailable={unavailable(name)}
        onChange={(value) => onSave({ [name]: value })}
      />
    );
  };
  return (
    <>
      {first.map(field)}
      {rest.length > 0 ? (
        <details className="fold-out">
          <summary>
            <ChevronRight size={16} className="turn" aria-hidden /> More options
          </summary>
          <div className="inside stack">{rest.map(field)}</div>
        </details>
      ) : null}
      {extra?.properties ? (
        <details className="fold-out" open>
          <summary>
            <ChevronRight size={16} className="turn" aria-hidden /> Options of {provider.label}
          </summary>
          <div className="inside stack">
            {Object.entries(extra.properties).map(([name, schema]) => (
              <OptionField
                key={`${provider.name}/extra/${name}`}
                label={schema.title ?? name}
                schema={schema}
                value={own[name]}
                onChange={(value) => {
                  const kept = Object.fromEntries(Object.entries({ ...own, [name]: value }).filter(([, other]) => other !== null));
                  onSave({ extra: kept });
                }}
              />
            ))}
          </div>
        </details>
      ) : null}
    </>
  );
}

function SessionSettings({ sessionId, user }: { sessionId: string; user: User }) {
  const session = useSession(sessionId);
  const providers = useProviders();
  const saving = useSaving(sessionId);
  const [resets, setResets] = useState(0);
  if (!session.data || !providers.data) {
    const failed = session.error ?? providers.error;
    return failed ? <Note kind="danger">{problemOf(failed).message}</Note> : <p className="hint">Loading …</p>;
  }
  const { provider: name, model, systemPrompt, settings } = session.data;
  const provider = providerNamed(providers.data, name);
  const save = (changes: SessionChanges): void => saving.mutate(changes);
  const reset = (): void => {
    const empty = Object.fromEntries(Object.keys(settings).map((key) => [key, key === "extra" ? {} : null]));
    const before: SessionChanges = { systemPrompt: systemPrompt ?? null, ...settings };
    const { systemPrompt: preferred, defaultTemperature } = user.preferences;
    save({ ...empty, systemPrompt: preferred ?? null, temperature: defaultTemperature ?? null });
    setResets(resets + 1);
    toast("Set back to your defaults", { undo: () => save(before) });
  };
  return (
    <div className="stack" key={resets}>
      {saving.error ? <Note kind="danger">{problemOf(saving.error).message}</Note> : null}
      <TargetFields providers={providers.data} target={{ provider: name, model }} onChange={(target) => save({ ...target })} />
      <SavedText
        label="System prompt"
        hint="What the model is told before the conversation."
        value={systemPrompt ?? ""}
        onSave={(text) => save({ systemPrompt: text || null })}
      />
      {provider ? <ProviderOptions provider={provider} model={model} settings={settings} onSave={save} /> : null}
      <div className="actions">
        <button type="button" className="button" onClick={reset}>
          Reset to my defaults
        </button>
      </div>
    </div>
  );
}

function NewChatSettings({ user }: { user: User }) {
  const providers = useProviders();
  const target = chosenTarget(providers.data, useNewTarget(), user.preferences);
  if (!providers.data) return <p className="hint">Loading …</p>;
  const take = (changes: Target): void => takeTarget(changes);
  return (
    <div className="stack">
      <TargetFields providers={providers.data} target={target} onChange={take} />
      <p className="hint">The other settings of a chat can be changed once it has begun. What every new chat begins with is under “My defaults”.</p>
    </div>
  );
}

export function ChatSection({ sessionId, user }: { sessionId: string | null; user: User }) {
  return sessionId === null ? <NewChatSettings user={user} /> : <SessionSettings sessionId={sessionId} user={user} />;
}
