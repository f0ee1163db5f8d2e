/** A random id. The browser's own maker of UUIDs works on secure origins only; this one also on a plain address in the house. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
