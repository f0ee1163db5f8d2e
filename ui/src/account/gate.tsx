// What stands before the page: set-up, sign-in, registration.
import { useState } from "react";
import { Link, useLocation } from "wouter";
import type { SignedIn } from "../api/shapes";
import { Brand } from "../controls/brand";
import { credentials, queries } from "../parley";
import { RegisterForm, SignInForm } from "./account-form";

type Screen = "set-up" | "sign-in" | "register";

const WORDS: Record<Screen, { title: string; text: string }> = {
  "set-up": { title: "Set up Parley", text: "Make the first account. It is the administrator: it adds providers and their keys." },
  "sign-in": { title: "Sign in", text: "Welcome back." },
  register: { title: "Create an account", text: "For this server only." },
};

/** The code in the link that the server printed; it stands after the #, so that it is in no log. */
function codeInAddress(): string {
  return decodeURIComponent(location.hash.replace(/^#/, ""));
}

export function Gate({ screen }: { screen: Screen }) {
  const [, navigate] = useLocation();
  const [code] = useState(codeInAddress);
  const enter = (signedIn: SignedIn): void => {
    queries.clear();
    queries.setQueryData(["profile"], signedIn.user);
    credentials.keep(signedIn);
    if (screen !== "sign-in") navigate("/", { replace: true });
  };
  return (
    <main className="gate">
      <div className="gate-box">
        <header>
          <Brand />
          <h1>{WORDS[screen].title}</h1>
          <p>{WORDS[screen].text}</p>
        </header>
        {screen === "sign-in" ? (
          <SignInForm onSignedIn={enter} />
        ) : (
          <RegisterForm
            onSignedIn={enter}
            codeKind={screen === "set-up" ? "setup" : "invite"}
            code={screen === "set-up" ? code : ""}
            label={screen === "set-up" ? "Create the administrator" : "Create account"}
          />
        )}
        <p className="gate-foot">
          {screen === "sign-in" ? (
            <>
              No account yet? <Link href="/register">Create one</Link>
            </>
          ) : (
            <>
              Have an account? <Link href="/">Sign in</Link>
            </>
          )}
        </p>
      </div>
    </main>
  );
}
