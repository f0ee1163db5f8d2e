// OpenAI's official client for Node, told by its environment where to go. Prints one JSON document of the vectors it saw.
import OpenAI from "openai";

const [model, count] = process.argv.slice(2);
const client = new OpenAI({ maxRetries: 0 });
const input = Array.from({ length: Number(count) }, (_, number) => `text ${number}`);

const packed = await client.embeddings.create({ model, input });
const plain = await client.embeddings.create({ model, input, encoding_format: "float" });
let error = "none";
try {
  await client.embeddings.create({ model, input: [1, 2, 3] });
} catch (caught) {
  error = [caught.constructor.name, caught.status ?? null, caught.param ?? null];
}
const seen = {
  packed: packed.data.map((item) => Array.from(item.embedding)),
  plain: plain.data.map((item) => item.embedding),
  tokens: plain.usage.prompt_tokens,
  error,
};
process.stdout.write(JSON.stringify(seen));
