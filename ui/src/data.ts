// What the screens read from the server, cached.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { Provider, Providers } from "./api/shapes";
import type { Running } from "./chat/answers";
import { answers, credentials, operations } from "./parley";

const PROVIDERS_STALE_MS = 60_000;

export function useStanding() {
  return useSyncExternalStore(credentials.subscribe, credentials.getStanding);
}

export function useProfile() {
  return useQuery({ queryKey: ["profile"], queryFn: () => operations.profile(), staleTime: Infinity });
}

export function useProviders() {
  return useQuery({ queryKey: ["providers"], queryFn: () => operations.providers(), staleTime: PROVIDERS_STALE_MS });
}

export function useSessions() {
  return useInfiniteQuery({
    queryKey: ["sessions"],
    queryFn: ({ pageParam }) => operations.sessions(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor ?? null,
  });
}

export function useSession(id: string | null) {
  return useQuery({ queryKey: ["session", id], queryFn: () => operations.session(id ?? ""), enabled: id !== null });
}

export function useMessages(sessionId: string | null) {
  return useInfiniteQuery({
    queryKey: ["messages", sessionId],
    queryFn: ({ pageParam }) => operations.messages(sessionId ?? "", pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor ?? null,
    enabled: sessionId !== null,
  });
}

export function useRunning(sessionId: string | null): Running | undefined {
  return useSyncExternalStore(answers.subscribe, () => (sessionId === null ? undefined : answers.get(sessionId)));
}

export function useBusy(sessionId: string): boolean {
  return useSyncExternalStore(answers.subscribe, () => answers.busy(sessionId));
}

/** Everything that can be asked: routes, each of which finds its answer at one of several targets, then providers. */
export function askable(providers: Providers): Provider[] {
  const routes = (providers.routes ?? []).map(({ name, targets }) => {
    const asked = targets.map(({ provider, model }) => `${provider}/${model}`);
    return { name, label: name, description: `Route: ${asked.join(", ")}`, status: "ready", model: "", models: [] } satisfies Provider;
  });
  return [...routes, ...providers.providers];
}

export function providerNamed(providers: Providers | undefined, name: string | null | undefined): Provider | undefined {
  return providers && askable(providers).find((provider) => provider.name === name);
}

/** Whether anything can be asked of it. Without a token the server tells no status. */
export function isReady(provider: Provider): boolean {
  return provider.status === undefined || provider.status === "ready" || provider.status === "unhealthy";
}
