// Chat beside the live card. Talks to its own server alone.

const $ = (id) => document.getElementById(id);
const messages = [];
let model = null;
let answering = null;

const key = $("key");
key.value = sessionStorage.getItem("key") ?? "";
key.addEventListener("change", () => sessionStorage.setItem("key", key.value));

function headers() {
  const all = { "content-type": "application/json" };
  if (key.value) all.authorization = `Bearer ${key.value}`;
  return all;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// The conversation

function show(role, text) {
  const box = element("div", `message ${role}`);
  box.append(element("b", "", { user: "You", assistant: "Model", error: "Error" }[role]));
  const said = element("span", "", text);
  box.append(said);
  $("messages").append(box);
  $("messages").scrollTop = $("messages").scrollHeight;
  return said;
}

function busy(is) {
  $("send").disabled = is;
  $("stop").disabled = !is;
}

/** What is asked; fields that are left empty are the server's to choose. */
function request() {
  const body = { model, messages, stream: true, stream_options: { include_usage: true } };
  for (const [field, name] of [["temperature", "temperature"], ["most", "max_tokens"], ["seed", "seed"]]) {
    if ($(field).value !== "") body[name] = Number($(field).value);
  }
  return JSON.stringify(body);
}

/** The events of a stream, until [DONE]. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "data: [DONE]") return;
      if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
  }
}

async function answer() {
  answering = new AbortController();
  busy(true);
  const said = show("assistant", "");
  let text = "";
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST", headers: headers(), body: request(), signal: answering.signal,
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      text += event.choices[0]?.delta.content ?? "";
      said.textContent = text;
      $("messages").scrollTop = $("messages").scrollHeight;
      if (event.usage) {
        const { prompt_tokens, completion_tokens, prompt_tokens_details } = event.usage;
        $("used").textContent =
          `${prompt_tokens} tokens read (${prompt_tokens_details.cached_tokens} kept), ${completion_tokens} made`;
      }
    }
  } catch (error) {
    if (error.name !== "AbortError") show("error", error.message);
  }
  messages.push({ role: "assistant", content: text });
  answering = null;
  busy(false);
}

function send() {
  const text = $("say").value;
  if (answering || text === "") return;
  messages.push({ role: "user", content: text });
  show("user", text);
  $("say").value = "";
  $("say").focus();
  answer();
}

$("form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("say").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") answering?.abort(); });
$("stop").addEventListener("click", () => answering?.abort());
$("new").addEventListener("click", () => {
  answering?.abort();
  messages.length = 0;
  $("messages").replaceChildren();
  $("used").textContent = "";
  $("say").focus();
});

// The card

let before = null;

/** A counter's growth a second since the last look. */
function rate(now, name) {
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  return seconds > 0 ? (now.scheduler[name] - before.scheduler[name]) / seconds : 0;
}

function share(part, whole) {
  return whole ? `${Math.round((100 * part) / whole)} %` : "–";
}

function figures(now) {
  const s = now.scheduler;
  return [
    ["Tokens a second", rate(now, "completion_tokens").toFixed(0)],
    ["Passes a second", rate(now, "passes").toFixed(0)],
    ["Answers in work", s.running],
    ["Waiting", s.queued],
    ["Prompt tokens kept", s.prefix_tokens],
    ["Drafts right", share(s.drafts_accepted, s.drafts_proposed)],
    ["Failovers", s.failovers],
    ["Preemptions", s.preemptions],
    ["Slots left empty", share(s.bubbles, s.slots)],
  ];
}

/** A device; `idle` when nothing is in work, and the last pass is over for good. */
function device(d, idle) {
  const sitting = idle ? [] : d.seats;
  const box = element("article", "device");
  box.append(element("h3", "", `${d.name} · ${d.slots} slots · ${d.tier}`));
  if (!d.up) box.append(element("p", "down", `down: ${d.error ?? "it failed"}`));
  const seats = element("div", "seats");
  seats.setAttribute("role", "img");
  const taken = sitting.filter((seat) => seat.role === "decode").length;
  seats.setAttribute("aria-label",
    `last pass: ${sitting.length} of ${d.slots} slots taken, ${taken} of them by answers`);
  for (let i = 0; i < Math.min(d.slots, 128); i++) {
    const seat = sitting[i];
    seats.append(element("span", `seat ${seat?.role ?? ""}`, seat ? String(seat.request) : ""));
  }
  box.append(seats);
  const pages = element("meter");
  pages.max = d.pages.budget;
  pages.value = d.pages.used;
  const text = `KV pages: ${d.pages.used} of ${d.pages.budget}, ${d.pages.cached} of them kept for later`;
  pages.setAttribute("aria-label", text);
  box.append(pages, element("p", "facts", text));
  box.append(element("p", "facts", `last pass ${(1000 * d.last_pass_s).toFixed(2)} ms, ${d.passes} passes`));
  return box;
}

async function look() {
  if (!document.hidden) {
    try {
      const response = await fetch("/status", { headers: headers(), signal: AbortSignal.timeout(5000) });
      const now = await response.json();
      if (!response.ok) throw new Error(now.error.message);
      now.at = performance.now();
      model = now.model;
      $("model").textContent = `${now.model} · context ${now.context}`;
      $("state").textContent = "";
      $("figures").replaceChildren(...figures(now).map(([name, value]) => {
        const pair = element("div");
        pair.append(element("dt", "", name), element("dd", "", value));
        return pair;
      }));
      $("devices").replaceChildren(...now.scheduler.devices.map((d) => device(d, now.scheduler.running === 0)));
      before = now;
    } catch (error) {
      $("state").textContent = `no status: ${error.message}`;
      before = null;
    }
  }
  setTimeout(look, 500);
}

look();
