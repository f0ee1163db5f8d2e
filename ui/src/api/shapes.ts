// What the routes take and give, under the names that the page uses. Generated types; where the document says less than is known, said here.
import type { components } from "./schema";

type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

export type Preferences = Schema<"Preferences">;
export type PreferenceChanges = Schema<"PreferenceChanges">;
export type User = Schema<"Profile">;
export type SignedIn = Schema<"SignedIn">;
export type Registration = Schema<"NewAccount">;

export type Model = Schema<"ModelView">;
export type Capabilities = Schema<"Capabilities">;

/** The form of a provider's options: JSON Schema. */
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

export type Provider = Omit<Schema<"ProviderView">, "optionsSchema"> & { optionsSchema?: OptionSchema };
export type Providers = Omit<Schema<"ProviderListing">, "providers"> & { providers: Provider[] };
export type ProviderChanges = Schema<"ProviderChanges">;
export type TestResult = Schema<"TestResult">;

/** What optionsSchema describes; null or absent: the model's own default. */
export type ChatSettings = Record<string, unknown>;

export type Session = Omit<Schema<"SessionView">, "settings"> & { settings: ChatSettings };
export type FoundSession = Omit<Schema<"FoundSession">, "session"> & { session: Session };
export type SessionChanges = Pick<Schema<"SessionChanges">, "title" | "provider" | "model" | "systemPrompt" | "shownMessageId"> & ChatSettings;
export type SessionMade = Schema<"SessionMade">;
export type Message = Schema<"MessageView">;
export type ApiKey = Schema<"KeyView">;
export type KeyMade = Schema<"KeyMade">;

export interface Page<Item> {
  items: Item[];
  nextCursor?: string | null;
}
