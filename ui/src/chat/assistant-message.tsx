// An answer: what the model thought, wrote and asked for; how it ended; what can be done with it.
import { Check, Copy, Paperclip, RefreshCw } from "lucide-react";
import { memo, useMemo } from "react";
import type { Citation, Media, Outcome } from "../api/events";
import type { Problem } from "../api/problem";
import { useCopy } from "../controls/copy";
import { Note } from "../controls/note";
import { ProblemNote } from "../controls/problem-note";
import { newId } from "../ids";
import { Markdown } from "../markdown/markdown";
import { answers } from "../parley";
import type { Section } from "../settings/address";
import { Branches } from "./branches";
import type { Entry } from "./entries";
import { factsOf } from "./facts";
import { blocksOf, textOf, type Block, type Warning } from "./fold";
import { Reasoning } from "./reasoning";
import { ToolCard } from "./tool-card";

const ENDINGS: Record<string, string> = {
  length: "The answer reached its limit of tokens.",
  content_filter: "The provider stopped this answer by its content filter.",
  cancelled: "You stopped this answer.",
  interrupted: "The server went away while this answer was written. What had come is kept.",
};

// Answers that end before they are whole; the model has what it wrote before it, and can go on from there.
const CONTINUABLE = new Set(["interrupted", "cancelled", "length"]);
const CONTINUE = "Continue where you stopped, without repeating anything.";

// The codes that an administrator mends in the settings.
const MENDED_IN_SETTINGS = new Set(["missing_credential", "provider_credentials", "provider_permission", "unknown_provider"]);
const MENDED_BY_ANOTHER_MODEL = new Set(["model_not_found", "unknown_model", "provider_quota", "unsupported_feature"]);

interface AssistantMessageProps {
  entry: Exclude<Entry, { kind: "asked" }>;
  sessionId: string;
  last: boolean;
  /** Who answers now, while the answer itself does not tell yet. */
  provider: string | null;
  prepared: (provider: string | null | undefined) => boolean;
  admin: boolean;
  onSettings: (section: Section) => void;
}

interface Shown {
  id: string | null;
  blocks: readonly Block[];
  live: boolean;
  lost: boolean;
  outcome: Outcome | null;
  problem: Problem | null;
  warnings: readonly Warning[];
  restarted: string | null;
}

function useShown(entry: AssistantMessageProps["entry"]): Shown {
  const message = entry.kind === "stored" ? entry.message : null;
  const stored = useMemo(() => (message ? blocksOf(message.content, message.parts) : []), [message]);
  const { running } = entry;
  const answer = running?.answer;
  return {
    id: message?.id ?? answer?.messageId ?? null,
    blocks: message ? stored : (answer?.blocks ?? []),
    live: entry.kind === "live" && running?.phase !== "ended",
    lost: entry.kind === "live" && running?.phase === "lost" && running.asked.kind !== "resume",
    outcome: message ? (message.metadata ?? null) : (answer?.outcome ?? null),
    problem: message?.metadata?.error ?? answer?.problem ?? null,
    warnings: message?.metadata?.warnings ?? answer?.warnings ?? [],
    restarted: answer?.restarted ?? null,
  };
}

function Attached({ media, image }: { media: Media; image: boolean }) {
  if (image && media.data) {
    return <img className="answer-image" src={`data:${media.mediaType};base64,${media.data}`} alt={media.name || "Image made by the model"} />;
  }
  return (
    <span className="file-chip still">
      <Paperclip size={14} aria-hidden />
      <span>{media.name || media.mediaType}</span>
    </span>
  );
}

function BlockView({ block, live }: { block: Block; live: boolean }) {
  switch (block.kind) {
    case "text":
      return <Markdown text={block.text} arriving={live} />;
    case "reasoning":
      return <Reasoning text={block.text} thinking={live} />;
    case "tool":
      return <ToolCard block={block} live={live} />;
    case "image":
    case "file":
      return <Attached media={block.media} image={block.kind === "image"} />;
  }
}

function Sources({ citations }: { citations: readonly Citation[] }) {
  return (
    <div className="hint">
      Sources:{" "}
      {citations.map((citation, index) => (
        <span key={index}>
          {index > 0 ? ", " : ""}
          {citation.url && /^https?:/.test(citation.url) ? (
            <a href={citation.url} target="_blank" rel="noopener noreferrer nofollow">
              {citation.title || citation.url}
            </a>
          ) : (
            citation.title || citation.text
          )}
        </span>
      ))}
    </div>
  );
}

function Waiting({ words }: { words: string }) {
  return (
    <div className="waiting" role="status">
      <span className="waiting-dots" aria-hidden>
        <i />
        <i />
        <i />
      </span>
      <span className={words ? undefined : "visually-hidden"}>{words || "Waiting for the answer"}</span>
    </div>
  );
}

interface EndingProps {
  shown: Shown;
  onSettings: (section: Section) => void;
  admin: boolean;
  onRetry: (() => void) | undefined;
  onContinue: (() => void) | undefined;
}

function Ending({ shown, onSettings, admin, onRetry, onContinue }: EndingProps) {
  const { problem, outcome } = shown;
  if (problem) {
    return (
      <ProblemNote title={shown.blocks.length > 0 ? "The answer broke off." : "There is no answer."} problem={problem} onRetry={onRetry}>
        {MENDED_IN_SETTINGS.has(problem.code) && admin ? (
          <button type="button" className="button" onClick={() => onSettings("providers")}>
            Open the provider’s settings
          </button>
        ) : null}
        {MENDED_BY_ANOTHER_MODEL.has(problem.code) ? (
          <button type="button" className="button" onClick={() => onSettings("chat")}>
            Choose another model
          </button>
        ) : null}
      </ProblemNote>
    );
  }
  const ending = ENDINGS[outcome?.finishReason ?? ""];
  return (
    <>
      {outcome?.refusal ? <Note kind="amber">{outcome.refusal}</Note> : null}
      {ending ? (
        <Note kind="plain">
          {ending}
          {onContinue && CONTINUABLE.has(outcome?.finishReason ?? "") && shown.blocks.length > 0 ? (
            <button type="button" className="button" onClick={onContinue}>
              Continue
            </button>
          ) : null}
        </Note>
      ) : null}
      {shown.blocks.length === 0 && !ending && !outcome?.refusal ? <Note kind="plain">The model answered without a word.</Note> : null}
    </>
  );
}

export const AssistantMessage = memo(function AssistantMessage({ entry, sessionId, last, provider, prepared, admin, onSettings }: AssistantMessageProps) {
  const shown = useShown(entry);
  const { copied, copy } = useCopy();
  const { blocks, live, outcome, id } = shown;
  const regenerate = (): void => {
    if (id === null) return;
    answers.dismiss(sessionId);
    void answers.ask(sessionId, { kind: "regenerate", messageId: id });
  };
  const goOn = (): void => {
    answers.dismiss(sessionId);
    void answers.ask(sessionId, { kind: "send", text: CONTINUE, attachments: [], idempotencyKey: newId() });
  };
  const waiting = live && (blocks.length === 0 || shown.lost);
  return (
    <article className={`message assistant${last ? " last" : ""}`} aria-label="Answer" aria-busy={live}>
      {prepared(outcome?.provider ?? (live ? provider : null)) ? (
        <div>
          <span className="badge">Demo – prepared text, no AI</span>
        </div>
      ) : null}
      {shown.restarted ? <Note kind="amber">The answer was begun anew: {shown.restarted}</Note> : null}
      {blocks.map((block, index) => (
        <BlockView key={index} block={block} live={live && index === blocks.length - 1} />
      ))}
      {waiting ? <Waiting words={shown.lost ? "The connection was lost; it is being made again" : ""} /> : null}
      {shown.warnings.map((warning, index) => (
        <Note key={index} kind="amber">
          {warning.message}
        </Note>
      ))}
      {outcome?.citations?.length ? <Sources citations={outcome.citations} /> : null}
      {outcome?.fallback ? (
        <Note kind="amber">
          {outcome.fallback.actual} answered instead of {outcome.fallback.asked}: {outcome.fallback.reason}
        </Note>
      ) : null}
      {live ? null : <Ending shown={shown} onSettings={onSettings} admin={admin} onRetry={id === null ? undefined : regenerate} onContinue={last ? goOn : undefined} />}
      {live ? null : (
        <div className="message-foot">
          {entry.kind === "stored" ? <Branches sessionId={sessionId} message={entry.message} /> : null}
          <button type="button" className="icon-button small" aria-label={copied ? "Copied" : "Copy"} title="Copy" onClick={() => void copy(textOf(blocks))}>
            {copied ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
          </button>
          {id !== null ? (
            <button type="button" className="icon-button small" aria-label="Another answer" title="Another answer" onClick={regenerate}>
              <RefreshCw size={15} aria-hidden />
            </button>
          ) : null}
          {outcome ? <span className="message-facts">{factsOf(outcome)}</span> : null}
        </div>
      )}
    </article>
  );
});
