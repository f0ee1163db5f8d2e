// The page's one of each: credentials, client, cache of replies, answers being written.
import { QueryClient } from "@tanstack/react-query";
import { Answers } from "./chat/answers";
import { Client } from "./api/client";
import { Credentials } from "./api/credentials";
import { Operations } from "./api/operations";
import { ApiError } from "./api/problem";
import { storage } from "./storage";

const TRIES = 2;

export const credentials = new Credentials(storage);
export const client = new Client(credentials);
export const operations = new Operations(client);

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      networkMode: "always",
      refetchOnWindowFocus: true,
      retry: (count, error) => count < TRIES && error instanceof ApiError && error.problem.retryable,
    },
    mutations: { networkMode: "always" },
  },
});

type Accepted = (sessionId: string) => void;
const acceptedListeners = new Set<Accepted>();

/** Hears of every message that the server has taken. */
export function onAccepted(listener: Accepted): () => void {
  acceptedListeners.add(listener);
  return () => acceptedListeners.delete(listener);
}

export const answers = new Answers(client, {
  refetch: async (sessionId) => {
    // A first fetch that is still on its way may have been answered before the message was stored; refetching would only join it.
    await queries.cancelQueries({ queryKey: ["messages", sessionId] });
    await queries.cancelQueries({ queryKey: ["session", sessionId] });
    await Promise.all([
      queries.invalidateQueries({ queryKey: ["messages", sessionId] }),
      queries.invalidateQueries({ queryKey: ["session", sessionId] }),
      queries.invalidateQueries({ queryKey: ["sessions"] }),
    ]);
  },
  accepted: (sessionId) => {
    for (const listener of acceptedListeners) listener(sessionId);
  },
});
