// Who is signed in on this browser: the tokens, shared by its tabs. Knows no route and no screen.

export interface Tokens {
  token: string;
  refreshToken: string;
}

/** `expired`: was signed in, and has to prove it again before anything goes on. */
export type Standing = "anonymous" | "signed-in" | "expired";

const KEY = "parley.session";

function parsed(text: string | null): Tokens | null {
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as Partial<Tokens>;
    return typeof value.token === "string" && typeof value.refreshToken === "string"
      ? { token: value.token, refreshToken: value.refreshToken }
      : null;
  } catch {
    return null;
  }
}

export class Credentials {
  #tokens: Tokens | null;
  #standing: Standing;
  readonly #storage: Storage;
  readonly #listeners = new Set<() => void>();

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#tokens = parsed(storage.getItem(KEY));
    this.#standing = this.#tokens ? "signed-in" : "anonymous";
  }

  get tokens(): Tokens | null {
    return this.#tokens;
  }

  get standing(): Standing {
    return this.#standing;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getStanding = (): Standing => this.#standing;

  keep(tokens: Tokens): void {
    this.#tokens = { token: tokens.token, refreshToken: tokens.refreshToken };
    this.#storage.setItem(KEY, JSON.stringify(this.#tokens));
    this.#become("signed-in");
  }

  /** Takes over what another tab stored; true when that is news. */
  reread(): boolean {
    const stored = parsed(this.#storage.getItem(KEY));
    if (stored === null || stored.token === this.#tokens?.token) return false;
    this.#tokens = stored;
    this.#become("signed-in");
    return true;
  }

  expire(): void {
    this.#become("expired");
  }

  clear(): void {
    this.#tokens = null;
    this.#storage.removeItem(KEY);
    this.#become("anonymous");
  }

  /** Resolves once signed in again; rejects on signing out. */
  renewed(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (this.#standing === "expired") return;
        unsubscribe();
        if (this.#standing === "signed-in") resolve();
        else reject(new DOMException("signed out", "AbortError"));
      };
      const unsubscribe = this.subscribe(settle);
      settle();
    });
  }

  #become(standing: Standing): void {
    this.#standing = standing;
    for (const listener of this.#listeners) listener();
  }
}
