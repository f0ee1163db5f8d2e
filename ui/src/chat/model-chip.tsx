// The model that answers, and the way to another one.
import { ChevronDown, Search } from "lucide-react";
import { useState } from "react";
import type { Model, Provider, Providers } from "../api/shapes";
import { Modal } from "../controls/modal";
import { Options, type Option } from "../controls/options";
import { askable, isReady } from "../data";
import { defaultModel, labelOf, type ShownTarget, type Target } from "./target";

const count = new Intl.NumberFormat("en", { notation: "compact" });
const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", minimumFractionDigits: 0, maximumFractionDigits: 4 });

function noteOf(provider: Provider, model: Model | undefined): string {
  if (!isReady(provider)) return provider.reason ?? "It cannot be asked now.";
  const facts = [model?.description || (model ? "" : provider.description)];
  if (model?.contextTokens) facts.push(`${count.format(model.contextTokens)} tokens of context`);
  if (model?.pricing) facts.push(`${dollars.format(model.pricing.input)} in, ${dollars.format(model.pricing.output)} out per million`);
  return facts.filter(Boolean).join(" · ");
}

function optionsOf(providers: Providers, target: ShownTarget | null, text: string): Option[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = askable(providers).flatMap((provider) => {
    const models: (Model | undefined)[] = provider.models?.length && isReady(provider) ? provider.models : [undefined];
    return models.map((model) => ({ provider, model }));
  });
  return rows
    .filter(({ provider, model }) => {
      const about = [provider.name, provider.label, provider.description, model?.id, model?.label, model?.description];
      const searched = about.join(" ").toLowerCase();
      return words.every((word) => searched.includes(word));
    })
    .sort((one, other) => Number(isReady(other.provider)) - Number(isReady(one.provider)))
    .map(({ provider, model }) => ({
      id: JSON.stringify([provider.name, model?.id ?? defaultModel(provider)]),
      title: model ? labelOf(model) : provider.label,
      note: noteOf(provider, model),
      group: isReady(provider) ? provider.label : "Not available",
      disabled: !isReady(provider),
      chosen: target?.provider === provider.name && target.model === (model?.id ?? ""),
    }));
}

interface ModelChipProps {
  providers: Providers | undefined;
  target: ShownTarget | null;
  onChoose: (target: Target) => void;
}

export function ModelChip({ providers, target, onChoose }: ModelChipProps) {
  const [choosing, setChoosing] = useState(false);
  const [text, setText] = useState("");
  const close = (): void => {
    setChoosing(false);
    setText("");
  };
  return (
    <>
      <button type="button" className="chip-button" aria-haspopup="dialog" title={target?.description} onClick={() => setChoosing(true)}>
        <span>{target?.label ?? "Choose a model"}</span>
        <ChevronDown size={15} aria-hidden />
      </button>
      {choosing && providers ? (
        <Modal className="search-box" label="Choose a model" onClose={close}>
          <Options
            label="Search models"
            icon={Search}
            text={text}
            onText={setText}
            options={optionsOf(providers, target, text)}
            empty="No model has this in its name or description."
            onClose={close}
            onChoose={(id) => {
              const [provider, model] = JSON.parse(id) as [string, string];
              close();
              onChoose({ provider, model });
            }}
          />
        </Modal>
      ) : null}
    </>
  );
}
