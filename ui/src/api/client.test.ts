import { beforeEach, describe, expect, it } from "vitest";
import { Client } from "./client";
import { Credentials } from "./credentials";
import { ApiError } from "./problem";

type Answer = (request: { path: string; token: string | null; body: unknown }) => Response;

function reply(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

const EXPIRED = { error: "unauthenticated", message: "expired", code: "unauthenticated", retryable: false };

function made(answer: Answer): { client: Client; credentials: Credentials; seen: string[] } {
  const seen: string[] = [];
  const credentials = new Credentials(localStorage);
  const client = new Client(credentials, (input, init) => {
    const path = String(input).replace("/api/v1", "");
    const token = new Headers(init?.headers).get("authorization")?.replace("Bearer ", "") ?? null;
    seen.push(`${init?.method} ${path} ${token ?? "-"}`);
    return Promise.resolve(answer({ path, token, body: typeof init?.body === "string" ? JSON.parse(init.body) : null }));
  });
  return { client, credentials, seen };
}

const renewing: Answer = ({ path, token }) => {
  if (path === "/auth/refresh") return reply(200, { token: "new", refreshToken: "r2" });
  return token === "new" ? reply(200, { fine: true }) : reply(401, EXPIRED);
};

describe("Client", () => {
  beforeEach(() => localStorage.clear());

  it("renews the token once for many calls, and keeps it", async () => {
    const { client, credentials, seen } = made(renewing);
    credentials.keep({ token: "old", refreshToken: "r1" });
    const replies = await Promise.all([1, 2, 3].map(() => client.json({ method: "GET", path: "/providers" })));
    expect(replies).toEqual([{ fine: true }, { fine: true }, { fine: true }]);
    expect(seen.filter((line) => line.includes("/auth/refresh"))).toHaveLength(1);
    expect(new Credentials(localStorage).tokens).toEqual({ token: "new", refreshToken: "r2" });
  });

  it("takes the token that another tab has renewed instead of renewing it again", async () => {
    const { client, credentials, seen } = made(renewing);
    credentials.keep({ token: "old", refreshToken: "r1" });
    new Credentials(localStorage).keep({ token: "new", refreshToken: "r2" });
    await client.json({ method: "GET", path: "/providers" });
    expect(seen).toEqual(["GET /providers old", "GET /providers new"]);
  });

  it("waits for a new sign-in where the session has ended, and then goes on", async () => {
    const { client, credentials } = made(({ path, token }) => {
      if (path === "/auth/refresh") return reply(401, EXPIRED);
      return token === "fresh" ? reply(200, { fine: true }) : reply(401, EXPIRED);
    });
    credentials.keep({ token: "old", refreshToken: "r1" });
    const waiting = client.json({ method: "POST", path: "/chat/message", body: { message: "kept" } });
    await expect.poll(() => credentials.standing).toBe("expired");
    credentials.keep({ token: "fresh", refreshToken: "r9" });
    expect(await waiting).toEqual({ fine: true });
  });

  it("gives up on signing out instead", async () => {
    const { client, credentials } = made(() => reply(401, EXPIRED));
    credentials.keep({ token: "old", refreshToken: "r1" });
    const waiting = client.json({ method: "GET", path: "/providers" });
    await expect.poll(() => credentials.standing).toBe("expired");
    credentials.clear();
    await expect(waiting).rejects.toThrow("signed out");
  });

  it("does not take a wrong password for an ended session", async () => {
    const { client, credentials } = made(() => reply(401, EXPIRED));
    const attempt = client.json({ method: "POST", path: "/auth/login", body: {}, anonymous: true });
    await expect(attempt).rejects.toMatchObject({ status: 401 });
    expect(credentials.standing).toBe("anonymous");
  });

  it("keeps the session where the refresh could not be tried", async () => {
    const { client, credentials } = made(({ path }) => (path === "/auth/refresh" ? reply(503, {}) : reply(401, EXPIRED)));
    credentials.keep({ token: "old", refreshToken: "r1" });
    await expect(client.json({ method: "GET", path: "/providers" })).rejects.toMatchObject({ status: 503 });
    expect(credentials.standing).toBe("signed-in");
  });

  it("tells an error in the server's words, and any other page as its status", async () => {
    const body = { message: "The key is wrong.", code: "provider_credentials", retryable: false, retryAfter: 3, requestId: "r", fields: [] };
    const told = made(() => reply(502, body)).client.json({ method: "GET", path: "/providers" });
    await expect(told).rejects.toMatchObject({ status: 502, problem: { message: "The key is wrong.", code: "provider_credentials", retryAfter: 3 } });
    const proxy = made(() => new Response("<html>", { status: 504 })).client.json({ method: "GET", path: "/providers" });
    await expect(proxy).rejects.toMatchObject({ status: 504, problem: { retryable: true } });
    const gone = new Client(new Credentials(localStorage), () => Promise.reject(new TypeError("failed"))).json({ method: "GET", path: "/providers" });
    await expect(gone).rejects.toBeInstanceOf(ApiError);
    await expect(gone).rejects.toMatchObject({ status: 0, problem: { code: "unreachable" } });
  });
});
