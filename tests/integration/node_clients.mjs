// Vendors' official clients for Node, and the AI SDK, told by the environment where to go. Prints one JSON document of what they saw.
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";

const [which, model] = process.argv.slice(2);
const seen = {};

async function kindOf(call) {
  try {
    await call;
    return "none";
  } catch (error) {
    return [error.constructor.name, error.status ?? null, error.param ?? error.error?.error?.type ?? null];
  }
}

async function responses() {
  const client = new OpenAI({ maxRetries: 0 });
  const tools = [{ type: "function", name: "weather", parameters: { type: "object", properties: {} }, strict: false }];
  const stream = client.responses.stream({ model, input: "Hello", tools });
  seen.numbers = [];
  seen.deltas = "";
  for await (const event of stream) {
    seen.numbers.push(event.sequence_number);
    if (event.type === "response.output_text.delta") seen.deltas += event.delta;
  }
  const final = await stream.finalResponse();
  seen.text = final.output_text;
  seen.calls = final.output.filter((item) => item.type === "function_call").map((item) => [item.name, JSON.parse(item.arguments)]);
  seen.prompt = final.usage.input_tokens;
  const whole = await client.responses.create({ model: "demo", input: "code" });
  seen.whole = whole.output_text;
  seen.errors = [
    await kindOf(client.responses.create({ model, input: "Hello", store: true })),
    await kindOf(client.responses.create({ model: "no-such-model", input: "Hello" })),
    await kindOf(client.responses.retrieve("resp_1")),
  ];
}

async function messages() {
  const client = new Anthropic({ maxRetries: 0 });
  const asked = { model, max_tokens: 2000, messages: [{ role: "user", content: "Hello" }] };
  const tools = [{ name: "weather", input_schema: { type: "object", properties: {} } }];
  const stream = client.messages.stream({ ...asked, tools });
  seen.deltas = "";
  stream.on("text", (text) => { seen.deltas += text; });
  const final = await stream.finalMessage();
  seen.text = final.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  seen.calls = final.content.filter((block) => block.type === "tool_use").map((block) => [block.name, block.input]);
  const usage = final.usage;
  seen.prompt = usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  const whole = await client.messages.create({ ...asked, model: "demo", messages: [{ role: "user", content: "code" }] });
  seen.whole = whole.content[0].text;
  seen.counted = (await client.messages.countTokens({ model: "demo", messages: [{ role: "user", content: "code" }] })).input_tokens;
  seen.errors = [
    await kindOf(client.messages.create({ ...asked, max_tokens: 0 })),
    await kindOf(client.messages.create({ ...asked, model: "no-such-model" })),
    await kindOf(client.messages.batches.list()),
    await kindOf(new Anthropic({ apiKey: "pk-wrong", maxRetries: 0 }).messages.create(asked)),
  ];
}

async function toolLoop() {
  const { betaTool } = await import("@anthropic-ai/sdk/helpers/beta/json-schema");
  const client = new Anthropic({ maxRetries: 0 });
  const given = [];
  const weather = betaTool({
    name: "weather",
    description: "Of a place",
    inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    run: (input) => { given.push(input); return "dry"; },
  });
  const runner = client.beta.messages.toolRunner({
    model, max_tokens: 100, tools: [weather], messages: [{ role: "user", content: "Weather?" }],
  });
  const final = await runner.runUntilDone();
  seen.given = given;
  seen.text = final.content[0].text;
}

async function aiSdk() {
  globalThis.AI_SDK_LOG_WARNINGS = false; // they would stand before the document
  const { generateText, jsonSchema, stepCountIs, streamText, tool } = await import("ai");
  const { createAnthropic } = await import("@ai-sdk/anthropic");
  const { createOpenAI } = await import("@ai-sdk/openai");
  const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY });
  const anthropic = createAnthropic({ baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY });
  const models = { messages: anthropic(model), responses: openai.responses(model), chat: openai.chat(model) };
  for (const [over, spoken] of Object.entries(models)) {
    const given = [];
    const weather = tool({
      description: "Of a place",
      inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } }, required: ["city"] }),
      execute: async (input) => { given.push(input); return "dry"; },
    });
    const asked = { model: spoken, prompt: "Weather?", tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0 };
    const whole = await generateText(asked);
    const stream = streamText({ ...asked, onError: ({ error }) => { throw error; } });
    let streamed = "";
    for await (const piece of stream.textStream) streamed += piece;
    seen[over] = { text: whole.text, streamed, given };
  }
}

await { responses, messages, toolLoop, aiSdk }[which]();
process.stdout.write(JSON.stringify(seen));
