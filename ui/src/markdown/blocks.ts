// Cuts Markdown that is still arriving into blocks that no longer change and the rest, so that only the rest is rendered anew.
import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmFromMarkdown } from "mdast-util-gfm";
import { gfm } from "micromark-extension-gfm";

export interface Blocks {
  text: string;
  /** Where the part that may still change begins. */
  settled: number;
  /** The settled blocks, then the others. */
  blocks: readonly string[];
  settledBlocks: number;
}

export const NO_BLOCKS: Blocks = { text: "", settled: 0, blocks: [], settledBlocks: 0 };

// The last block grows; the one before may still take it in (`1. a`, blank, `2` becomes one list when the dot arrives).
const UNSETTLED_BLOCKS = 2;
// A definition gives links in any block their target, and footnotes are numbered across blocks.
const SHARED_ACROSS_BLOCKS = /^ {0,3}\[[^\]\n]+\]:/m;

function startsOfBlocks(text: string): number[] {
  const tree = fromMarkdown(text, { extensions: [gfm()], mdastExtensions: [gfmFromMarkdown()] });
  return tree.children.map((node) => node.position?.start.offset ?? 0);
}

/** The blocks of `text`, of which `before` knew a beginning. */
export function cut(before: Blocks, text: string): Blocks {
  if (text === before.text) return before;
  if (SHARED_ACROSS_BLOCKS.test(text)) return { text, settled: 0, blocks: [text], settledBlocks: 0 };
  const known = before.settled > 0 && text.startsWith(before.text.slice(0, before.settled)) ? before : NO_BLOCKS;
  const rest = text.slice(known.settled);
  const starts = startsOfBlocks(rest);
  const ends = [...starts.slice(1), rest.length];
  const pieces = starts.map((start, index) => rest.slice(index === 0 ? 0 : start, ends[index]));
  const settling = Math.max(0, pieces.length - UNSETTLED_BLOCKS);
  return {
    text,
    settled: known.settled + (starts[settling] === undefined || settling === 0 ? 0 : starts[settling]),
    blocks: [...known.blocks.slice(0, known.settledBlocks), ...pieces],
    settledBlocks: known.settledBlocks + settling,
  };
}
