// OpenAI's official client for Node, told by its environment where to go. Prints one JSON document of what it saw.
import OpenAI from "openai";

const [model] = process.argv.slice(2);
const client = new OpenAI({ maxRetries: 0 });
const messages = [{ role: "user", content: "Hello" }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
const seen = { text: "", chunks: 0 };

const stream = await client.chat.completions.create({
  model, messages, tools, stream: true, stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  seen.chunks += 1;
  seen.usage = chunk.usage ?? seen.usage;
  seen.text += chunk.choices[0]?.delta?.content ?? "";
}
const final = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
seen.calls = (final.choices[0].message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]);
const models = await client.models.list();
seen.models = models.data.map((listed) => listed.id);

async function kindOf(call) {
  try {
    await call;
    return "none";
  } catch (error) {
    return [error.constructor.name, error.status ?? null, error.param ?? null];
  }
}
seen.errors = [
  await kindOf(client.chat.completions.create({ model, messages, n: 2 })),
  await kindOf(client.chat.completions.create({ model: "no-such-model", messages })),
  await kindOf(new OpenAI({ apiKey: "pk-wrong", maxRetries: 0 }).models.list()),
  await kindOf(client.images.generate({ prompt: "a cat" })),
];
process.stdout.write(JSON.stringify(seen));
