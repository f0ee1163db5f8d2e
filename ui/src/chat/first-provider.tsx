// The card that leads from nothing to a first answer: choose, paste the key, test, start.
import { useMutation } from "@tanstack/react-query";
import { ArrowLeft, Check, Sparkles } from "lucide-react";
import { useState } from "react";
import { problemOf } from "../api/problem";
import type { Provider, Providers } from "../api/shapes";
import { Note } from "../controls/note";
import { isReady } from "../data";
import { operations, queries } from "../parley";
import { ProviderForm } from "../settings/provider-form";
import { defaultModel, preparedProvider, type Target } from "./target";

function Steps({ current, keyless }: { current: number; keyless: boolean }) {
  return (
    <ol className="steps">
      {["Choose", keyless ? "Test" : "Key and test", "Start"].map((step, index) => (
        <li key={step} className={index < current ? "past" : undefined} aria-current={index === current ? "step" : undefined}>
          <span aria-hidden>{index < current ? <Check size={13} /> : index + 1}</span> {step}
        </li>
      ))}
    </ol>
  );
}

interface FirstProviderProps {
  providers: Providers;
  /** A provider has been chosen in it. */
  onBegun: () => void;
  onDemo: (() => void) | null;
  onReady: (target: Target) => Promise<void>;
}

/** So many are seen at a glance; among more of them one is looked for by its name. */
const AT_A_GLANCE = 8;

function Choices({ providers, onChoose }: { providers: readonly Provider[]; onChoose: (provider: Provider) => void }) {
  const [text, setText] = useState("");
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = providers.filter((provider) => {
    const searched = `${provider.name} ${provider.label} ${provider.description}`.toLowerCase();
    return words.every((word) => searched.includes(word));
  });
  return (
    <>
      {providers.length > AT_A_GLANCE ? (
        <input
          className="input"
          type="search"
          aria-label="Search providers"
          placeholder={`Search ${providers.length} providers`}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      ) : null}
      <div className="choices">
        {shown.map((provider) => (
          <button key={provider.name} type="button" className="choice" onClick={() => onChoose(provider)}>
            <b>{provider.label}</b>
            <span>{provider.description}</span>
            {provider.local ? <span className="status">On this machine, no key</span> : null}
            {isReady(provider) && !provider.local ? <span className="status">Key is set</span> : null}
          </button>
        ))}
        {shown.length === 0 ? <p className="hint">No provider has this in its name or description.</p> : null}
      </div>
    </>
  );
}

export function FirstProvider({ providers, onBegun, onDemo, onReady }: FirstProviderProps) {
  const [name, setName] = useState<string | null>(null);
  const [tested, setTested] = useState<boolean | null>(null);
  const choose = (chosenName: string): void => {
    setName(chosenName);
    onBegun();
  };
  const leave = async (left: Provider): Promise<void> => {
    setName(null);
    setTested(null);
    if (tested !== false) return;
    // A key that did not work is not left behind, where it would be taken for a working one. There may be nothing to forget.
    await operations.forgetProvider(left.name).catch(() => undefined);
    await queries.invalidateQueries({ queryKey: ["providers"] });
  };
  const prepared = preparedProvider(providers);
  const choices = providers.providers
    .filter((provider) => provider !== prepared)
    .sort((one, other) => Number(other.local ?? false) - Number(one.local ?? false));
  const chosen = choices.find((provider) => provider.name === name);
  const start = useMutation({
    mutationFn: async (provider: Provider) => {
      const model = defaultModel(provider);
      const user = await operations.savePreferences({ defaultProvider: provider.name, defaultModel: model || null });
      await onReady({ provider: provider.name, model });
      queries.setQueryData(["profile"], user);
      await queries.invalidateQueries({ queryKey: ["providers"] });
    },
  });
  return (
    <section className="setup" aria-label="Set up a first provider">
      <header>
        <h2>Connect a model</h2>
        <p>Parley talks to the providers you choose. Keys stay on this server, sealed, and are never shown again.</p>
      </header>
      <Steps current={chosen === undefined ? 0 : tested ? 2 : 1} keyless={chosen?.needsKey === false} />
      {chosen === undefined ? (
        <>
          <Choices providers={choices} onChoose={(provider) => choose(provider.name)} />
          {onDemo ? (
            <div className="actions">
              <span className="hint">No key at hand?</span>
              <button type="button" className="button" onClick={onDemo}>
                <Sparkles size={16} aria-hidden /> Try the built-in demo
              </button>
            </div>
          ) : null}
        </>
      ) : (
        <>
          <div className="chosen">
            <b>{chosen.label}</b>
            <span>{chosen.description}</span>
          </div>
          <ProviderForm key={chosen.name} provider={chosen} onTested={setTested} />
          {start.error ? <Note kind="danger">{problemOf(start.error).message}</Note> : null}
          <div className="actions">
            <button type="button" className="button quiet" onClick={() => void leave(chosen)}>
              <ArrowLeft size={16} aria-hidden /> Back
            </button>
            <button type="button" className="button primary" disabled={!tested || start.isPending} onClick={() => start.mutate(chosen)}>
              Start chatting
            </button>
          </div>
        </>
      )}
    </section>
  );
}
