// Settings of this browser, who is logged in, and, for those who may act, the audit log.
import { make } from "./pages.js";

const KEY = "factory-twin-settings";
const SIZES = [["100", "normal"], ["115", "larger"], ["130", "largest"]];
const LOOK_MS = 5000;

function stored() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage is switched off or holds something else: the page works without
  }
}

function store(settings) {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // it holds for this visit then
  }
}

export function applySettings() {
  const { size = "100", calm = false } = stored();
  document.documentElement.dataset.size = size;
  document.documentElement.dataset.calm = String(calm);
}

// Whether figures should change once a second at most.
export const calm = () => document.documentElement.dataset.calm === "true";

export function settingsPage(main) {
  const settings = stored();
  const size = make("select", { id: "setting-size" }, ...SIZES.map(([value, words]) => new Option(words, value)));
  size.value = settings.size ?? "100";
  const quiet = make("input", { id: "setting-calm", type: "checkbox", checked: settings.calm === true });
  const user = make("dl", {});
  const audit = make("section", { hidden: true, "aria-label": "Audit log" });
  const body = make("tbody", {});
  const head = ["Time (UTC)", "Who", "What", "Answer"].map((h) => make("th", { scope: "col" }, h));
  audit.append(
    make("h2", {}, "Audit log"),
    make("p", { class: "note" }, "The latest logins, refusals, commands and acknowledgements, newest first. The whole log is page/audit.jsonl in the state folder."),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Audit log" }, make("table", {}, make("caption", { class: "hide" }, "Audit log"), make("thead", {}, make("tr", {}, ...head)), body)),
  );
  main.className = "";
  main.replaceChildren(
    make("h2", {}, "Settings of this browser"),
    make("form", { class: "settings", onsubmit: (e) => e.preventDefault() },
      make("label", { for: "setting-size" }, "Text size", size),
      make("label", { class: "check", for: "setting-calm" }, quiet, "Tables change every two seconds instead of twice a second")),
    make("h2", {}, "Login"),
    user,
    audit,
  );
  const keep = () => {
    store({ size: size.value, calm: quiet.checked });
    applySettings();
  };
  size.addEventListener("change", keep);
  quiet.addEventListener("change", keep);
  let timer = null;
  let shown = null;

  async function look() {
    try {
      const answer = await fetch("/api/audit");
      if (answer.ok) body.replaceChildren(...(await answer.json()).slice(0, 100).map(line));
    } catch {
      // the socket's own retry tells of it
    }
    timer = setTimeout(look, LOOK_MS);
  }

  function line({ utc, event, user: who = "", role = "", ...rest }) {
    const { done, message, ...details } = rest;
    const words = Object.entries(details).filter(([, v]) => v !== "" && v !== null).map(([k, v]) => `${k} ${Array.isArray(v) ? v.join("; ") : v}`);
    const answer = done === undefined ? "" : done ? `done${message ? `: ${message}` : ""}` : `not done: ${message}`;
    return make("tr", {}, make("td", { class: "number" }, String(utc ?? "").replace("T", " ").slice(0, 19)), make("td", {}, role ? `${who} (${role})` : who), make("td", {}, [String(event).replaceAll("_", " "), ...words].join(", ")), make("td", {}, answer));
  }

  return {
    show({ hall }) {
      if (!hall || shown === hall) return;
      shown = hall;
      const may = { viewer: "look", engineer: "look, command, ask what if, and acknowledge alarms", safety: "look, see where people are, command, and acknowledge alarms" };
      user.replaceChildren(...[["User", hall.user], ["Role", hall.role], ["May", may[hall.role] ?? "look"], ["Scenario", hall.name]].flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
      audit.hidden = hall.role === "viewer";
      if (hall.role !== "viewer" && timer === null) look();
    },
    close() {
      clearTimeout(timer);
    },
  };
}
