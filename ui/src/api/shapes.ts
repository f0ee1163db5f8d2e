// What the routes take and give.
import type { Outcome, Part } from "./events";
import type { Problem } from "./problem";
import type { Tokens } from "./credentials";

export interface Preferences {
  defaultProvider?: string | null;
  defaultModel?: string | null;
  defaultTemperature?: number | null;
  systemPrompt?: string | null;
}

export interface User {
  id: string;
  username: string;
  email: string;
  role: "user" | "admin";
  preferences: Preferences;
  createdAt: string;
}

export interface SignedIn extends Tokens {
  user: User;
}

export interface Model {
  id: string;
  label?: string;
  description?: string;
  contextTokens?: number;
  capabilities?: Capabilities;
}

/** True yes, false no, null or absent unknown. */
export type Capabilities = Record<string, boolean | string | null | undefined>;

export interface OptionSchema {
  type?: string | string[];
  title?: string;
  description?: string;
  enum?: unknown[];
  anyOf?: OptionSchema[];
  items?: OptionSchema;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, OptionSchema>;
}

export interface Provider {
  name: string;
  label: string;
  description: string;
  status?: "ready" | "unconfigured" | "quarantined" | "unhealthy";
  reason?: string | null;
  capabilities?: Capabilities;
  optionsSchema?: OptionSchema | null;
  /** The model that answers where none is named; "" where it has none. */
  model?: string;
  models?: Model[];
  local?: boolean;
  needsKey?: boolean;
  docsUrl?: string;
}

export interface Providers {
  available: string[];
  default: string | null;
  providers: Provider[];
}

/** What optionsSchema describes; null or absent: the model's own default. */
export type ChatSettings = Record<string, unknown>;

export interface Snippet {
  text: string;
  /** Pairs of start and end in `text`, counted in characters. */
  highlights: [number, number][];
}

export interface Session {
  id: string;
  title: string;
  provider: string;
  model: string;
  systemPrompt?: string | null;
  settings: ChatSettings;
  createdAt: string;
  lastActivityAt: string;
  /** An answer is being made. */
  running: boolean;
}

/** A session in a list; where something was searched for, what was found and in which message. */
export interface FoundSession {
  session: Session;
  titleHighlights?: [number, number][];
  messageId?: string | null;
  snippet?: Snippet | null;
}

export interface Page<Item> {
  items: Item[];
  nextCursor?: string | null;
}

export interface Message {
  id: string;
  role: string;
  content: string;
  parts: Part[];
  createdAt: string;
  status: "complete" | "running" | "failed" | "cancelled" | "interrupted";
  metadata?: (Outcome & { warnings?: { code: string; message: string }[]; error?: Problem | null }) | null;
  /** The ids of all that stand in its place, itself included; absent where it stands alone. */
  siblings?: string[];
}

export interface ApiKey {
  id: string;
  name: string;
  scopes: string[];
  createdAt: string;
  expiresAt?: string | null;
  lastUsedAt?: string | null;
  shownPrefix?: string;
}

export interface TestResult {
  success: boolean;
  provider: string;
  error?: string | null;
  latencyMs?: number | null;
}
