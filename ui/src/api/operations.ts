// The routes by name. Knows the addresses and the shapes, nothing of the page.
import type { Client } from "./client";
import type {
  ApiKey,
  FoundSession,
  KeyMade,
  Message,
  Page,
  PreferenceChanges,
  ProviderChanges,
  Providers,
  Registration,
  Session,
  SessionChanges,
  SessionMade,
  SignedIn,
  TestResult,
  User,
} from "./shapes";

const SESSIONS_AT_ONCE = 40;
const MESSAGES_AT_ONCE = 50;

export class Operations {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  register(registration: Registration): Promise<SignedIn> {
    return this.#client.json({ method: "POST", path: "/auth/register", body: registration, anonymous: true });
  }

  login(identifier: string, password: string): Promise<SignedIn> {
    const name = identifier.includes("@") ? { email: identifier } : { username: identifier };
    return this.#client.json({ method: "POST", path: "/auth/login", body: { ...name, password }, anonymous: true });
  }

  logout(refreshToken: string | undefined): Promise<void> {
    return this.#client.json({ method: "POST", path: "/auth/logout", body: { refreshToken }, impatient: true });
  }

  changePassword(currentPassword: string, newPassword: string): Promise<SignedIn> {
    return this.#client.json({ method: "PUT", path: "/auth/password", body: { currentPassword, newPassword } });
  }

  profile(): Promise<User> {
    return this.#client.json({ method: "GET", path: "/auth/profile" });
  }

  savePreferences(changes: PreferenceChanges): Promise<User> {
    return this.#client.json({ method: "PUT", path: "/auth/preferences", body: changes });
  }

  providers(): Promise<Providers> {
    return this.#client.json({ method: "GET", path: "/providers" });
  }

  configureProvider(name: string, changes: ProviderChanges): Promise<unknown> {
    return this.#client.json({ method: "PUT", path: `/admin/providers/${encodeURIComponent(name)}`, body: changes });
  }

  forgetProvider(name: string): Promise<void> {
    return this.#client.json({ method: "DELETE", path: `/admin/providers/${encodeURIComponent(name)}` });
  }

  testProvider(name: string): Promise<TestResult> {
    return this.#client.json({ method: "POST", path: `/providers/${encodeURIComponent(name)}/test` });
  }

  sessions(cursor: string | null, q?: string): Promise<Page<FoundSession>> {
    return this.#client.json({ method: "GET", path: "/chat/sessions", query: { limit: SESSIONS_AT_ONCE, cursor, q } });
  }

  session(id: string): Promise<Session> {
    return this.#client.json({ method: "GET", path: `/chat/sessions/${id}` });
  }

  createSession(settings: SessionChanges): Promise<SessionMade> {
    return this.#client.json({ method: "POST", path: "/chat/session", body: settings });
  }

  updateSession(id: string, changes: SessionChanges): Promise<Session> {
    return this.#client.json({ method: "PATCH", path: `/chat/sessions/${id}`, body: changes });
  }

  deleteSession(id: string): Promise<void> {
    return this.#client.json({ method: "DELETE", path: `/chat/sessions/${id}` });
  }

  messages(sessionId: string, cursor: string | null): Promise<Page<Message>> {
    const query = { limit: MESSAGES_AT_ONCE, cursor };
    return this.#client.json({ method: "GET", path: `/chat/sessions/${sessionId}/messages`, query });
  }

  showBranch(sessionId: string, messageId: string): Promise<Session> {
    return this.#client.json({ method: "PATCH", path: `/chat/sessions/${sessionId}`, body: { shownMessageId: messageId } });
  }

  attach(file: File): Promise<{ id: string }> {
    const body = new FormData();
    body.append("file", file);
    return this.#client.json({ method: "POST", path: "/attachments", body });
  }

  keys(): Promise<Page<ApiKey>> {
    return this.#client.json({ method: "GET", path: "/keys" });
  }

  createKey(name: string, scopes: string[]): Promise<KeyMade> {
    return this.#client.json({ method: "POST", path: "/keys", body: { name, scopes } });
  }

  removeKey(id: string): Promise<void> {
    return this.#client.json({ method: "DELETE", path: `/keys/${id}` });
  }
}
