// The password, and signing out.
import { useMutation } from "@tanstack/react-query";
import { LogOut } from "lucide-react";
import { useState, type FormEvent } from "react";
import { MIN_PASSWORD_CHARACTERS } from "../account/account-form";
import { signOut } from "../account/signed-out";
import { problemOf } from "../api/problem";
import type { User } from "../api/shapes";
import { Field } from "../controls/field";
import { Note } from "../controls/note";
import { sentence } from "../controls/sentence";
import { credentials, operations } from "../parley";

export function SecuritySection({ user }: { user: User }) {
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    mutationFn: () => operations.changePassword(current, next),
    onSuccess: (signedIn) => {
      credentials.keep(signedIn);
      setCurrent("");
      setNext("");
    },
  });
  const problem = change.error ? problemOf(change.error) : null;
  const wrong = (path: string): string => sentence(problem?.fields?.find((field) => field.path === path)?.message ?? "");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <div className="stack">
      <form className="stack" onSubmit={submit}>
        <input type="text" autoComplete="username" value={user.username} readOnly hidden />
        {change.isSuccess ? <Note kind="good">The password is changed. Every other device has been signed out.</Note> : null}
        {problem && !problem.fields?.length ? <Note kind="danger">{sentence(problem.message)}</Note> : null}
        <Field label="Current password" wrong={wrong("currentPassword")}>
          {(ids) => (
            <input
              {...ids}
              className="input"
              type="password"
              autoComplete="current-password"
              required
              value={current}
              onChange={(event) => setCurrent(event.target.value)}
            />
          )}
        </Field>
        <Field
          label="New password"
          hint={`At least ${MIN_PASSWORD_CHARACTERS} characters.`}
          wrong={wrong("newPassword")}
        >
          {(ids) => (
            <input
              {...ids}
              className="input"
              type="password"
              autoComplete="new-password"
              required
              minLength={MIN_PASSWORD_CHARACTERS}
              value={next}
              onChange={(event) => setNext(event.target.value)}
            />
          )}
        </Field>
        <div className="actions">
          <button type="submit" className="button primary" disabled={change.isPending || !current || !next}>
            Change the password
          </button>
        </div>
      </form>
      <hr className="rule" />
      <div className="actions">
        <button type="button" className="button" onClick={() => void signOut()}>
          <LogOut size={16} aria-hidden /> Sign out
        </button>
      </div>
    </div>
  );
}
