// Light, dark, or as the system has it.
import { Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { appearance, setAppearance, type Appearance } from "../appearance";

const CHOICES: readonly { value: Appearance; label: string; icon: typeof Sun }[] = [
  { value: "light", label: "Light", icon: Sun },
  { value: "dark", label: "Dark", icon: Moon },
  { value: "system", label: "System", icon: Monitor },
];

export function AppearanceSection() {
  const [chosen, setChosen] = useState(appearance);
  return (
    <fieldset className="field">
      <legend className="label">Colours</legend>
      <div>
        <div className="segments">
          {CHOICES.map(({ value, label, icon: Icon }) => (
            <label key={value}>
              <input
                type="radio"
                name="appearance"
                checked={chosen === value}
                onChange={() => {
                  setAppearance(value);
                  setChosen(value);
                }}
              />
              <Icon size={16} aria-hidden /> {label}
            </label>
          ))}
        </div>
      </div>
      <span className="hint">Kept on this device.</span>
    </fieldset>
  );
}
