// The messages of a chat, and a view that follows the answer while it is at the bottom.
import { ArrowDown, LoaderCircle } from "lucide-react";
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";
import { Boundary } from "../controls/boundary";
import { answers } from "../parley";
import type { Section } from "../settings/address";
import { AssistantMessage } from "./assistant-message";
import type { Entry } from "./entries";
import { UserMessage } from "./user-message";

const NEAR_BOTTOM_PIXELS = 48;

interface ConversationProps {
  sessionId: string;
  entries: readonly Entry[];
  loading: boolean;
  older: (() => void) | null;
  /** Who answers now. */
  provider: string | null;
  prepared: (provider: string | null | undefined) => boolean;
  admin: boolean;
  onSettings: (section: Section) => void;
  children: ReactNode;
}

/** Follows growing content until an upward gesture, and again from the bottom on. */
function useFollowing(firstKey: string | undefined) {
  const scroll = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const height = useRef(0);
  const [away, setAway] = useState(false);

  const toBottom = (): void => {
    following.current = true;
    setAway(false);
    scroll.current?.scrollTo({ top: scroll.current.scrollHeight });
  };

  useEffect(() => {
    const box = scroll.current;
    if (!box || !content.current) return;
    let last = box.scrollTop;
    const look = (): void => {
      const near = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_BOTTOM_PIXELS;
      if (near) following.current = true;
      else if (box.scrollTop < last) following.current = false;
      last = box.scrollTop;
      setAway(!near && !following.current);
    };
    const grown = new ResizeObserver(() => {
      if (following.current) box.scrollTop = box.scrollHeight;
      height.current = box.scrollHeight;
    });
    box.addEventListener("scroll", look, { passive: true });
    grown.observe(content.current);
    grown.observe(box);
    return () => {
      box.removeEventListener("scroll", look);
      grown.disconnect();
    };
  }, []);

  // Earlier messages came in above: what is being read stays where it is.
  useLayoutEffect(() => {
    const box = scroll.current;
    if (!box) return;
    if (!following.current) box.scrollTop += box.scrollHeight - height.current;
    height.current = box.scrollHeight;
  }, [firstKey]);

  return { scroll, content, away, toBottom };
}

function Older({ load }: { load: () => void }) {
  const mark = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const watcher = new IntersectionObserver(([entry]) => entry?.isIntersecting && load(), { rootMargin: "400px 0px 0px" });
    if (mark.current) watcher.observe(mark.current);
    return () => watcher.disconnect();
  }, [load]);
  return (
    <div ref={mark} className="loading" aria-label="Loading earlier messages">
      <LoaderCircle size={18} className="spinner" aria-hidden />
    </div>
  );
}

function Skeletons() {
  return (
    <div aria-label="Loading messages">
      {[38, 92, 84, 60].map((width, index) => (
        <div
          key={width}
          className="skeleton"
          style={{ width: `${width}%`, height: index === 0 ? 40 : 16, margin: index === 0 ? "0 0 28px auto" : "0 0 12px" }}
        />
      ))}
    </div>
  );
}

export function Conversation({ sessionId, entries, loading, older, provider, prepared, admin, onSettings, children }: ConversationProps) {
  const { scroll, content, away, toBottom } = useFollowing(entries[0]?.key);
  const asking = entries.at(-1)?.kind === "live" || entries.at(-1)?.kind === "asked";
  const count = entries.length;
  useEffect(() => {
    if (asking) toBottom();
    // Only when something was asked, not with every token.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [asking, count]);

  return (
    <>
      <div className="scroll" ref={scroll} tabIndex={-1}>
        <div className="column messages" ref={content}>
          {older ? <Older load={older} /> : null}
          {loading && entries.length === 0 ? <Skeletons /> : null}
          {entries.map((entry, index) => (
            <Boundary key={entry.key} part="This message">
              <EntryView
                entry={entry}
                sessionId={sessionId}
                last={index === count - 1}
                provider={provider}
                prepared={prepared}
                admin={admin}
                onSettings={onSettings}
              />
            </Boundary>
          ))}
        </div>
      </div>
      <div className="dock">
        {away ? (
          <button type="button" className="button down" onClick={toBottom}>
            <ArrowDown size={16} aria-hidden /> {asking ? "New text" : "To the end"}
          </button>
        ) : null}
        <div className="column">{children}</div>
      </div>
    </>
  );
}

interface EntryViewProps extends Pick<ConversationProps, "sessionId" | "provider" | "prepared" | "admin" | "onSettings"> {
  entry: Entry;
  last: boolean;
}

function EntryView({ entry, last, ...shared }: EntryViewProps) {
  const { sessionId } = shared;
  if (entry.kind === "asked") {
    const { asked, refused } = entry.running;
    const again = (): void => {
      answers.dismiss(sessionId);
      void answers.ask(sessionId, asked);
    };
    return <UserMessage sessionId={sessionId} text={entry.text} last={last} refused={refused} onRetry={again} pending />;
  }
  if (entry.kind === "stored" && entry.message.role === "user") {
    return <UserMessage sessionId={sessionId} text={entry.message.content} message={entry.message} last={last} />;
  }
  return <AssistantMessage entry={entry} last={last} {...shared} />;
}
