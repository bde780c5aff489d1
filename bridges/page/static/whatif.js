// What-if from here: move a TRP or a rack, change people or policy, and see both futures side by side.
import { Floor } from "./floor.js";
import { JobLine } from "./jobs.js";
import { make, zoomButtons } from "./pages.js";
import { clock } from "./model.js";

const GRAB_PX = 16;
const STEP_M = 0.1;
const VERDICTS = { better: "better", worse: "worse", higher: "higher", lower: "lower", open: "no clear difference", equal: "the same", "too few": "too few pairs to tell" };

// What can be moved, by its key in the scenario.
function things(hall) {
  const trps = hall.trps.map((t, i) => ({ key: `radio.trps[${i}].position_m`, name: t.name, kind: "trp", x: t.x, y: t.y, z: t.z, index: i }));
  const boxes = hall.boxes.map((b, i) => ({ key: `hall.boxes[${i}].center_m`, name: b.name, kind: b.kind, x: b.x, y: b.y, l: b.l, w: b.w, yaw: b.yaw }));
  return [...trps, ...boxes];
}

const rounded = (v) => Math.round(v / STEP_M) * STEP_M;
const place = (t) => `[${[t.x, t.y, t.z].filter((v) => v !== undefined).map((v) => Number(v.toFixed(2))).join(", ")}]`;

// The floor, on which TRPs and boxes can be dragged to where they would be.
class Draft extends Floor {
  constructor(canvas, onMove) {
    super(canvas, () => {});
    this.moved = new Map(); // key -> thing at its new place
    this.onMove = onMove;
    this.grabbed = null;
    this.layers = { ...this.layers, links: false, blocked: false, risk: false };
    const grab = (e) => {
      const thing = this.thingAt(e.offsetX, e.offsetY);
      if (!thing) return;
      e.stopImmediatePropagation();
      canvas.setPointerCapture(e.pointerId);
      this.grabbed = thing;
    };
    const drag = (e) => {
      if (!this.grabbed) return;
      e.stopImmediatePropagation();
      const s = this.scale;
      const x = (e.offsetX - this.width / 2 - this.offset.x) / s + this.hall.size.length / 2;
      const y = this.hall.size.width / 2 - (e.offsetY - this.height / 2 - this.offset.y) / s;
      const inside = (v, most) => Math.min(Math.max(rounded(v), STEP_M), most - STEP_M);
      this.onMove({ ...this.grabbed, x: inside(x, this.hall.size.length), y: inside(y, this.hall.size.width) });
    };
    const drop = (e) => {
      if (!this.grabbed) return;
      e.stopImmediatePropagation();
      this.grabbed = null;
    };
    canvas.addEventListener("pointerdown", grab, { capture: true });
    canvas.addEventListener("pointermove", drag, { capture: true });
    canvas.addEventListener("pointerup", drop, { capture: true });
    canvas.addEventListener("pointercancel", drop, { capture: true });
  }

  all() {
    return things(this.hall).map((t) => this.moved.get(t.key) ?? t);
  }

  thingAt(px, py) {
    if (!this.hall) return null;
    let best = null;
    let least = GRAB_PX;
    for (const t of this.all()) {
      const [x, y] = this.at(t.x, t.y);
      if (t.kind === "trp") {
        const d = Math.hypot(px - x, py - y);
        if (d < least) [best, least] = [t, d];
      } else if (!best) {
        const [dx, dy] = [(px - x) / this.scale, -(py - y) / this.scale];
        const [along, across] = [dx * Math.cos(t.yaw) + dy * Math.sin(t.yaw), -dx * Math.sin(t.yaw) + dy * Math.cos(t.yaw)];
        if (Math.abs(along) < t.l / 2 && Math.abs(across) < t.w / 2) best = t;
      }
    }
    return best;
  }

  draw() {
    super.draw();
    if (!this.hall || !this.tick) return;
    const c = this.context;
    for (const t of this.moved.values()) {
      const before = things(this.hall).find((o) => o.key === t.key);
      const [x0, y0] = this.at(before.x, before.y);
      const [x1, y1] = this.at(t.x, t.y);
      c.strokeStyle = "#5e3c99";
      c.lineWidth = 2;
      c.setLineDash([6, 4]);
      c.beginPath();
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
      c.stroke();
      c.setLineDash([]);
      if (t.kind === "trp") {
        c.fillStyle = "#5e3c99";
        c.beginPath();
        c.arc(x1, y1, 9, 0, 2 * Math.PI);
        c.fill();
      } else {
        this.turned(c, t.x, t.y, t.yaw, (s) => c.strokeRect((-t.l * s) / 2, (-t.w * s) / 2, t.l * s, t.w * s));
      }
      this.text(c, `${t.name}, moved`, x1 + 13, y1 - 12, "#3c2470", "left");
    }
  }
}

const kept = { changes: new Map(), card: null }; // outlives the page: one looks at the floor in between and comes back

export function whatIfPage(main, act) {
  const canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": "Floor from above. TRPs and racks can be dragged; the fields beside it do the same with the keyboard." });
  const frame = make("div", { class: "canvas" }, canvas);
  const field = (name, attributes) => make("input", { id: `whatif-${name}`, type: "number", ...attributes });
  const label = (name, words, input) => make("label", { for: `whatif-${name}` }, words, input);
  const thing = make("select", { id: "whatif-thing" });
  const [x, y, z] = ["x", "y", "z"].map((axis) => field(axis, { step: "0.1", min: "0" }));
  const height = label("z", "Height [m]", z);
  const off = make("button", { type: "button", onclick: () => switchOff() }, "Off from now on");
  const policy = make("select", { id: "whatif-policy" });
  const knobs = make("div", { class: "knobs" });
  const other = make("input", { id: "whatif-other", type: "text", placeholder: "radio.ue.tx_power_dbm=20", maxlength: "500", spellcheck: "false" });
  const list = make("ul", { class: "changes", "aria-label": "Changes" });
  const none = make("p", { class: "note" }, "Nothing is changed yet. Drag a TRP or a rack on the floor, or use the fields.");
  const seconds = field("seconds", { value: "60", min: "1", max: "600", step: "1" });
  const seeds = field("seeds", { value: "3", min: "1", max: "16", step: "1" });
  const start = make("button", { type: "submit", class: "strong", disabled: true }, "Start");
  const card = make("section", { class: "card", "aria-label": "Answer", hidden: true });
  const line = new JobLine((job) => {
    kept.card = job;
    showCard(job);
  });
  const form = make("form", { class: "whatif" },
    make("fieldset", {}, make("legend", {}, "Move"), make("label", { for: "whatif-thing" }, "TRP or rack", thing),
      make("div", { class: "row" }, label("x", "x [m]", x), label("y", "y [m]", y), height),
      make("div", { class: "actions" }, make("button", { type: "button", id: "whatif-move", onclick: () => typed() }, "Move it there"), off)),
    make("fieldset", {}, make("legend", {}, "Change"), make("label", { for: "whatif-policy" }, "Policy", policy), knobs,
      make("label", { for: "whatif-other" }, "Another key of the scenario", other),
      make("div", { class: "actions" }, make("button", { type: "button", onclick: () => takeOther() }, "Add"))),
    make("fieldset", {}, make("legend", {}, "What if"), none, list,
      make("div", { class: "row" }, label("seconds", "Look ahead [s]", seconds), label("seeds", "Pairs", seeds)),
      make("div", { class: "actions" }, start)),
    line.element,
  );
  const side = make("aside", { "aria-label": "What if" }, make("h2", {}, "What if"), form);
  const viewer = make("p", { class: "note", hidden: true }, "Your role only looks; an engineer can start a what-if.");
  side.querySelector("h2").after(viewer);
  main.className = "floor whatif";
  main.replaceChildren(frame, side, card);
  const draft = new Draft(canvas, (moved) => {
    thing.value = moved.key;
    put(moved.key, place(moved), moved);
    fill();
  });
  window.factoryTwinDraft = draft; // for tests and for the curious
  frame.append(zoomButtons(draft));
  let hall = null;

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    card.hidden = true;
    line.start("/api/whatif", { changes: [...kept.changes].map(([key, { value }]) => `${key}=${value}`), seconds: Number(seconds.value), seeds: Number(seeds.value) });
  });
  thing.addEventListener("change", () => fill());
  policy.addEventListener("change", () => (policy.value ? put("radio.policy", policy.value) : drop("radio.policy")));
  other.addEventListener("keydown", (e) => {
    if (e.key !== "Enter") return;
    e.preventDefault();
    takeOther();
  });

  function selected() {
    return draft.all().find((t) => t.key === thing.value);
  }

  function fill() {
    const t = selected();
    if (!t) return;
    [x.value, y.value] = [t.x.toFixed(1), t.y.toFixed(1)];
    height.hidden = off.hidden = t.kind !== "trp";
    if (t.kind === "trp") z.value = t.z.toFixed(1);
  }

  function typed() {
    const t = selected();
    if (!t || ![x, y, z].every((i) => i.checkValidity())) return;
    const moved = { ...t, x: Number(x.value), y: Number(y.value) };
    if (t.kind === "trp") moved.z = Number(z.value);
    put(t.key, place(moved), moved);
  }

  function switchOff() {
    const t = selected();
    if (t?.kind === "trp") put("radio.outages", `[{trp: ${t.name}, from_s: 0}]`);
  }

  function takeOther() {
    const [key, ...value] = other.value.split("=");
    if (!key.trim() || value.length === 0) {
      line.say("Write KEY=VALUE, for example radio.ue.tx_power_dbm=20.", true);
      return;
    }
    put(key.trim(), value.join("=").trim());
    other.value = "";
  }

  function put(key, value, moved = null) {
    kept.changes.set(key, { value, moved });
    changed();
  }

  function drop(key) {
    kept.changes.delete(key);
    changed();
  }

  function changed() {
    draft.moved = new Map([...kept.changes].filter(([, c]) => c.moved).map(([key, c]) => [key, c.moved]));
    none.hidden = kept.changes.size > 0;
    start.disabled = kept.changes.size === 0;
    list.replaceChildren(...[...kept.changes].map(([key, { value, moved }]) => make("li", {}, make("code", {}, moved ? `${moved.name} to ${value}` : `${key}=${value}`), make("button", { type: "button", "aria-label": `Leave out ${key}`, onclick: () => leaveOut(key) }, "Leave out"))));
    draft.ask();
  }

  function leaveOut(key) {
    drop(key);
    if (key === "radio.policy") policy.value = "";
    for (const input of knobs.querySelectorAll("input")) if (input.dataset.key === key) input.value = input.defaultValue;
    fill();
    start.focus();
  }

  function enter() {
    const options = things(hall).map((t) => new Option(t.kind === "trp" ? `TRP ${t.name}` : t.name, t.key));
    thing.replaceChildren(...options);
    policy.replaceChildren(new Option("as it is", ""), ...hall.policies.map((name) => new Option(name, name)));
    policy.value = kept.changes.get("radio.policy")?.value ?? "";
    knobs.replaceChildren(...hall.knobs.map(({ key, words, value, least, most, step }, i) => {
      const input = make("input", { id: `whatif-knob-${i}`, type: "number", min: least, max: most, step, value, "data-key": key });
      input.value = kept.changes.get(key)?.value ?? value;
      input.addEventListener("change", () => {
        if (!input.checkValidity() || input.value === "") return;
        if (Number(input.value) === value) drop(key);
        else put(key, input.value);
      });
      return make("label", { for: `whatif-knob-${i}` }, words, input);
    }));
    const steer = hall.role !== "viewer" && hall.movable;
    form.hidden = !steer;
    viewer.hidden = steer;
    viewer.textContent = hall.role === "viewer" ? "Your role only looks; an engineer can start a what-if." : "A finished run cannot be asked what if; a live twin can.";
    fill();
    changed();
    if (kept.card) showCard(kept.card);
  }

  // A change of the scenario in words: what was moved has a name.
  function inWords(change) {
    const [key, ...value] = change.split("=");
    const moved = hall && things(hall).find((t) => t.key === key);
    const off = /^radio\.outages=\[\{trp: (\S+), from_s: 0\}\]$/.exec(change);
    if (off) return `${off[1]} were off`;
    return moved ? `${moved.name} were at ${value.join("=").replace(/^\[|\]$/g, "")} m` : `${key} were ${value.join("=")}`;
  }

  function showCard(job) {
    const rows = job.result.rows.map((r) => make("tr", {},
      make("th", { scope: "row" }, r.label),
      make("td", { class: r.verdict === "worse" ? "bad" : r.verdict === "better" ? "good" : "" }, VERDICTS[r.verdict] ?? r.verdict),
      make("td", { class: "number" }, r.base_text),
      make("td", { class: "number" }, r.other_text),
      make("td", { class: "number" }, r.difference_text),
      make("td", {}, r.interval_text || "\u2013")));
    const from = job.from === "present" ? `from ${clock(job.from_us)} on, in the hall as it stood then` : `from the start of the scenario: ${job.why}`;
    const head = ["Figure", "Verdict", "Present", "Changed", "Difference", "95 % interval"].map((h) => make("th", { scope: "col" }, h));
    card.replaceChildren(
      make("h2", {}, `What if ${job.changes.map(inWords).join(", ")}?`),
      make("p", { class: "note" }, `${job.seconds} s ${from}. ${job.result.note}. Both futures of a pair have the same people, orders and luck.`),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Comparison" }, make("table", {}, make("caption", { class: "hide" }, "Present against changed"), make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows))),
    );
    const now = advice(job);
    if (now.length > 0 && hall?.role !== "viewer") card.append(make("div", { class: "actions" }, ...now.map(([words, name, details]) => make("button", { type: "button", onclick: () => act(name, details, `${words}? It can be undone.`) }, words))));
    card.hidden = false;
    card.scrollIntoView({ block: "nearest" });
  }

  // What of the changes the running twin can do at once.
  function advice(job) {
    return job.changes.flatMap((change) => {
      const policyTo = /^radio\.policy=(\S+)$/.exec(change);
      const trpOff = /^radio\.outages=\[\{trp: (\S+), from_s: 0\}\]$/.exec(change);
      if (policyTo) return [[`Set policy ${policyTo[1]} now`, "set_policy", { policy: policyTo[1] }]];
      return trpOff ? [[`Switch ${trpOff[1]} off now`, "switch_trp_off", { target: trpOff[1] }]] : [];
    });
  }

  return {
    show(state) {
      if (!state.hall || !state.tick) return;
      if (hall !== state.hall) {
        hall = state.hall;
        draft.hall = hall;
        enter();
      }
      draft.show(hall, state.tick, state.live && hall.role === "safety" ? state.poses : null);
    },
    close() {
      draft.close();
      line.close();
    },
  };
}
