// What is recorded, as it is recorded. It is read with fetch, for an EventSource cannot send a token.
import { h, fill, clock, entity } from "./dom.js";
import { headers, refusal, Refused } from "./door.js";

/** Events that are shown as they come. */
const LATEST = 12;
const latest = [];
let planned = false;

/** Shows an event among the latest, once a frame at most. */
export function tell(event, place) {
  latest.unshift(event);
  latest.length = Math.min(latest.length, LATEST);
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    const list = place();
    if (list) fill(list, latest, ({ position }) => String(position), line);
  });
}

function line({ kind, entity_id: id, event, at, identity }) {
  return h("li.row", null, h("span.what", null, h("span.question", null, `${kind} `, entity(kind, id))), h("b", null, event.replaceAll("_", " ")), h("span.when", null, identity && `by ${identity}`, clock(at, "ago")));
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Follows what is recorded after a position, until the signal. A stream that ends is taken up where it stood, with
 * Last-Event-ID; one that says nothing for 40 s (it says something every 15) is given up. A position the server does not
 * know is told to `lost`, which gives a new one.
 */
export async function follow(position, signal, { event, state, lost }) {
  let last = position;
  for (let tries = 0; !signal.aborted; ) {
    const cut = new AbortController();
    signal.addEventListener("abort", () => cut.abort(), { signal: cut.signal });
    let watchdog = setTimeout(() => cut.abort(), 40_000);
    try {
      const options = { headers: headers({ accept: "text/event-stream", "last-event-id": String(last) }), cache: "no-store", credentials: "omit", signal: cut.signal };
      const response = await fetch("api/v1/events", options);
      if (!response.ok) throw await refusal(response);
      state("live");
      tries = 0;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) break;
        clearTimeout(watchdog);
        watchdog = setTimeout(() => cut.abort(), 40_000);
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const field = (name) => block.split("\n").find((line) => line.startsWith(name))?.slice(name.length);
          const data = field("data: ");
          last = field("id: ") ?? last;
          if (data && !block.includes("event: failure")) event(JSON.parse(data));
        }
      }
    } catch (error) {
      if (error instanceof Refused && error.status >= 400 && error.status < 500) {
        const again = await lost(error);
        if (again === undefined) return;
        last = again;
      }
    } finally {
      clearTimeout(watchdog);
      cut.abort();
    }
    if (signal.aborted) return;
    state("reconnecting");
    tries += 1;
    await pause(Math.min(15_000, 500 * 2 ** Math.min(tries, 5)) * (0.7 + Math.random() * 0.6));
  }
}
