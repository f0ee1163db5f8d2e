// API keys: for programs that talk to Parley as if it were a vendor.
import { useMutation, useQuery } from "@tanstack/react-query";
import { Check, Copy, Trash2 } from "lucide-react";
import { useState, type FormEvent } from "react";
import { problemOf } from "../api/problem";
import type { ApiKey } from "../api/shapes";
import { Confirm } from "../controls/confirm";
import { useCopy } from "../controls/copy";
import { Field } from "../controls/field";
import { Note } from "../controls/note";
import { operations, queries } from "../parley";

const SCOPES: readonly { name: string; label: string }[] = [
  { name: "v1", label: "Models under /v1" },
  { name: "chat", label: "Chats" },
  { name: "read", label: "Read only" },
];

function Secret({ value }: { value: string }) {
  const { copied, copy } = useCopy();
  return (
    <div className="secret">
      <code>{value}</code>
      <button type="button" className="button" onClick={() => void copy(value)}>
        {copied ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />} {copied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}

function MadeKey({ secret }: { secret: string }) {
  return (
    <Note kind="good">
      <strong>Copy the key now: it is shown this once.</strong>
      <Secret value={secret} />
      <span>With the official client:</span>
      <pre className="example" tabIndex={0}>{`client = OpenAI(\n    base_url="${location.origin}/v1",\n    api_key="…",\n)`}</pre>
    </Note>
  );
}

function day(time: string): string {
  return new Date(time).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

function about(key: ApiKey): string {
  const facts = [`${key.shownPrefix ?? ""}…`, key.scopes.join(", "), `made ${day(key.createdAt)}`];
  facts.push(key.lastUsedAt ? `last used ${day(key.lastUsedAt)}` : "not used yet");
  if (key.expiresAt) facts.push(`until ${day(key.expiresAt)}`);
  return facts.join(" · ");
}

function NewKey() {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<readonly string[]>(["v1"]);
  const create = useMutation({
    mutationFn: () => operations.createKey(name.trim(), [...scopes]),
    onSuccess: async () => {
      setName("");
      await queries.invalidateQueries({ queryKey: ["keys"] });
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form className="stack" onSubmit={submit}>
      {create.data ? <MadeKey secret={create.data.key} /> : null}
      {create.error ? <Note kind="danger">{problemOf(create.error).message}</Note> : null}
      <Field label="Name of a new key" hint="So that you know later what it was for.">
        {(ids) => (
          <div className="with-button">
            <input {...ids} className="input" required autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
            <button type="submit" className="button primary" disabled={!name.trim() || scopes.length === 0 || create.isPending}>
              Make a key
            </button>
          </div>
        )}
      </Field>
      <fieldset>
        <legend className="visually-hidden">What the key may do</legend>
        <div className="checks">
          {SCOPES.map((scope) => (
            <label key={scope.name} className="check">
              <input
                type="checkbox"
                checked={scopes.includes(scope.name)}
                onChange={(event) =>
                  setScopes(event.target.checked ? [...scopes, scope.name] : scopes.filter((other) => other !== scope.name))
                }
              />
              {scope.label}
            </label>
          ))}
        </div>
      </fieldset>
    </form>
  );
}

export function KeysSection() {
  const keys = useQuery({ queryKey: ["keys"], queryFn: () => operations.keys() });
  const [removing, setRemoving] = useState<ApiKey | null>(null);
  const remove = useMutation({
    mutationFn: (key: ApiKey) => operations.removeKey(key.id),
    onSettled: () => queries.invalidateQueries({ queryKey: ["keys"] }),
  });
  return (
    <div className="stack">
      <p className="hint">
        Programs reach every provider here through <code>{location.origin}/v1</code>, in the shape that the official clients speak.
      </p>
      <NewKey />
      {keys.error ? <Note kind="danger">{problemOf(keys.error).message}</Note> : null}
      {remove.error ? <Note kind="danger">{problemOf(remove.error).message}</Note> : null}
      {keys.data && keys.data.items.length > 0 ? (
        <ul className="rows">
          {keys.data.items.map((key) => (
            <li key={key.id}>
              <span className="about">
                <b>{key.name}</b>
                <span className="hint">{about(key)}</span>
              </span>
              <button type="button" className="icon-button" aria-label={`Delete the key ${key.name}`} onClick={() => setRemoving(key)}>
                <Trash2 size={17} aria-hidden />
              </button>
            </li>
          ))}
        </ul>
      ) : null}
      {removing ? (
        <Confirm
          title={`Delete the key “${removing.name}”?`}
          text="Programs that use it stop working at once. This cannot be undone."
          action="Delete the key"
          onConfirm={() => remove.mutate(removing)}
          onClose={() => setRemoving(null)}
        />
      ) : null}
    </div>
  );
}
