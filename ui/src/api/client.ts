// One way to the server: adds the token, renews it once, waits for a new sign-in, turns every failure into an ApiError. Knows no route's shape.
import { ApiError, UNREACHABLE, problemIn } from "./problem";
import type { Credentials, Tokens } from "./credentials";
import type { paths } from "./schema";

type Filled<Path extends string> = Path extends `${infer Before}{${string}}${infer After}` ? `${Before}${string}${Filled<After>}` : Path;

/** The addresses that the server has, with anything in the place of their parameters. */
export type Address = { [Path in keyof paths]: Path extends `/api/v1${infer Rest}` ? Filled<Rest> : never }[keyof paths];

export interface Call {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: Address;
  query?: Record<string, string | number | null | undefined>;
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** Sign-in itself: sent without a token, and a 401 is the answer. */
  anonymous?: boolean;
  /** Not worth asking for a new sign-in: fails instead of waiting for one. */
  impatient?: boolean;
}

const PREFIX = "/api/v1";

function address({ path, query }: Call): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return PREFIX + path + (text ? `?${text}` : "");
}

/** Runs `work` in one tab at a time where the browser can; browsers offer locks to secure origins only. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  return locks ? await locks.request("parley.refresh", work) : await work();
}

export class Client {
  readonly #credentials: Credentials;
  readonly #fetch: typeof fetch;
  #renewal: Promise<boolean> | null = null;

  constructor(credentials: Credentials, fetcher: typeof fetch = (...given) => fetch(...given)) {
    this.#credentials = credentials;
    this.#fetch = fetcher;
  }

  /** The reply's JSON; undefined when it has none. */
  async json<Reply>(call: Call): Promise<Reply> {
    const response = await this.open(call);
    if (response.status === 204) return undefined as Reply;
    return (await response.json()) as Reply;
  }

  /** The reply itself, for those that read it as it comes. */
  async open(call: Call): Promise<Response> {
    for (let attempt = 0; ; attempt += 1) {
      const token = call.anonymous ? null : (this.#credentials.tokens?.token ?? null);
      const response = await this.#send(call, token);
      if (response.ok) return response;
      if (response.status !== 401 || token === null || attempt > 1) {
        throw new ApiError(response.status, problemIn(response.status, await response.json().catch(() => null)));
      }
      if (!(await this.#renew(token))) {
        if (call.impatient) throw new ApiError(401, problemIn(401, null));
        this.#credentials.expire();
        await this.#credentials.renewed();
      }
    }
  }

  async #send(call: Call, token: string | null): Promise<Response> {
    const headers = new Headers();
    if (token !== null) headers.set("Authorization", `Bearer ${token}`);
    const form = call.body instanceof FormData;
    if (call.body !== undefined && !form) headers.set("Content-Type", "application/json");
    const body = call.body === undefined ? null : form ? (call.body as FormData) : JSON.stringify(call.body);
    try {
      // What was deleted with an undo is deleted at last while the page goes.
      const keepalive = call.method === "DELETE";
      return await this.#fetch(address(call), { method: call.method, headers, body, keepalive, signal: call.signal ?? null });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, UNREACHABLE);
    }
  }

  /** A new token instead of `refused`: from another tab, or by the refresh token. False: sign in again. */
  #renew(refused: string): Promise<boolean> {
    this.#renewal ??= alone(async () => {
      if (this.#credentials.reread()) return true;
      const tokens = this.#credentials.tokens;
      if (tokens === null || tokens.token !== refused) return tokens !== null;
      const response = await this.#send(
        { method: "POST", path: "/auth/refresh", body: { refreshToken: tokens.refreshToken } },
        null,
      );
      if (response.status >= 500 || response.status === 429) {
        throw new ApiError(response.status, problemIn(response.status, await response.json().catch(() => null)));
      }
      if (!response.ok) return this.#credentials.reread();
      this.#credentials.keep((await response.json()) as Tokens);
      return true;
    }).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }
}
