/** Text that stands alone begins with a capital letter and ends like a sentence. */
export function sentence(text: string): string {
  const begun = text.slice(0, 1).toUpperCase() + text.slice(1);
  return begun === "" || /[.!?:…]$/.test(begun) ? begun : `${begun}.`;
}
