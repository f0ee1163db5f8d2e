// The fields of signing in and of making an account. Knows not where it stands.
import { useMutation } from "@tanstack/react-query";
import { LoaderCircle } from "lucide-react";
import { useState, type FormEvent } from "react";
import { ApiError, problemOf, type Problem } from "../api/problem";
import type { Registration, SignedIn } from "../api/shapes";
import { Field } from "../controls/field";
import { Note } from "../controls/note";
import { sentence } from "../controls/sentence";
import { operations } from "../parley";

export const MIN_PASSWORD_CHARACTERS = 8;

/** The message of the field that the server found wrong. */
function wrongIn(problem: Problem | null, path: string): string | null {
  return sentence(problem?.fields?.find((field) => field.path === path)?.message ?? "") || null;
}

interface FormProps {
  onSignedIn: (signedIn: SignedIn) => void;
}

function SubmitButton({ busy, label }: { busy: boolean; label: string }) {
  return (
    <button type="submit" className="button primary wide" disabled={busy}>
      {busy ? <LoaderCircle size={16} className="spinner" aria-hidden /> : null}
      {label}
    </button>
  );
}

function FormProblem({ problem, named }: { problem: Problem | null; named: readonly string[] }) {
  if (problem === null || problem.fields?.every((field) => named.includes(field.path))) return null;
  return <Note kind="danger">{sentence(problem.message)}</Note>;
}

export function SignInForm({ onSignedIn, identifier: known }: FormProps & { identifier?: string | undefined }) {
  const [identifier, setIdentifier] = useState(known ?? "");
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: () => operations.login(identifier.trim(), password),
    onSuccess: onSignedIn,
  });
  const refused = login.error instanceof ApiError && login.error.status === 401;
  const problem = refused ? null : login.error && problemOf(login.error);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    login.mutate();
  };
  return (
    <form onSubmit={submit}>
      {refused ? <Note kind="danger">The name or the password is not right.</Note> : null}
      <FormProblem problem={problem} named={[]} />
      <Field label="User name or e-mail">
        {(ids) => (
          <input
            {...ids}
            className="input"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            autoFocus={!known}
            value={identifier}
            onChange={(event) => setIdentifier(event.target.value)}
          />
        )}
      </Field>
      <Field label="Password">
        {(ids) => (
          <input
            {...ids}
            className="input"
            type="password"
            autoComplete="current-password"
            required
            data-first={known ? "" : undefined}
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
      </Field>
      <SubmitButton busy={login.isPending} label="Sign in" />
    </form>
  );
}

export type CodeKind = "setup" | "invite";

const CODES = {
  setup: { label: "Set-up code", hint: "The server printed it when it started, as the end of a link." },
  invite: { label: "Invitation code", hint: "From whoever runs this server." },
};

interface RegisterFormProps extends FormProps {
  codeKind: CodeKind;
  code: string;
  label: string;
}

export function RegisterForm({ onSignedIn, codeKind, code: given, label }: RegisterFormProps) {
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState(given);
  const register = useMutation({
    mutationFn: () => {
      const registration: Registration = { username: username.trim(), email: email.trim(), password };
      if (code && codeKind === "setup") registration.setupCode = code.trim();
      if (code && codeKind === "invite") registration.inviteCode = code.trim();
      return operations.register(registration);
    },
    onSuccess: onSignedIn,
  });
  const problem = register.error && problemOf(register.error);
  // Whether a code is asked for is the server's matter: the field comes when it says so.
  const needsCode = !given && (code !== "" || (register.error instanceof ApiError && register.error.status === 403));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    register.mutate();
  };
  return (
    <form onSubmit={submit}>
      <FormProblem problem={problem} named={["username", "email", "password"]} />
      <Field label="User name" wrong={wrongIn(problem, "username")}>
        {(ids) => (
          <input
            {...ids}
            className="input"
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            autoFocus
            value={username}
            onChange={(event) => setUsername(event.target.value)}
          />
        )}
      </Field>
      <Field label="E-mail" wrong={wrongIn(problem, "email")}>
        {(ids) => (
          <input
            {...ids}
            className="input"
            type="email"
            autoComplete="email"
            required
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        )}
      </Field>
      <Field label="Password" hint={`At least ${MIN_PASSWORD_CHARACTERS} characters.`} wrong={wrongIn(problem, "password")}>
        {(ids) => (
          <input
            {...ids}
            className="input"
            type="password"
            autoComplete="new-password"
            required
            minLength={MIN_PASSWORD_CHARACTERS}
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
      </Field>
      {needsCode ? (
        <Field label={CODES[codeKind].label} hint={CODES[codeKind].hint}>
          {(ids) => (
            <input
              {...ids}
              className="input"
              autoComplete="off"
              spellCheck={false}
              required
              value={code}
              onChange={(event) => setCode(event.target.value)}
            />
          )}
        </Field>
      ) : null}
      <SubmitButton busy={register.isPending} label={label} />
    </form>
  );
}
