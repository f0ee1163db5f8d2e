// A field and the rows it leaves: chosen by the arrow keys and Enter, or by touch.
import { Check, X, type LucideIcon } from "lucide-react";
import { Fragment, useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

export type Mark = readonly [start: number, end: number];

export interface Option {
  id: string;
  title: string;
  note?: string;
  group?: string;
  icon?: LucideIcon;
  /** What to mark: pairs of start and end, counted in characters. */
  titleMarks?: readonly Mark[];
  noteMarks?: readonly Mark[];
  chosen?: boolean;
  disabled?: boolean;
}

interface OptionsProps {
  label: string;
  icon: LucideIcon;
  text: string;
  onText: (text: string) => void;
  options: readonly Option[];
  empty: string;
  onChoose: (id: string) => void;
  onClose: () => void;
}

/** The server counts characters as whole code points, JavaScript counts halves of some. */
function Marked({ text, marks = [] }: { text: string; marks?: readonly Mark[] | undefined }): ReactNode {
  if (marks.length === 0) return text;
  const characters = [...text];
  const between = (start: number, end?: number): string => characters.slice(start, end).join("");
  return (
    <>
      {marks.map(([start, end], index) => (
        <Fragment key={start}>
          {between(marks[index - 1]?.[1] ?? 0, start)}
          <mark>{between(start, end)}</mark>
        </Fragment>
      ))}
      {between(marks.at(-1)?.[1] ?? 0)}
    </>
  );
}

function Row({ option, id, active, onChoose, onActive }: { option: Option; id: string; active: boolean; onChoose: () => void; onActive: () => void }) {
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (active) row.current?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const Icon = option.icon;
  return (
    <div
      ref={row}
      id={id}
      role="option"
      className="option"
      aria-selected={active}
      aria-disabled={option.disabled ?? false}
      onClick={option.disabled ? undefined : onChoose}
      onPointerMove={active ? undefined : onActive}
    >
      <span className="option-title">
        {Icon ? <Icon size={16} aria-hidden /> : null}
        <span>
          <Marked text={option.title} marks={option.titleMarks} />
        </span>
        {option.chosen ? <Check size={16} aria-label="chosen" /> : null}
      </span>
      {option.note ? (
        <span className="option-note">
          <Marked text={option.note} marks={option.noteMarks} />
        </span>
      ) : null}
    </div>
  );
}

export function Options({ label, icon: Icon, text, onText, options, empty, onChoose, onClose }: OptionsProps) {
  const id = useId();
  const [active, setActive] = useState(0);
  const index = Math.min(active, options.length - 1);
  const press = (event: KeyboardEvent): void => {
    if (event.nativeEvent.isComposing) return;
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && options.length > 0) {
      event.preventDefault();
      setActive((index + step + options.length) % options.length);
    }
    const option = options[index];
    if (event.key === "Enter" && option && !option.disabled) {
      event.preventDefault();
      onChoose(option.id);
    }
  };
  return (
    <>
      <div className="search-line">
        <Icon size={18} aria-hidden />
        <input
          autoFocus
          type="text"
          role="combobox"
          aria-label={label}
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={options.length > 0 ? `${id}-${index}` : undefined}
          placeholder={label}
          spellCheck={false}
          value={text}
          onChange={(event) => {
            onText(event.target.value);
            setActive(0);
          }}
          onKeyDown={press}
        />
        <button type="button" className="icon-button" aria-label="Close" onClick={onClose}>
          <X size={18} aria-hidden />
        </button>
      </div>
      <div className="options" role="listbox" id={id} aria-label={label}>
        {options.length === 0 ? <p className="nothing">{empty}</p> : null}
        {options.map((option, position) => (
          <div key={option.id} role="presentation">
            {option.group && option.group !== options[position - 1]?.group ? (
              <div className="group" role="presentation">
                {option.group}
              </div>
            ) : null}
            <Row
              option={option}
              id={`${id}-${position}`}
              active={position === index}
              onChoose={() => onChoose(option.id)}
              onActive={() => setActive(position)}
            />
          </div>
        ))}
      </div>
    </>
  );
}
