// The dialog by which a vote is cast.
import { h, brief, clock } from "./dom.js";
import { ask } from "./door.js";

const KINDS = {
  quorum: { status: (id) => [`api/v1/quorum/${id}/status`, "status"], vote: (id) => `api/v1/quorum/${id}/vote`, choices: [["approve", "Approve"], ["reject", "Reject"]], question: "subject" },
  proposal: { status: (id) => [`api/v1/consensus/${id}/result`, "result"], vote: (id) => `api/v1/consensus/${id}/vote`, choices: [["for", "For"], ["against", "Against"], ["abstain", "Abstain"]], question: "proposal" },
  session: { status: (id) => [`api/v1/sessions/${id}/result`, "result"], vote: (id) => `api/v1/sessions/${id}/vote`, choices: [["for", "For"], ["against", "Against"], ["abstain", "Abstain"]], question: "proposal" },
};

/** What asks for a value of this schema, and how to read it; none for shapes within shapes. */
function field(schema, label, needed) {
  const { title, description, type, enum: choices } = schema;
  const name = h("span", null, title ?? label, needed ? "" : " (if you like)", description && ` · ${description}`);
  if (type === "object") return null;
  if (choices || type === "boolean") {
    const offered = choices ?? [true, false];
    const select = h("select", null, h("option", { value: "" }, "–"), offered.map((one, at) => h("option", { value: String(at) }, String(one))));
    return { node: h("label.answer", null, name, select), read: () => (select.value === "" ? undefined : offered[Number(select.value)]) };
  }
  const whole = type === "integer";
  const input = h("input", whole ? { type: "number", step: 1, min: schema.minimum, max: schema.maximum } : { maxlength: schema.maxLength, autocomplete: "off" });
  const read = () => {
    if (input.value === "") return undefined;
    if (!whole) return input.value;
    const number = Number(input.value);
    if (!Number.isSafeInteger(number)) throw { kind: "invalid_argument", message: `${title ?? label} is no whole number that a browser keeps` };
    return number;
  };
  return { node: h("label.answer", null, name, input), read };
}

/** The same for the whole answer. */
function answerOf(schema) {
  if (schema.type !== "object") return field(schema, "Answer", true);
  const parts = Object.entries(schema.properties).map(([name, part]) => [name, field(part, name, schema.required?.includes(name))]);
  if (parts.some(([, part]) => !part)) return null;
  const read = () => {
    const given = parts.map(([name, part]) => [name, part.read()]).filter(([, value]) => value !== undefined);
    return given.length ? Object.fromEntries(given) : undefined;
  };
  return { node: h("div", null, parts.map(([, part]) => part.node)), read };
}

/** Most bytes of a reason. */
const MOST = 1024;

function body(kind, { voter, choice, reason, handle, value }) {
  if (kind === "quorum") return { voter_id: voter, vote: choice === "approve", ...(reason && { reason }) };
  if (kind === "proposal") return { agent_id: voter, vote: choice, ...(reason && { reason }), ...(value !== undefined && { value }) };
  return { voter_id: voter, vote: choice, ...(reason && { reasoning: reason }), ...(handle && { handle }) };
}

/** Asks for a vote on an open decision, casts it, and says what became of it. */
export async function openVote({ kind, id, voter, voters, voted }) {
  const how = KINDS[kind];
  const from = document.activeElement;
  const path = encodeURIComponent(id);
  const alert = h("p.bad", { role: "alert" });
  const question = h("pre.question", { tabindex: 0 }, "…");
  const due = h("span.when");
  const radios = how.choices.map(([value, name]) => h("label.choice", null, h("input", { type: "radio", name: "choice", value, required: true }), h("span", null, name)));
  const as = voters.length
    ? h("select", { id: "vote-as", name: "voter" }, voters.map((one) => h("option", { value: one, selected: one === voter }, one)))
    : h("input", { id: "vote-as", name: "voter", value: voter, required: true, maxlength: 512, autocomplete: "off", spellcheck: "false" });
  const reason = h("textarea", { id: "vote-why", name: "reason", rows: 2, maxlength: MOST });
  const handle = kind === "session" && [h("label", { for: "vote-handle" }, "Handle (told when the voter was registered)"), h("input", { id: "vote-handle", name: "handle", type: "password", autocomplete: "off" })];
  const asks = h("div");
  let answer;
  const cast = h("button.primary", { disabled: kind === "proposal" }, "Cast the vote");
  const form = h("form", { submit, method: "dialog" },
    h("h2", { id: "vote-title" }, `Vote on ${kind} `, h("span.id", null, id)),
    question, due,
    h("label", { for: "vote-as" }, "Vote as"), as,
    h("fieldset", null, h("legend", null, "Your vote"), h("div.choices", null, radios)),
    asks,
    h("label", { for: "vote-why" }, "Reason (kept with the vote)"), reason,
    handle, alert,
    h("p.pager", null, h("button", { type: "button", click: () => dialog.close() }, "Cancel"), cast));
  const dialog = h("dialog.card", { "aria-labelledby": "vote-title", close: closed }, form);
  document.body.append(dialog);
  dialog.showModal();
  radios[0].firstChild.focus();

  function closed() {
    dialog.remove();
    (from?.isConnected ? from : document.querySelector("#waiting h2, main"))?.focus();
  }

  async function submit(event) {
    event.preventDefault();
    const given = new FormData(form);
    const asked = { voter: given.get("voter").trim(), choice: given.get("choice"), reason: given.get("reason").trim(), handle: given.get("handle") };
    if (new TextEncoder().encode(asked.reason).length > MOST) {
      alert.textContent = `invalid_argument: a reason has at most ${MOST} bytes`;
      return;
    }
    cast.disabled = true;
    try {
      asked.value = answer?.read();
      const { vote } = await ask(how.vote(path), body(kind, asked));
      const what = vote.duplicate ? "The same vote stood before" : vote.changed || vote.supersedes ? "The vote was changed" : "The vote was cast";
      const where = vote.state ?? vote.status;
      const counts = vote.counted === false ? ", and does not count" : "";
      dialog.close();
      voted(asked.voter, `${what}${counts}: ${asked.voter}, ${asked.choice}. ${kind} ${id} is ${String(where).replaceAll("_", " ")}.`);
    } catch (error) {
      alert.textContent = `${error.kind}: ${error.message}`;
      cast.disabled = false;
    }
  }

  try {
    const [where, key] = how.status(path);
    const { [key]: status } = await ask(where);
    question.textContent = typeof status[how.question] === "object" ? JSON.stringify(status[how.question], null, 2) : brief(status[how.question]) || "no text";
    due.append(clock(status.deadline));
    const schema = status.answer_schema;
    if (schema) {
      answer = answerOf(schema);
      asks.append(h("p.question", null, schema.title ?? "A vote for brings an answer."), answer?.node ?? h("p.bad", null, `This page has no form for it. Vote for with: quorate consensus vote ${id} --agent-id NAME --vote for --value JSON`));
      if (!answer) radios[0].firstChild.disabled = true;
    }
    cast.disabled = false;
  } catch (error) {
    alert.textContent = `${error.kind}: ${error.message}`;
  }
}
