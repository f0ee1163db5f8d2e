// What every new chat begins with.
import { useMutation } from "@tanstack/react-query";
import { problemOf } from "../api/problem";
import type { PreferenceChanges, User } from "../api/shapes";
import { Note } from "../controls/note";
import { chosenTarget } from "../chat/target";
import { providerNamed, useProviders } from "../data";
import { operations, queries } from "../parley";
import { OptionField } from "./option-field";
import { SavedText } from "./saved-text";
import { TargetFields } from "./target-fields";

const TEMPERATURE = { type: "number", minimum: 0, maximum: 2, description: "Low is predictable, high is varied" };

export function DefaultsSection({ user }: { user: User }) {
  const providers = useProviders();
  const saving = useMutation({
    mutationFn: (changes: PreferenceChanges) => operations.savePreferences(changes),
    onSuccess: (profile) => queries.setQueryData(["profile"], profile),
  });
  if (!providers.data) return <p className="hint">Loading …</p>;
  const { preferences } = user;
  const target = chosenTarget(providers.data, null, preferences);
  const temperature = providerNamed(providers.data, target?.provider)?.optionsSchema?.properties?.temperature ?? TEMPERATURE;
  return (
    <div className="stack">
      {saving.error ? <Note kind="danger">{problemOf(saving.error).message}</Note> : null}
      <TargetFields
        providers={providers.data}
        target={target}
        onChange={({ provider, model }) => saving.mutate({ defaultProvider: provider, defaultModel: model || null })}
      />
      <SavedText
        label="System prompt"
        hint="New chats begin with it; each chat can change its own."
        value={preferences.systemPrompt ?? ""}
        onSave={(text) => saving.mutate({ systemPrompt: text || null })}
      />
      <OptionField
        label="Temperature"
        schema={temperature}
        value={preferences.defaultTemperature}
        onChange={(value) => saving.mutate({ defaultTemperature: value as number | null })}
      />
    </div>
  );
}
