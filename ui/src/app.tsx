// Which screen: the way in, or the page itself.
import { LoaderCircle } from "lucide-react";
import { useEffect } from "react";
import { Redirect, Route, Switch } from "wouter";
import { Gate } from "./account/gate";
import { SignInAgain } from "./account/signed-out";
import { Brand } from "./controls/brand";
import { ProblemNote } from "./controls/problem-note";
import { problemOf } from "./api/problem";
import { useProfile, useStanding } from "./data";
import { credentials } from "./parley";
import { Frame } from "./frame";

/** Takes over a token that another tab renewed, and its signing out. */
function useOtherTabs(): void {
  useEffect(() => {
    const listen = (event: StorageEvent): void => {
      if (event.key !== "parley.session") return;
      if (event.newValue === null) credentials.clear();
      else credentials.reread();
    };
    addEventListener("storage", listen);
    return () => removeEventListener("storage", listen);
  }, []);
}

function Inside() {
  const profile = useProfile();
  if (profile.data) return <Frame user={profile.data} />;
  if (profile.error) {
    return (
      <main className="gate">
        <div className="gate-box">
          <Brand />
          <ProblemNote problem={problemOf(profile.error)} onRetry={() => void profile.refetch()} />
        </div>
      </main>
    );
  }
  return (
    <main className="loading" aria-label="Loading">
      <LoaderCircle className="spinner" aria-hidden />
    </main>
  );
}

export function App() {
  useOtherTabs();
  const standing = useStanding();
  if (standing === "anonymous") {
    return (
      <Switch>
        <Route path="/setup">
          <Gate key="set-up" screen="set-up" />
        </Route>
        <Route path="/register">
          <Gate key="register" screen="register" />
        </Route>
        <Route>
          <Gate key="sign-in" screen="sign-in" />
        </Route>
      </Switch>
    );
  }
  return (
    <>
      <Switch>
        <Route path="/setup">
          <Redirect to="/" replace />
        </Route>
        <Route path="/register">
          <Redirect to="/" replace />
        </Route>
        <Route>
          <Inside />
        </Route>
      </Switch>
      {standing === "expired" ? <SignInAgain /> : null}
    </>
  );
}
