// The page: what it shows first, how it stays true, and who looks at it.
import { h, fill, num, say, setClock } from "./dom.js";
import { ask, session } from "./door.js";
import { LISTS, changedBy, section, tiles } from "./parts.js";

const VOTER = "quorate.voter";
const main = document.getElementById("main");
const live = document.getElementById("live");
const who = document.getElementById("who");

/** What is shown: the last view, the voter, and the cursors of the pages that were turned. */
const state = { view: null, voter: sessionStorage.getItem(VOTER) ?? "", turned: {}, sizes: {} };
let board = null;
let opened = null;
let following = new AbortController();

async function load(parts) {
  const query = new URLSearchParams();
  if (parts) query.set("parts", parts.join(","));
  if (state.voter) query.set("voter", state.voter);
  for (const [part, cursors] of Object.entries(state.turned)) {
    if (cursors.length) query.set(`after.${part}`, cursors.at(-1));
  }
  const { view } = await ask(`page/view?${query}`);
  setClock(view.now);
  if (parts && state.view) {
    for (const part of parts) delete state.view.parts[part];
    view.parts = { ...state.view.parts, ...view.parts };
  }
  state.view = view;
  return view;
}

// What events change is asked for again: at once, then at most once a second, and never more than a fifth of the time.
const dirty = new Set();
let everything = false;
let timer;
let busy = false;
let next = 0;

function touch(parts) {
  if (parts) parts.forEach((part) => dirty.add(part));
  else everything = true;
  plan();
}

function plan() {
  if (timer || busy || document.hidden || !board || !(dirty.size || everything)) return;
  timer = setTimeout(refresh, Math.max(120, next - performance.now()));
}

async function refresh() {
  timer = undefined;
  busy = true;
  const began = performance.now();
  const parts = everything ? undefined : [...dirty];
  everything = false;
  dirty.clear();
  try {
    await load(parts);
    board?.show();
  } catch (error) {
    told(error);
    // Whoever cannot be reached is asked again as soon as the stream is there again.
    everything ||= error.kind !== "unreachable";
  } finally {
    busy = false;
    next = performance.now() + Math.max(everything ? 5000 : 1000, 4 * (performance.now() - began));
    plan();
  }
}

function told(error) {
  if (error.status === 401) signIn(error);
  else if (error.kind !== "unreachable") say(`${error.kind}: ${error.message}`, true);
}

const act = {
  async vote(kind, id) {
    const { openVote } = await import("./vote.js");
    openVote({
      kind, id, voter: state.voter || state.view?.voter || "", voters: ownVoters(),
      voted(voter, text) {
        if (!state.voter) setVoter(voter);
        say(text);
        touch(changedBy(kind));
      },
    });
  },
  page(part, by) {
    const cursors = (state.turned[part] ??= []);
    if (by > 0) cursors.push(state.view.parts[part].reply.next_cursor);
    else cursors.pop();
    document.querySelector(`#${part} h2`)?.focus();
    touch([part]);
  },
  lines(part) {
    return state.sizes[part] ?? 0;
  },
};

/** The voters and agents the identity acts as, one by one; none where it may act as any of many. */
function ownVoters() {
  const parties = state.view?.identity?.acts_as ?? [];
  const own = parties.filter((party) => /^((voter|agent):|\*)/.test(party));
  if (own.some((party) => party.endsWith("*"))) return [];
  return [...new Set(own.map((party) => party.slice(6)))];
}

function setVoter(voter) {
  state.voter = voter;
  sessionStorage.setItem(VOTER, voter);
}

const WAITING = LISTS.filter((list) => list.at === "waiting");

function makeBoard() {
  const numbers = h("dl.tiles");
  const sections = LISTS.filter((list) => list.title).map((list) => ({ list, ...section(list, act) }));
  const at = (place) => sections.filter(({ list }) => list.at === place).map(({ node }) => node);
  const count = h("span.count");
  const waitingRows = h("ul.rows", { "aria-labelledby": "h-waiting" });
  const waitingNote = h("p.quiet");
  const voterBox = h("span");
  const waiting = h("section.card.accented", { "aria-labelledby": "h-waiting", id: "waiting" }, h("div.head", null, h("h2", { tabindex: -1, id: "h-waiting" }, "Waiting for your vote ", count), voterBox), waitingRows, waitingNote);
  const latest = h("ul.rows.latest", { "aria-labelledby": "h-latest" }, h("li.quiet", null, "Nothing was recorded."));
  const verdict = h("div", { role: "status" });
  const verify = h("button", { type: "button", click: async () => (await import("./entity.js")).verify(verify, verdict) }, "Verify the history");
  const history = h("section.card", { "aria-labelledby": "h-history" }, h("h2", { id: "h-history" }, "History"), h("p.quiet", null, "Checks every hash, link and sequence of the journal."), verify, verdict, h("h3", { id: "h-latest" }, "Since this page was opened"), latest);
  const node = h("div", null, h("h1.hidden", null, "Overview"), numbers, at("top"), waiting, h("div.columns", null, h("div", null, at("left"), history), h("div", null, at("right"))));
  let shownVoter;

  function show() {
    const view = state.view;
    const voter = state.voter || view.voter;
    const known = WAITING.filter((list) => view.parts[list.part]);
    const items = known.flatMap((list) => (view.parts[list.part].reply?.[list.rows] ?? []).map((line) => ({ list, line })));
    items.sort((a, b) => Date.parse(a.line.deadline) - Date.parse(b.line.deadline));
    const sum = known.reduce((total, list) => total + (view.parts[list.part].reply?.awaiting ?? 0), 0);
    numbers.replaceChildren(...tiles(view, voter ? sum : undefined).filter(Boolean));
    const isMore = known.some((list) => view.parts[list.part].reply?.more);
    count.textContent = voter ? `${num(sum)}${isMore ? "+" : ""}` : "";
    const most = items.slice(0, 20);
    fill(waitingRows, most.map(({ list, line }) => ({ part: list.part, line })), (item) => item.line.quorum_id ?? item.line.proposal_id ?? item.line.session_id, (item) => WAITING.find((list) => list.part === item.part).row(item.line, act));
    const more = sum - most.length;
    const refused = known.map((list) => view.parts[list.part].error).find(Boolean);
    waitingNote.textContent = !voter ? "Say as whom you vote to see what waits for you." : refused ? `Not shown: ${refused.kind}. ${refused.message}` : more > 0 ? `${num(more)}${isMore ? "+" : ""} more` : sum ? "" : `Nothing waits for a vote of ${voter}.`;
    waitingNote.hidden = !waitingNote.textContent;
    if (shownVoter !== `${voter} ${ownVoters()}`) {
      shownVoter = `${voter} ${ownVoters()}`;
      voterBox.replaceChildren(voterForm(voter ?? ""));
    }
    for (const { list, show: showList } of sections) {
      const depth = state.turned[list.part]?.length ?? 0;
      if (!depth) state.sizes[list.part] = view.parts[list.part]?.reply?.[list.rows]?.length ?? 0;
      showList(view, depth);
    }
    showWho();
  }
  return { node, show, latest };
}

function voterForm(voter) {
  const choose = (text) => {
    setVoter(text.trim());
    touch(["waiting_quorums", "waiting_proposals", "waiting_sessions"]);
  };
  const own = ownVoters();
  if (own.length) {
    const select = h("select", { "aria-label": "Vote as", change: () => choose(select.value) }, own.map((id) => h("option", { value: id, selected: id === voter }, id)));
    return h("label.inline", null, "Vote as", select);
  }
  const input = h("input", { value: voter, "aria-label": "Vote as", placeholder: "voter or agent", maxlength: 512, autocomplete: "off", spellcheck: "false" });
  return h("form.inline", { submit: (event) => { event.preventDefault(); choose(input.value); } }, h("span", null, "Vote as"), input, h("button.small", null, "Show"));
}

function showWho() {
  const { identity, asks_who_calls: asks } = state.view;
  const out = h("button.small", { type: "button", click: () => { session.close(); sessionStorage.removeItem(VOTER); location.reload(); } }, "Sign out");
  if (identity) who.replaceChildren(h("span", null, identity.name), out);
  else who.replaceChildren(h("span", { title: "No identity was made yet, so whoever reaches this server may do everything." }, asks ? "owner" : "open to all"));
}

async function signIn(error) {
  following.abort();
  if (main.querySelector(".sign")) return;
  board = null;
  opened = null;
  who.replaceChildren();
  live.textContent = "signed out";
  live.dataset.state = "off";
  const { askToken } = await import("./sign.js");
  askToken(main, error, { load, signedIn: () => start() });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function route() {
  const [, place, kind, id] = location.hash.split("/").map(decoded);
  if (!state.view) return;
  showWho();
  if (place === "entity" && id) {
    board = null;
    const { openEntity } = await import("./entity.js");
    opened = openEntity(main, { kind, id }, act);
    return;
  }
  opened = null;
  document.title = "Quorate";
  board = makeBoard();
  main.replaceChildren(board.node);
  board.show();
  plan();

}

/** Begins with a view that is there already. */
async function start() {
  route();
  document.head.append(h("link", { rel: "stylesheet", href: "page/more.css" }));
  await import("./side.js");
  board?.show();
  const { follow, tell } = await import("./live.js");
  following = new AbortController();
  let isAgain = false;
  follow(state.view.position ?? 0, following.signal, {
    event(event) {
      touch(changedBy(event.kind));
      opened?.event(event);
      tell(event, () => board?.latest);
    },
    state(word) {
      live.textContent = word;
      live.dataset.state = word;
      // What the journal does not tell may have changed while nobody told anything.
      if (word === "live" && isAgain) touch();
      isAgain = true;
    },
    async lost(error) {
      if (error.status === 401) return void signIn(error);
      if (error.status === 403) return void ((live.textContent = "not live"), (live.dataset.state = "off"));
      if (error.status === 429 || error.kind === "overloaded") return state.view.position ?? 0;
      return (await load().catch(() => undefined))?.position ?? 0;
    },
  });
}

document.getElementById("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = new FormData(event.target).get("id").trim();
  if (id) location.hash = `#/entity//${encodeURIComponent(id)}`;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /INPUT|TEXTAREA|SELECT/.test(document.activeElement?.tagName)) return;
  event.preventDefault();
  document.querySelector("#find input").focus();
});
addEventListener("hashchange", async () => {
  await route();
  main.focus();
});
document.addEventListener("visibilitychange", plan);
// Heartbeats, members, load and what is overdue stand in no journal.
setInterval(() => touch(["overview", "agents", "agent_stats", "load", "cells", "leases", "workers", "members"]), 15_000);

try {
  await load();
  start();
} catch (error) {
  document.head.append(h("link", { rel: "stylesheet", href: "page/more.css" }));
  if (error.status === 401) signIn(error);
  else main.replaceChildren(h("p.card", { role: "alert" }, `${error.kind}: ${error.message} `, h("button", { type: "button", click: () => location.reload() }, "Try again")));
}
