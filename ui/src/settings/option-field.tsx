// One option of a provider as a field, made from its JSON Schema. "Model default" is always a choice of its own, and never 0 or "".
import { useEffect, useState, type ReactNode } from "react";
import type { OptionSchema } from "../api/shapes";
import { Field, type FieldIds } from "../controls/field";
import { sentence } from "../controls/sentence";

const SAVED_AFTER_MS = 500;

/** The schema that counts where one alternative is "nothing". */
function meant(schema: OptionSchema): OptionSchema {
  const alternatives = schema.anyOf?.filter((other) => other.type !== "null") ?? [];
  const only = alternatives.length === 1 ? alternatives[0] : undefined;
  return only ? { ...schema, ...only } : schema;
}

function typeOf(schema: OptionSchema): string {
  if (schema.enum) return "choice";
  const type = Array.isArray(schema.type) ? schema.type.find((other) => other !== "null") : schema.type;
  if (type === "array") return schema.items?.type === "string" ? "lines" : "json";
  return type === "boolean" || type === "number" || type === "integer" || type === "string" ? type : "json";
}

interface ValueProps {
  ids: FieldIds;
  schema: OptionSchema;
  value: unknown;
  disabled: boolean;
  onChange: (value: unknown) => void;
}

const NONE = "";

function ChoiceValue({ ids, value, disabled, onChange, choices }: ValueProps & { choices: readonly unknown[] }) {
  return (
    <select
      {...ids}
      className="input"
      disabled={disabled}
      value={value === null || value === undefined ? NONE : JSON.stringify(value)}
      onChange={(event) => onChange(event.target.value === NONE ? null : JSON.parse(event.target.value))}
    >
      <option value={NONE}>Model default</option>
      {choices.map((choice) => (
        <option key={String(choice)} value={JSON.stringify(choice)}>
          {choice === true ? "On" : choice === false ? "Off" : String(choice)}
        </option>
      ))}
    </select>
  );
}

/** The text of a field as a value: undefined where it is none. */
function read(type: string, text: string): unknown {
  if (text.trim() === "") return null;
  if (type === "string") return text;
  if (type === "lines") return text.split("\n").filter((line) => line !== "");
  if (type === "json") {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return undefined;
    }
  }
  const number = Number(text);
  if (!Number.isFinite(number) || (type === "integer" && !Number.isInteger(number))) return undefined;
  return number;
}

function written(type: string, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (type === "lines" && Array.isArray(value)) return value.join("\n");
  return type === "json" ? JSON.stringify(value, null, 2) : String(value);
}

function TextValue({ ids, schema, value, disabled, onChange, onWrong }: ValueProps & { onWrong: (wrong: boolean) => void }) {
  const type = typeOf(schema);
  const stored = written(type, value);
  const [text, setText] = useState(stored);
  const [edited, setEdited] = useState(false);
  useEffect(() => {
    if (!edited) setText(stored);
  }, [stored, edited]);
  useEffect(() => {
    if (!edited) return;
    const timer = setTimeout(() => {
      const readValue = read(type, text);
      onWrong(readValue === undefined);
      if (readValue !== undefined) onChange(readValue);
      setEdited(false);
    }, SAVED_AFTER_MS);
    return () => clearTimeout(timer);
    // The field saves what was typed last; another identity of the callbacks is no reason to save again.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [edited, text, type]);
  const edit = (given: string): void => {
    setText(given);
    setEdited(true);
  };
  const shared = { ...ids, className: "input", disabled, placeholder: "Model default", value: text };
  if (type === "lines" || type === "json") return <textarea {...shared} rows={3} onChange={(event) => edit(event.target.value)} />;
  const numeric = type === "number" || type === "integer";
  return (
    <input
      {...shared}
      type={numeric ? "number" : "text"}
      inputMode={type === "integer" ? "numeric" : numeric ? "decimal" : undefined}
      min={schema.minimum}
      max={schema.maximum}
      step={type === "number" ? "any" : undefined}
      onChange={(event) => edit(event.target.value)}
    />
  );
}

function SliderValue({ ids, schema, value, disabled, onChange }: ValueProps) {
  const minimum = schema.minimum ?? 0;
  const maximum = schema.maximum ?? 1;
  const set = typeof value === "number";
  const [moved, setMoved] = useState<number | null>(null);
  const shown = moved ?? (set ? value : (minimum + maximum) / 2);
  return (
    <>
      <label className="check">
        <input
          type="checkbox"
          disabled={disabled}
          checked={!set && moved === null}
          onChange={(event) => {
            setMoved(null);
            onChange(event.target.checked ? null : (minimum + maximum) / 2);
          }}
        />
        Model default
      </label>
      <div className="slider-row">
        <input
          {...ids}
          type="range"
          min={minimum}
          max={maximum}
          step={0.05}
          disabled={disabled || (!set && moved === null)}
          value={shown}
          onChange={(event) => setMoved(Number(event.target.value))}
          onPointerUp={() => moved !== null && onChange(moved)}
          onKeyUp={() => moved !== null && onChange(moved)}
          onBlur={() => moved !== null && onChange(moved)}
        />
        <output htmlFor={ids.id}>{set || moved !== null ? shown.toFixed(2) : "–"}</output>
      </div>
    </>
  );
}

interface OptionFieldProps {
  label: string;
  schema: OptionSchema;
  value: unknown;
  /** Why it cannot be set. */
  unavailable?: string | null;
  wrong?: string | null;
  onChange: (value: unknown) => void;
}

export function OptionField({ label, schema: given, value, unavailable, wrong, onChange }: OptionFieldProps) {
  const [invalid, setInvalid] = useState(false);
  const schema = meant(given);
  const type = typeOf(schema);
  const disabled = Boolean(unavailable);
  const hint = unavailable ?? sentence(schema.description ?? "");
  const values = (ids: FieldIds): ReactNode => {
    const props: ValueProps = { ids, schema, value, disabled, onChange };
    if (type === "choice") return <ChoiceValue {...props} choices={schema.enum ?? []} />;
    if (type === "boolean") return <ChoiceValue {...props} choices={[true, false]} />;
    const ranged = schema.minimum !== undefined && schema.maximum !== undefined;
    if (type === "number" && ranged) return <SliderValue {...props} />;
    return <TextValue {...props} onWrong={setInvalid} />;
  };
  return (
    <Field label={label} hint={hint} wrong={invalid ? "This is not a value that can be saved." : wrong}>
      {values}
    </Field>
  );
}
