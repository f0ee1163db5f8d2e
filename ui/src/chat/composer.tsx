// Where one writes: grows with the text, keeps a draft, sends on Enter, stops on the same button.
import { ArrowUp, LoaderCircle, Paperclip, Square, TriangleAlert, X } from "lucide-react";
import { useEffect, useRef, useState, type ClipboardEvent, type DragEvent, type KeyboardEvent, type ReactNode } from "react";
import { useAttaching, type Attached } from "./attaching";
import type { Drafts } from "./drafts";

/** True when the text has been taken over; false leaves it in the field. */
export type Sending = (text: string, attachments: readonly string[]) => Promise<boolean>;

interface ComposerProps {
  chat: string;
  drafts: Drafts;
  busy: boolean;
  stopping: boolean;
  /** A text to begin with; each new object is put in once. */
  insert: { text: string } | null;
  images: boolean;
  onSend: Sending;
  onStop: () => void;
  children: ReactNode;
}

const TOUCH = matchMedia("(pointer: coarse)");
const SIZES_ITSELF = CSS.supports("field-sizing", "content");
const IMAGES = "image/png,image/jpeg,image/gif,image/webp";
const TEXTS = "text/*,.md,.csv,.json,.py,.ts,.js,.html,.xml,.yaml,.toml,.log";

function resize(field: HTMLTextAreaElement | null): void {
  if (SIZES_ITSELF || !field) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

function FileIcon({ file }: { file: Attached }) {
  if (file.problem) return <TriangleAlert size={14} aria-hidden />;
  return file.id ? <Paperclip size={14} aria-hidden /> : <LoaderCircle size={14} className="spinner" aria-hidden />;
}

function FileChip({ file, onRemove }: { file: Attached; onRemove: () => void }) {
  return (
    <span className={file.problem ? "file-chip bad" : "file-chip"} title={file.name}>
      <FileIcon file={file} />
      <span>{file.problem ? `${file.name}: ${file.problem}` : file.name}</span>
      <button type="button" className="icon-button small" aria-label={`Remove ${file.name}`} onClick={onRemove}>
        <X size={14} aria-hidden />
      </button>
    </span>
  );
}

export function Composer({ chat, drafts, busy, stopping, insert, images, onSend, onStop, children }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  // What is on its way is still kept as a draft, but is no longer to be written.
  const [text, setText] = useState(() => (busy ? "" : drafts.get(chat)));
  const [sending, setSending] = useState(false);
  const [over, setOver] = useState(false);
  const attaching = useAttaching();

  useEffect(() => {
    if (!TOUCH.matches) field.current?.focus();
    resize(field.current);
  }, []);

  const write = (written: string): void => {
    setText(written);
    drafts.keep(chat, written);
  };

  useEffect(() => {
    if (insert === null) return;
    setText(insert.text);
    drafts.keep(chat, insert.text);
    field.current?.focus();
    requestAnimationFrame(() => resize(field.current));
  }, [insert, chat, drafts]);

  const uploading = attaching.files.some((file) => file.id === null && file.problem === null);
  const sendable = text.trim() !== "" && !busy && !sending && !uploading;

  const send = async (): Promise<void> => {
    if (!sendable) return;
    setSending(true);
    const attachments = attaching.files.map((file) => file.id).filter((id) => id !== null);
    // The draft stays stored until the server has the text: a reload or a refusal loses nothing.
    if (await onSend(text, attachments)) {
      setText("");
      attaching.clear();
      requestAnimationFrame(() => resize(field.current));
    }
    setSending(false);
  };

  const press = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || TOUCH.matches) return;
    event.preventDefault();
    void send();
  };

  const paste = (event: ClipboardEvent): void => {
    if (event.clipboardData.files.length === 0 || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    attaching.add(event.clipboardData.files);
  };

  const drop = (event: DragEvent): void => {
    setOver(false);
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    attaching.add(event.dataTransfer.files);
  };

  return (
    <div>
      <form
        className={over ? "composer over" : "composer"}
        aria-label="Message"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
        onDragOver={(event) => {
          if (!event.dataTransfer.types.includes("Files")) return;
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {attaching.files.length > 0 ? (
          <div className="composer-files">
            {attaching.files.map((file) => (
              <FileChip key={file.key} file={file} onRemove={() => attaching.remove(file.key)} />
            ))}
          </div>
        ) : null}
        <textarea
          ref={field}
          id="message"
          rows={1}
          placeholder="Write a message"
          aria-label="Message"
          value={text}
          onChange={(event) => {
            write(event.target.value);
            resize(event.target);
          }}
          onKeyDown={press}
          onPaste={paste}
        />
        <div className="composer-row">
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            accept={images ? `${IMAGES},${TEXTS}` : TEXTS}
            onChange={(event) => {
              attaching.add(event.target.files ?? []);
              event.target.value = "";
            }}
          />
          <button type="button" className="icon-button" aria-label="Attach files" title="Attach files" onClick={() => picker.current?.click()}>
            <Paperclip size={18} aria-hidden />
          </button>
          {children}
          <span className="space" />
          {busy ? (
            <button type="button" className="send stop" aria-label="Stop" title="Stop (Esc)" disabled={stopping} onClick={onStop}>
              {stopping ? <LoaderCircle size={17} className="spinner" aria-hidden /> : <Square size={13} fill="currentColor" aria-hidden />}
            </button>
          ) : (
            <button type="submit" className="send" aria-label="Send" title="Send (Enter)" disabled={!sendable}>
              {sending ? <LoaderCircle size={17} className="spinner" aria-hidden /> : <ArrowUp size={19} aria-hidden />}
            </button>
          )}
        </div>
      </form>
    </div>
  );
}
