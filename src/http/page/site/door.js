// The way to the server. The token of an identity is kept by this tab alone, is sent by this module alone, and goes to
// this server alone. It is no cookie: a browser adds those by itself, and sends them to every port of the same host.

const KEY = "quorate.token";
let token = sessionStorage.getItem(KEY);

export const session = {
  get isOpen() {
    return token !== null;
  },
  open(text) {
    token = text;
  },
  keep() {
    sessionStorage.setItem(KEY, token);
  },
  close() {
    token = null;
    sessionStorage.removeItem(KEY);
  },
};

/** What a request was refused with. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.kind = error.kind;
    this.detail = error;
  }
}

/** The headers of a request, with what says who calls. */
export function headers(more) {
  return token === null ? more : { ...more, authorization: `Bearer ${token}` };
}

/** What an answer says that is no success. */
export async function refusal(response) {
  const text = await response.text();
  try {
    return new Refused(response.status, JSON.parse(text).error);
  } catch {
    return new Refused(response.status, { kind: "malformed_answer", message: `status ${response.status}` });
  }
}

/** Asks; the path is below the place where this page stands. */
export async function ask(path, body) {
  const options = { headers: headers({ accept: "application/json" }), cache: "no-store", credentials: "omit", redirect: "error" };
  if (body) {
    options.method = "POST";
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused(0, { kind: "unreachable", message: "the server does not answer" });
  }
  if (!response.ok) throw await refusal(response);
  return response.json();
}
