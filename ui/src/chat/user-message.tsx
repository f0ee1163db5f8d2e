// What the user wrote: copy, edit into another branch, and what became of it when the server did not take it.
import { Check, Copy, Paperclip, Pencil } from "lucide-react";
import { memo, useState } from "react";
import type { Problem } from "../api/problem";
import type { Message } from "../api/shapes";
import { useCopy } from "../controls/copy";
import { ProblemNote } from "../controls/problem-note";
import { answers } from "../parley";
import { Branches } from "./branches";

interface UserMessageProps {
  sessionId: string;
  text: string;
  last: boolean;
  message?: Message;
  pending?: boolean;
  refused?: Problem | null;
  onRetry?: () => void;
}

function EditBox({ text, onSave, onClose }: { text: string; onSave: (text: string) => void; onClose: () => void }) {
  const [edited, setEdited] = useState(text);
  return (
    <form
      className="edit-box"
      onSubmit={(event) => {
        event.preventDefault();
        if (edited.trim()) onSave(edited);
      }}
    >
      <textarea
        className="input"
        aria-label="Edit the message"
        autoFocus
        value={edited}
        onChange={(event) => setEdited(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          onClose();
        }}
      />
      <div className="actions">
        <button type="button" className="button quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="button primary" disabled={!edited.trim()}>
          Send as a new branch
        </button>
      </div>
    </form>
  );
}

export const UserMessage = memo(function UserMessage({ sessionId, text, last, message, pending, refused, onRetry }: UserMessageProps) {
  const [editing, setEditing] = useState(false);
  const { copied, copy } = useCopy();
  const files = message?.parts?.filter((part) => part.type === "image" || part.type === "file") ?? [];
  const save = (edited: string): void => {
    setEditing(false);
    if (!message) return;
    answers.dismiss(sessionId);
    void answers.ask(sessionId, { kind: "edit", messageId: message.id, text: edited });
  };
  return (
    <article className={`message user${pending && !refused ? " pending" : ""}${last ? " last" : ""}`} aria-label="You">
      {files.length > 0 ? (
        <div className="bubble-files">
          {files.map((file, index) => (
            <span key={index} className="file-chip still">
              <Paperclip size={14} aria-hidden />
              <span>{("name" in file && file.name) || file.mediaType}</span>
            </span>
          ))}
        </div>
      ) : null}
      {editing ? <EditBox text={text} onSave={save} onClose={() => setEditing(false)} /> : <div className="bubble">{text}</div>}
      {refused ? <ProblemNote title="This was not sent." problem={refused} onRetry={onRetry} /> : null}
      {message && !editing ? (
        <div className="message-foot">
          <Branches sessionId={sessionId} message={message} />
          <button type="button" className="icon-button small" aria-label={copied ? "Copied" : "Copy"} onClick={() => void copy(text)}>
            {copied ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
          </button>
          <button type="button" className="icon-button small" aria-label="Edit" title="Edit" onClick={() => setEditing(true)}>
            <Pencil size={15} aria-hidden />
          </button>
        </div>
      ) : null}
    </article>
  );
});
