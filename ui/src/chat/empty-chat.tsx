// A chat without messages: a greeting, the composer, things to begin with; or the way to a first provider.
import type { UseQueryResult } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { problemOf } from "../api/problem";
import type { Providers, User } from "../api/shapes";
import { Note } from "../controls/note";
import { ProblemNote } from "../controls/problem-note";
import { isReady } from "../data";
import { FirstProvider } from "./first-provider";
import { useNewTarget } from "./new-target";
import { defaultModel, preparedProvider, type ShownTarget, type Target } from "./target";

interface Starter {
  label: string;
  text: string;
}

const STARTERS: readonly Starter[] = [
  { label: "Explain an idea", text: "Explain in plain words: " },
  { label: "Help me write", text: "Help me write " },
  { label: "Review some code", text: "Review this code:\n\n```\n\n```" },
  { label: "Compare options", text: "Compare these options and say which you would take:\n\n- \n- " },
];

// The words that the built-in demo answers to.
const DEMO_STARTERS: readonly Starter[] = [
  { label: "What can you show?", text: "help" },
  { label: "Formatted text", text: "markdown" },
  { label: "Code", text: "code" },
  { label: "A table", text: "table" },
  { label: "Reasoning", text: "reason" },
  { label: "A tool call", text: "tool" },
  { label: "A long answer", text: "long" },
];

function greeting(name: string): string {
  const hour = new Date().getHours();
  const time = hour < 5 ? "Good night" : hour < 12 ? "Good morning" : hour < 18 ? "Good afternoon" : "Good evening";
  return `${time}, ${name}`;
}

interface EmptyChatProps {
  user: User;
  providers: UseQueryResult<Providers>;
  target: ShownTarget | null;
  onStarter: (text: string) => void;
  onSend: (text: string) => void;
  onChoose: (target: Target) => Promise<void>;
  children: ReactNode;
}

export function EmptyChat({ user, providers, target, onStarter, onSend, onChoose, children }: EmptyChatProps) {
  const chosen = useNewTarget();
  // A key that is being tried must not close the card under the reader's eyes.
  const [begun, setBegun] = useState(false);
  if (providers.error && !providers.data) {
    return (
      <div className="empty">
        <div className="column">
          <ProblemNote title="The providers could not be read." problem={problemOf(providers.error)} onRetry={() => void providers.refetch()} />
        </div>
      </div>
    );
  }
  const known = providers.data;
  const demo = known && preparedProvider(known);
  // An operator can switch it off.
  const prepared = demo && isReady(demo) ? demo : undefined;
  const tryDemo = (): void => {
    setBegun(false);
    if (prepared) void onChoose({ provider: prepared.name, model: defaultModel(prepared) });
  };
  const wanted = chosen?.provider ?? user.preferences.defaultProvider;
  // The server falls back on prepared text only where nothing else answers.
  const settingUp = known !== undefined && (begun || target === null || (target.prepared && wanted !== target.provider));
  const ready = async (chosenTarget: Target): Promise<void> => {
    await onChoose(chosenTarget);
    setBegun(false);
  };
  const [starters, start] = target?.prepared ? [DEMO_STARTERS, onSend] : [STARTERS, onStarter];
  return (
    <div className="empty">
      <div className="column">
        <h2 className="greeting">{greeting(user.username)}</h2>
        {settingUp && user.role === "admin" ? <FirstProvider providers={known} onBegun={() => setBegun(true)} onDemo={prepared ? tryDemo : null} onReady={ready} /> : null}
        {settingUp && user.role !== "admin" ? (
          <Note kind="plain">
            <strong>No provider is set up yet.</strong>
            <span>The administrator of this server can add one.</span>
            {prepared ? <span>Until then there is the built-in demo, which answers with prepared text.</span> : null}
            {prepared ? (
              <span className="actions">
                <button type="button" className="button" onClick={tryDemo}>
                  Try the built-in demo
                </button>
              </span>
            ) : null}
          </Note>
        ) : null}
        {settingUp ? null : (
          <>
            {target?.description && !target.prepared ? (
              <p className="about-model">
                <strong>{target.label}</strong> · {target.description}
              </p>
            ) : null}
            {target?.prepared ? (
              <div className="starters">
                <span className="badge">Demo – prepared text, no AI</span>
              </div>
            ) : null}
            {children}
            <div className="starters" role="group" aria-label="To begin with">
              {starters.map((starter) => (
                <button key={starter.label} type="button" className="starter" onClick={() => start(starter.text)}>
                  {starter.label}
                </button>
              ))}
            </div>
          </>
        )}
      </div>
    </div>
  );
}
