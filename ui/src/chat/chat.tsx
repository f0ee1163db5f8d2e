// One chat: its header, its messages or what an empty one shows, and the composer.
import { PanelLeft, SlidersHorizontal } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { useLocation } from "wouter";
import { problemOf, type Problem } from "../api/problem";
import type { User } from "../api/shapes";
import { ProblemNote } from "../controls/problem-note";
import { useMessages, useProviders, useRunning, useSession } from "../data";
import { answers, onAccepted, operations, queries } from "../parley";
import type { Section } from "../settings/address";
import { newId } from "../ids";
import { storage } from "../storage";
import { Announcer } from "./announcer";
import { Composer, type Sending } from "./composer";
import { Conversation } from "./conversation";
import { Drafts } from "./drafts";
import { EmptyChat } from "./empty-chat";
import { entriesOf } from "./entries";
import { textOf } from "./fold";
import { ModelChip } from "./model-chip";
import { chosenTarget, isPrepared, type Target } from "./target";
import { takeTarget, useNewTarget } from "./new-target";

interface ChatProps {
  user: User;
  sessionId: string | null;
  onSidebar: () => void;
  onSettings: (section: Section) => void;
}

/** Escape stops the answer, unless something that lies over the page wants it. */
function useEscape(sessionId: string | null, busy: boolean): void {
  useEffect(() => {
    if (sessionId === null || !busy) return;
    const press = (event: KeyboardEvent): void => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open], [role=menu]")) return;
      void answers.stop(sessionId);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [sessionId, busy]);
}

export function Chat({ user, sessionId, onSidebar, onSettings }: ChatProps) {
  const [, navigate] = useLocation();
  const providers = useProviders();
  const session = useSession(sessionId);
  const messages = useMessages(sessionId);
  const running = useRunning(sessionId);
  const newTarget = useNewTarget();
  const [problem, setProblem] = useState<Problem | null>(null);
  const [starter, setStarter] = useState<{ text: string } | null>(null);
  const drafts = useMemo(() => new Drafts(storage, user.id), [user.id]);
  const busy = running !== undefined && running.phase !== "ended";
  useEscape(sessionId, busy);

  useEffect(() => onAccepted((id) => drafts.keep(id, "")), [drafts]);

  const stored = useMemo(() => [...(messages.data?.pages ?? [])].reverse().flatMap((page) => page.items), [messages.data]);
  const unfinished = stored.find((message) => message.status === "running")?.id ?? null;
  const generating = session.data?.running === true;
  useEffect(() => {
    if (sessionId !== null && !busy && (unfinished !== null || generating)) {
      void answers.ask(sessionId, { kind: "resume", messageId: unfinished });
    }
    // Once per chat and per unfinished answer that was found; what runs here already needs no second reader.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [sessionId, unfinished, generating]);

  const title = session.data?.title || (sessionId === null ? "New chat" : "");
  useEffect(() => {
    document.title = title ? `${title} – Parley` : "Parley";
  }, [title]);

  const target = chosenTarget(providers.data, session.data ?? newTarget, user.preferences);
  const choose = async (chosen: Target): Promise<void> => {
    if (sessionId === null) return takeTarget(chosen);
    try {
      queries.setQueryData(["session", sessionId], await operations.updateSession(sessionId, { ...chosen }));
    } catch (error) {
      setProblem(problemOf(error));
    }
  };

  const send: Sending = async (text, attachments) => {
    setProblem(null);
    const asked = { kind: "send", text, attachments, idempotencyKey: newId() } as const;
    if (sessionId !== null) {
      answers.dismiss(sessionId);
      void answers.ask(sessionId, asked);
      return true;
    }
    try {
      const created = await operations.createSession(target ? { provider: target.provider, model: target.model } : {});
      drafts.keep(created.sessionId, text);
      drafts.keep("new", "");
      void answers.ask(created.sessionId, asked);
      navigate(`/chat/${created.sessionId}`, { replace: true });
      return true;
    } catch (error) {
      setProblem(problemOf(error));
      return false;
    }
  };

  const entries = entriesOf(stored, running);
  const isEmpty = sessionId === null || (messages.isSuccess && entries.length === 0);
  const composer = (
    <>
      <Composer
        key={sessionId}
        chat={sessionId ?? "new"}
        drafts={drafts}
        busy={busy}
        stopping={running?.stopping ?? false}
        insert={starter}
        images={target?.images ?? true}
        onSend={send}
        onStop={() => sessionId !== null && void answers.stop(sessionId)}
      >
        <ModelChip providers={providers.data} target={target} onChoose={(chosen) => void choose(chosen)} />
      </Composer>
      {providers.data?.serversApart ? (
        <p className="hint logged" role="note">
          The servers of this installation cannot reach each other for now: limits are estimated, and stopping or reading along from another device may take a moment.
        </p>
      ) : null}
      {providers.data?.contentLogged ? (
        <p className="hint logged" role="note">
          The operator of this server has set it to write what is asked and answered to its log.
        </p>
      ) : null}
    </>
  );
  const failed = problem ? <ProblemNote problem={problem} /> : null;
  const missing = session.error ?? messages.error;
  const missingProblem = missing && stored.length === 0 ? problemOf(missing) : null;
  return (
    <>
      <header className="header">
        <button type="button" className="icon-button open-sidebar" aria-label="Open the list of chats" onClick={onSidebar}>
          <PanelLeft size={19} aria-hidden />
        </button>
        <h1>{title}</h1>
        <button
          type="button"
          className="icon-button"
          aria-label="Settings of this chat"
          title="Settings"
          onClick={() => onSettings("chat")}
        >
          <SlidersHorizontal size={18} aria-hidden />
        </button>
      </header>
      <div className="chat">
        {missingProblem ? (
          <div className="empty">
            <div className="column">
              <ProblemNote
                title="This chat could not be opened."
                problem={missingProblem}
                onRetry={missingProblem.retryable ? () => void retry() : undefined}
              >
                <button type="button" className="button" onClick={() => navigate("/")}>
                  New chat
                </button>
              </ProblemNote>
            </div>
          </div>
        ) : isEmpty ? (
          <EmptyChat
            user={user}
            providers={providers}
            target={target}
            onStarter={(text) => setStarter({ text })}
            onSend={(text) => void send(text, [])}
            onChoose={choose}
          >
            {failed}
            {composer}
          </EmptyChat>
        ) : (
          <>
            <Conversation
              sessionId={sessionId}
              entries={entries}
              loading={messages.isPending}
              older={messages.hasNextPage ? () => void messages.fetchNextPage() : null}
              provider={target?.provider ?? null}
              prepared={(name) => isPrepared(providers.data, name)}
              admin={user.role === "admin"}
              onSettings={onSettings}
            >
              {failed}
              {composer}
            </Conversation>
            <Announcer text={busy ? textOf(running.answer.blocks) : ""} ended={running?.phase === "ended"} />
          </>
        )}
      </div>
    </>
  );

  async function retry(): Promise<void> {
    await Promise.all([session.refetch(), messages.refetch()]);
  }
}
