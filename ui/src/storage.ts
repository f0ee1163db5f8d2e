// The browser's storage, or memory where the browser refuses it.

class MemoryStorage implements Storage {
  readonly #items = new Map<string, string>();

  get length(): number {
    return this.#items.size;
  }

  key(index: number): string | null {
    return [...this.#items.keys()][index] ?? null;
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  removeItem(key: string): void {
    this.#items.delete(key);
  }

  clear(): void {
    this.#items.clear();
  }
}

function opened(): Storage {
  try {
    localStorage.setItem("parley.probe", "1");
    localStorage.removeItem("parley.probe");
    return localStorage;
  } catch {
    return new MemoryStorage();
  }
}

export const storage: Storage = opened();
