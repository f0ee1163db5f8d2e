// What was typed and not sent yet, per user and chat, on this browser.

const PREFIX = "parley.draft.";

export class Drafts {
  readonly #storage: Storage;
  readonly #prefix: string;

  constructor(storage: Storage, userId: string) {
    this.#storage = storage;
    this.#prefix = `${PREFIX}${userId}.`;
  }

  /** `chat` is a chat's id, or "new". */
  get(chat: string): string {
    return this.#storage.getItem(this.#prefix + chat) ?? "";
  }

  keep(chat: string, text: string): void {
    if (text) this.#storage.setItem(this.#prefix + chat, text);
    else this.#storage.removeItem(this.#prefix + chat);
  }
}
