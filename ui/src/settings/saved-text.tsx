// A longer text that is saved when one pauses.
import { useEffect, useRef, useState } from "react";
import { Field } from "../controls/field";

const SAVED_AFTER_MS = 700;

interface SavedTextProps {
  label: string;
  hint: string;
  value: string;
  onSave: (text: string) => void;
}

export function SavedText({ label, hint, value, onSave }: SavedTextProps) {
  const [text, setText] = useState(value);
  const unsaved = useRef<string | null>(null);
  const save = useRef(onSave);
  useEffect(() => {
    save.current = onSave;
  });
  const flush = (): void => {
    if (unsaved.current === null) return;
    save.current(unsaved.current);
    unsaved.current = null;
  };
  useEffect(() => {
    const timer = setTimeout(flush, SAVED_AFTER_MS);
    return () => clearTimeout(timer);
  }, [text]);
  // The sheet may close before the pause has passed.
  useEffect(() => flush, []);
  return (
    <Field label={label} hint={hint}>
      {(ids) => (
        <textarea
          {...ids}
          className="input"
          rows={4}
          value={text}
          onChange={(event) => {
            unsaved.current = event.target.value;
            setText(event.target.value);
          }}
          onBlur={flush}
        />
      )}
    </Field>
  );
}
