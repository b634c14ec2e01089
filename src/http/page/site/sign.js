// The form by which an identity signs in.
import { h } from "./dom.js";
import { session } from "./door.js";

/** Asks for a token until one is let in. */
export function askToken(main, error, { load, signedIn }) {
  const had = session.isOpen;
  session.close();
  const input = h("input", { type: "password", id: "token", required: true, autocomplete: "off", spellcheck: "false", placeholder: "quorate_…" });
  const alert = h("p.bad", { role: "alert" }, had ? `${error.kind}: ${error.message}` : "");
  const button = h("button.primary", null, "Sign in");
  const how = h("p.quiet", null, "This server asks who calls. The token is that of an identity; an admin makes one with ", h("code", null, "quorate identity create"), ".");
  const where = h("p.quiet", null, "It is kept by this tab alone, until the tab is closed or you sign out.");

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    session.open(input.value.trim());
    try {
      await load();
      session.keep();
      signedIn();
    } catch (refused) {
      session.close();
      alert.textContent = `${refused.kind}: ${refused.message}`;
      button.disabled = false;
      input.select();
    }
  }

  main.replaceChildren(h("form.card.sign", { submit }, h("h1", null, "Sign in"), how, h("label", { for: "token" }, "Token"), input, alert, button, where));
  input.focus();
}
