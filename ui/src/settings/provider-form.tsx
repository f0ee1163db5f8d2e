// A provider's key and address: saved sealed, then tested at once. The key is never read back.
import { useMutation } from "@tanstack/react-query";
import { ChevronRight, LoaderCircle } from "lucide-react";
import { useState, type FormEvent } from "react";
import { problemOf } from "../api/problem";
import type { Provider, ProviderChanges, TestResult } from "../api/shapes";
import { Field } from "../controls/field";
import { Note } from "../controls/note";
import { sentence } from "../controls/sentence";
import { isReady } from "../data";
import { operations, queries } from "../parley";

interface ProviderFormProps {
  provider: Provider;
  onTested: (success: boolean) => void;
}

function Result({ label, test }: { label: string; test: TestResult }) {
  return test.success ? (
    <Note kind="good">
      {label} answers{test.latencyMs ? `, in ${Math.round(test.latencyMs)} ms` : ""}.
    </Note>
  ) : (
    <Note kind="danger">
      <strong>{label} could not be used.</strong>
      <span>{sentence(test.error ?? "")}</span>
    </Note>
  );
}

function KeyHint({ provider }: { provider: Provider }) {
  return (
    <>
      {isReady(provider) ? "One is set; leave this empty to keep it. " : "It is sealed on this server and never shown again. "}
      {provider.docsUrl ? (
        <a href={provider.docsUrl} target="_blank" rel="noopener noreferrer">
          About {provider.label}
        </a>
      ) : null}
    </>
  );
}

export function ProviderForm({ provider, onTested }: ProviderFormProps) {
  const [apiKey, setApiKey] = useState("");
  const [endpoint, setEndpoint] = useState("");
  const test = useMutation({
    mutationFn: async () => {
      const changes: ProviderChanges = {};
      if (apiKey.trim()) changes.apiKey = apiKey.trim();
      if (endpoint.trim()) changes.endpoint = endpoint.trim();
      if (Object.keys(changes).length > 0) await operations.configureProvider(provider.name, changes);
      return await operations.testProvider(provider.name);
    },
    onSuccess: async ({ success }) => {
      setApiKey("");
      await queries.invalidateQueries({ queryKey: ["providers"] });
      onTested(success);
    },
    onError: () => onTested(false),
  });
  const isTested = test.data?.success === true;
  const problem = test.error ? problemOf(test.error) : null;
  const wrong = (path: string): string | null => problem?.fields?.find((field) => field.path === path)?.message ?? null;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    test.mutate();
  };
  const given = apiKey.trim() !== "" || endpoint.trim() !== "";
  const needsAddress = provider.needsKey === false && !isReady(provider);
  return (
    <form onSubmit={submit} autoComplete="off">
      {provider.needsKey === false ? null : (
        <Field label={`Key for ${provider.label}`} hint={<KeyHint provider={provider} />} wrong={wrong("apiKey")}>
          {(ids) => (
            <input
              {...ids}
              className="input"
              type="password"
              autoComplete="off"
              spellCheck={false}
              placeholder="Paste the key"
              value={apiKey}
              onChange={(event) => setApiKey(event.target.value)}
            />
          )}
        </Field>
      )}
      <details className="fold-out" open={needsAddress || wrong("endpoint") !== null || undefined}>
        <summary>
          <ChevronRight size={16} className="turn" aria-hidden /> {needsAddress ? "Address" : "Another address"}
        </summary>
        <div className="inside">
          <Field label="Endpoint" hint={needsAddress ? provider.reason : "For a server of your own, a proxy or a gateway."} wrong={wrong("endpoint")}>
            {(ids) => (
              <input
                {...ids}
                className="input"
                type="url"
                inputMode="url"
                placeholder="https://"
                value={endpoint}
                onChange={(event) => setEndpoint(event.target.value)}
              />
            )}
          </Field>
        </div>
      </details>
      <div className="actions">
        <button type="submit" className={isTested ? "button" : "button primary"} disabled={test.isPending || (!given && !isReady(provider))}>
          {test.isPending ? <LoaderCircle size={16} className="spinner" aria-hidden /> : null}
          {test.isPending ? "Testing" : given ? "Save and test" : "Test"}
        </button>
      </div>
      {problem && !problem.fields?.length ? <Note kind="danger">{sentence(problem.message)}</Note> : null}
      {test.data && !test.isPending ? <Result label={provider.label} test={test.data} /> : null}
    </form>
  );
}
