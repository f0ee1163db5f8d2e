// Signing out; and signing in again over the page, which stays as it is, when the session has expired.
import type { SignedIn, User } from "../api/shapes";
import { Modal } from "../controls/modal";
import { settleToasts } from "../controls/toasts";
import { credentials, operations, queries } from "../parley";
import { SignInForm } from "./account-form";

function known(): User | undefined {
  return queries.getQueryData<User>(["profile"]);
}

export function signOutHere(): void {
  credentials.clear();
  queries.clear();
}

/** Ends the sign-in on the server as far as it can be reached, and here in any case. */
export async function signOut(): Promise<void> {
  await settleToasts();
  await operations.logout(credentials.tokens?.refreshToken).catch(() => undefined);
  signOutHere();
}

function enter(signedIn: SignedIn): void {
  const before = known();
  credentials.keep(signedIn);
  // Another person's page must not stay on the screen.
  if (before !== undefined && before.id !== signedIn.user.id) location.assign("/");
}

export function SignInAgain() {
  return (
    <Modal className="box" label="Sign in again" closable={false} onClose={() => undefined}>
      <div>
        <h2>Sign in again</h2>
        <p>Your session has ended. What you wrote is kept, and goes on from here.</p>
      </div>
      <SignInForm onSignedIn={enter} identifier={known()?.username} />
      <button type="button" className="link-button" onClick={signOutHere}>
        Sign out instead
      </button>
    </Modal>
  );
}
