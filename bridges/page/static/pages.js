// What each page shows. A page is made once and then told of every change by show(state).
import { Floor, LAYERS, MARGINS } from "./floor.js";
import { addHeat } from "./floor_layers.js";
import { AHEAD_S, clock, decibel, duration, nines, share, words } from "./model.js";
import { storyPanel } from "./story.js";
import { solidView } from "./view3d.js";

// An element with attributes and children; text is always text, never HTML.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// A table whose cells are changed in place, so that focus and selection stay while figures run.
export class Table {
  constructor(caption, heads, empty) {
    this.body = make("tbody");
    this.heads = heads;
    this.none = make("p", { class: "empty" }, empty);
    this.table = make("table", {}, make("caption", { class: "hide" }, caption), make("thead", {}, make("tr", {}, ...heads.map((h) => make("th", { scope: "col" }, h)))), this.body);
    this.element = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, this.table, this.none);
  }

  // rows: {key, cells}; a cell is a text, {text, class} or {node: () => element, key}.
  show(rows) {
    this.none.hidden = rows.length > 0;
    this.table.hidden = rows.length === 0;
    while (this.body.rows.length > rows.length) this.body.deleteRow(-1);
    rows.forEach((row, i) => {
      let line = this.body.rows[i];
      if (!line || line.dataset.key !== String(row.key)) {
        const fresh = make("tr", { "data-key": String(row.key) }, ...this.heads.map(() => make("td")));
        if (line) line.replaceWith(fresh);
        else this.body.append(fresh);
        line = fresh;
      }
      row.cells.forEach((cell, j) => {
        const at = line.cells[j];
        if (cell !== null && typeof cell === "object" && cell.node) {
          if (at.dataset.key !== String(cell.key)) {
            at.dataset.key = String(cell.key);
            at.replaceChildren(cell.node());
          }
          return;
        }
        const { text, class: kind = "" } = typeof cell === "object" ? cell : { text: cell };
        delete at.dataset.key;
        if (at.textContent !== text) at.textContent = text;
        if (at.className !== kind) at.className = kind;
      });
    });
  }
}

const number = (text) => ({ text, class: "number" });

// Buttons that come nearer to a floor and go back to all of it.
export function zoomButtons(floor) {
  return make("div", { class: "zoom" },
    make("button", { type: "button", "aria-label": "Zoom in", onclick: () => floor.zoomBy(1.4) }, "+"),
    make("button", { type: "button", "aria-label": "Zoom out", onclick: () => floor.zoomBy(1 / 1.4) }, "\u2212"),
    make("button", { type: "button", onclick: () => floor.reset() }, "All"),
  );
}

// What the signs on the floor mean: shapes as the floor draws them, and words.
function signs() {
  const picture = (...shapes) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of [["width", "34"], ["height", "20"], ["viewBox", "0 0 34 20"], ["aria-hidden", "true"]]) svg.setAttribute(name, value);
    for (const [tag, attributes, text] of shapes) {
      const shape = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
      if (text) shape.textContent = text;
      svg.append(shape);
    }
    return svg;
  };
  const agv = (fill, stroke, width) => ["path", { d: "M8 4H20L26 10L20 16H8Z", fill, stroke, "stroke-width": width }];
  const letter = (text) => ["text", { x: "17", y: "14", "text-anchor": "middle", "font-size": "11", "font-weight": "bold", fill: "#7f3b08" }, text];
  const ring = (more) => ["circle", { cx: "17", cy: "10", r: "8", fill: "#ffffff", stroke: "#b35806", "stroke-width": "2", ...more }];
  const rows = [
    [picture(agv("#14304a", "#0b1a28", "1")), "AGV, its tip ahead"],
    [picture(agv("#14304a", "#0b1a28", "1"), ["rect", { x: "9", y: "6.5", width: "9", height: "7", fill: "#f2a35e" }]), "AGV with a load"],
    [picture(agv("#ffffff", "#b35806", "2.5")), "stands where it should move"],
    [picture(["circle", { cx: "17", cy: "10", r: "6", fill: "#3f6e58", stroke: "#0b1a28" }]), "cobot"],
    [picture(["path", { d: "M17 3L24 16H10Z", fill: "#111111" }]), "TRP (antenna)"],
    [picture(ring({}), letter("P")), "a person is in the link's way"],
    [picture(ring({}), letter("M")), "a machine is in the link's way"],
    [picture(ring({ "stroke-dasharray": "2 3", fill: "none" })), "likely to fall short soon, in %"],
  ];
  return make("ul", { class: "legend" }, ...rows.map(([svg, text]) => make("li", {}, svg, text)));
}

let picked = null; // outlives the page, so that one comes back to the device one was looking at

export function floorPage(main, act, goTo, tellStory, closeStory) {
  const canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": "Floor from above. Arrow keys move, plus and minus zoom, 0 shows all. The machines page lists the same." });
  const details = make("div", { id: "details" });
  const layers = make("fieldset", { class: "layers" }, make("legend", {}, "Layers"));
  const legend = make("ul", { class: "legend" });
  const svg = (colour, dashed) => {
    const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    picture.setAttribute("width", "34");
    picture.setAttribute("height", "8");
    picture.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", "M0 4H34");
    line.setAttribute("stroke", colour);
    line.setAttribute("stroke-width", "3");
    if (dashed) line.setAttribute("stroke-dasharray", "7 5");
    picture.append(line);
    return picture;
  };
  const texts = ["below 0 dB: too little", "0 to 3 dB", "3 to 10 dB", "10 to 20 dB", "20 dB and more"];
  MARGINS.forEach(([, colour], i) => legend.append(make("li", {}, svg(colour, i === 0), texts[i])));
  const frame = make("div", { class: "canvas" }, canvas);
  const story = storyPanel(tellStory, closeStory);
  const side = make("aside", { "aria-label": "Details" }, story.element, details, make("div", {}, layers, make("h3", {}, "Margin of links"), legend, make("h3", {}, "Signs"), signs()));
  main.className = "floor";
  main.replaceChildren(frame, side);
  let state = null;
  let said = "";
  let storyShown = null;
  const floor = new Floor(canvas, (device) => {
    picked = device;
    show(state);
  });
  floor.picked = picked;
  window.factoryTwinFloor = floor; // for tests and for the curious
  frame.append(zoomButtons(floor));
  const solid = solidView(frame, floor);
  let second = null;
  for (const [name, text] of LAYERS) {
    const box = make("input", { type: "checkbox", id: `layer-${name}`, checked: floor.layers[name] });
    box.addEventListener("change", () => {
      floor.layers[name] = box.checked;
      floor.ask();
    });
    layers.append(make("label", { id: `label-${name}` }, box, text));
  }

  const endHeat = addHeat(floor, layers);

  function show(now) {
    state = now;
    if (!now?.tick) return;
    document.getElementById("label-people").hidden = now.hall.role !== "safety";
    floor.show(now.hall, now.tick, now.live || now.runs ? now.poses : null);
    second ??= now.other ? besideFloor(frame, floor, now) : null;
    second?.show(now.other.hall, now.other.tick, null);
    if (now.story !== storyShown) {
      storyShown = now.story;
      if (now.story) floor.pick(now.story.device || null);
    }
    story.show(now);
    solid.show(now);
    const device = floor.picked;
    const advised = (now.live && now.advice ? now.advice.filter((a) => a.target === device) : []).map((a) => ["Advice", adviceWords(a)]);
    const rowsOf = (tick) => (device ? [...deviceRows(tick, device, now.runs), ...advised] : hallRows(tick));
    const rows = second ? beside(rowsOf(now.tick), rowsOf(now.other.tick)) : rowsOf(now.tick);
    const machine = now.tick.machines.find((m) => m.id === device);
    const steer = now.live && now.hall.role !== "viewer" && machine?.kind === "agv";
    const key = JSON.stringify([device, steer && machine.mode === "paused", steer, rows.map(([name]) => name)]);
    if (key !== said) {
      said = key;
      const list = make("dl", {}, ...rows.flatMap(([name]) => [make("dt", {}, name), make("dd")]));
      const parts = [make("h2", {}, device ?? (now.live ? "The hall now" : "The hall then"))];
      if (device && steer) parts.push(agvButtons(act, device, machine.mode === "paused" ? "release" : "stop")); // above the figures: never scrolled out of sight
      parts.push(list);
      if (!device) parts.push(make("p", { class: "note" }, "Click a machine or a link for its details."));
      details.replaceChildren(...parts);
    }
    details.querySelectorAll("dd").forEach((cell, i) => {
      if (cell.textContent !== rows[i][1]) cell.textContent = rows[i][1];
    });
  }
  const close = () => {
    endHeat();
    floor.close();
    second?.close();
    solid.close();
  };
  return { show, close };
}

// The floor of a second run beside the first: it follows its pan and zoom, and a click on it picks the same device.
function besideFloor(frame, floor, { runs, other }) {
  const canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": `Floor of ${other.card.title} from above` });
  const half = make("div", { class: "canvas" }, canvas, make("p", { class: "run-name" }, other.card.title));
  const row = make("div", { class: "halves" });
  frame.replaceWith(row);
  row.append(frame, half);
  frame.append(make("p", { class: "run-name" }, runs[0].card.title));
  const second = new Floor(canvas, (device) => floor.pick(device));
  const ask = floor.ask.bind(floor);
  floor.ask = () => {
    ask();
    Object.assign(second, { zoom: floor.zoom, offset: { ...floor.offset }, layers: floor.layers, picked: floor.picked });
    second.ask();
  };
  return second;
}

// Rows of two runs: their values beside each other.
function beside(rows, others) {
  const values = new Map(others);
  return rows.map(([name, value]) => [name, `${value} | ${values.get(name) ?? "none"}`]);
}

function hallRows(tick) {
  const agvs = tick.machines.filter((m) => m.kind === "agv");
  const linked = tick.links.filter((l) => l.margin !== null);
  const worst = linked.reduce((a, b) => (a === null || b.margin < a.margin ? b : a), null);
  return [
    ["AGVs standing", `${agvs.filter((m) => m.stopped).length} of ${agvs.length}`],
    ["Links short", `${tick.links.filter((l) => l.margin === null || l.margin < 0).length} of ${tick.links.length}`],
    ["Links crossed", `${tick.links.filter((l) => l.blockedBy).length} by bodies`],
    ["Least margin", worst ? `${decibel(worst.margin)} (${worst.device})` : "none"],
    ["Services down", tick.services.filter((s) => !s.up).map((s) => s.name).join(", ") || "none"],
    ...(tick.policy ? [["Policy", tick.policy]] : []),
    ["People", tick.people.length ? `${tick.people.reduce((a, b) => a + b, 0)}` : "not recorded"],
  ];
}

const percent = (risk) => (risk === null ? "not known" : `${(100 * risk).toFixed(1)} %`);

function deviceRows(tick, device, recorded) {
  const machine = tick.machines.find((m) => m.id === device);
  const link = tick.links.find((l) => l.device === device);
  const rows = [];
  if (machine) {
    rows.push(["State", words(machine.mode)], ["Speed", `${machine.speed.toFixed(2)} m/s`], ["Place", `${machine.x.toFixed(1)}, ${machine.y.toFixed(1)} m`]);
    if (machine.kind === "agv" && !recorded) rows.push(["Load", machine.loaded ? "yes" : "no"], ["Battery", machine.battery === null ? "mains" : `${machine.battery} %`], ["Order", machine.order || "none"]);
  }
  if (link) {
    rows.push(
      ["TRP", link.trp ? `${link.trp.name}, beam ${link.beam}` : "none"],
      ["Margin", decibel(link.margin)],
      ["SINR down", decibel(link.down)],
      ["SINR up", decibel(link.up)],
      ["In the way", link.blockedBy === "person" ? "a person" : link.blockedBy || "nothing"],
      ["Bodies cost", link.loss !== null && link.loss < 0 ? `nothing (${decibel(-link.loss)} gained)` : decibel(link.loss)],
      ["Risk", percent(link.risk)],
      ...(link.ahead ?? []).map((risk, i) => [`Risk in ${AHEAD_S[i]} s`, percent(risk)]),
    );
  }
  return rows;
}

// Buttons that stop an AGV, send it another way, and release it; of one state only where it is given.
function agvButtons(act, id, only = null) {
  const stop = () => act("stop_agv", { target: id }, `Stop ${id}? It stands where it is until it is released.`);
  const release = () => act("release_agv", { target: id }, `Release ${id}? It drives on with its order.`);
  const button = (name, text, does) => make("button", { type: "button", "data-act": name, "aria-label": `${text} ${id}`, onclick: does }, text);
  const detour = () => act("detour_agv", { target: id }, `Send ${id} another way, around the next lane that it is not sure of yet?`);
  const buttons = { stop: () => [button("stop", "Stop", stop), button("detour", "Other way", detour)], release: () => [button("release", "Release", release)] };
  return make("div", { class: "actions" }, ...Object.entries(buttons).filter(([name]) => only === null || name === only).flatMap(([, b]) => b()));
}

export function servicesPage(main) {
  const table = new Table("Services", ["Service", "Profile (TS 22.104)", "Now", "Nines", "Availability", "MTBF", "Messages lost", "Outages seen"], "The scenario has no service.");
  main.className = "";
  main.replaceChildren(
    make("h2", {}, "Services"),
    make("p", { class: "note" }, "Availability since the start over all devices of a service (TS 22.104 annex C), with the mean time between failures (MTBF); a message counts when it is right and on time. Nines are \u2212log10 of the unavailability."),
    table.element,
  );
  return {
    show({ tick, watch, live }) {
      if (!tick) return;
      table.show(tick.services.map((s) => ({
        key: s.name,
        cells: [
          { text: s.name, class: "name" },
          s.profile,
          s.up ? { text: "up", class: "good" } : { text: `down since ${clock(s.downSince)}, for ${duration((tick.time - s.downSince) / 1e6)}`, class: "bad" },
          number(nines(s.availability)),
          number(s.availability === null ? "not known yet" : s.availability.toFixed(7)),
          number(s.mtbf === null ? "too few failures" : duration(s.mtbf)),
          number(share(s.lost)),
          number(live ? String(watch.outages.filter((o) => o.service === s.name).length) : "\u2013"),
        ],
      })));
    },
  };
}

// What is advised in words, and what accepting it does; kinds without an act are for the plant's own systems.
const ADVICE = {
  risk: { words: (a) => `${a.target}: its link is likely to fall short`, does: () => "Let the policy that live mode names for times of risk run the network until no link is at risk?", text: "Change policy" },
  agv_slow: { words: (a) => `${a.target}: drive at ${a.value} at most`, does: (a) => `Pause ${a.target} until its link is safe again?`, text: "Pause" },
  agv_detour: { words: (a) => `${a.target}: ${a.value}`, does: (a) => `Send ${a.target} another way?`, text: "Other way" },
  serve_from: { words: (a) => `${a.target}: serve it from ${a.value}`, text: "for the network" },
};

const adviceWords = (a) => ADVICE[a.kind]?.words(a) ?? `${a.kind} ${a.target} ${a.value}`;

function adviceTable(act) {
  const table = new Table("Advice", ["Since", "What", "Why", "Risk", "Action"], "Nothing is advised now.");
  const note = make("p", { class: "note" }, "What the twin would do before a link fails, newest last. An accepted one ends with its reason; Undo ends it at once.");
  const element = make("section", { hidden: true, id: "advice", "aria-label": "Advice" }, make("h2", {}, "Advice"), note, table.element);
  const accept = (a) => () => act("accept_advice", { kind: a.kind, target: a.target }, ADVICE[a.kind].does(a));
  const button = (a) => make("button", { type: "button", "data-advice": `${a.kind} ${a.target}`, "aria-label": `${ADVICE[a.kind].text}: ${adviceWords(a)}`, onclick: accept(a) }, ADVICE[a.kind].text);
  return {
    element,
    show(advice) {
      element.hidden = advice === null;
      table.show([...(advice ?? [])].sort((a, b) => a.since_us - b.since_us).map((a) => ({
        key: `${a.kind} ${a.target}`,
        cells: [
          number(clock(a.since_us)),
          adviceWords(a),
          a.reason,
          number(percent(a.risk)),
          a.act ? { text: "being done", class: "good" } : ADVICE[a.kind]?.does ? { key: `${a.kind} ${a.target} ${a.value}`, node: () => button(a) } : ADVICE[a.kind]?.text ?? "",
        ],
      })));
    },
  };
}

export function outagesPage(main, act, goTo, tellStory) {
  const alarms = new Table("Alarms", ["Since", "What", "How often", "State", "Seen by"], "Nothing needs a look now.");
  const outages = new Table("Outages", ["Began", "Lasted", "Service", "Why, in short", "Replay"], "No service has been down since the page is served.");
  const all = make("input", { type: "checkbox", id: "all-alarms" });
  const over = make("button", { type: "button", id: "acknowledge-over", onclick: () => act("acknowledge") }, "Acknowledge all that are over");
  let last = null;
  all.addEventListener("change", () => last && show(last));
  main.className = "";
  const advice = adviceTable(act);
  main.replaceChildren(
    advice.element,
    make("h2", {}, "Alarms"),
    make("p", { class: "note" }, "A service is down, a link is likely to fall short, or an AGV stands for long. Those that last come first. One that comes again within 30 s counts up instead of coming twice."),
    make("div", { class: "actions above" }, over, make("label", { class: "check" }, all, "Also those acknowledged and over")),
    alarms.element,
    make("h2", {}, "Outages"),
    make("p", { class: "note" }, "Times in which a service was down. Why? tells the whole story, beside the replay of its seconds."),
    outages.element,
  );
  return { show };

  function show(state) {
    const { watch, hall, tick, span } = state;
    last = state;
    if (!hall || !tick) return;
    advice.show(state.advice);
    over.hidden = hall.role === "viewer";
    over.disabled = !watch.alarms.some((a) => !a.active && !a.acknowledged_by);
    const steer = hall.role !== "viewer";
    const rank = (a) => (a.acknowledged_by ? 2 : a.active ? 0 : 1);
    alarms.show(watch.alarms.filter((a) => all.checked || a.active || !a.acknowledged_by).sort((a, b) => rank(a) - rank(b) || b.id - a.id).map((a) => ({
      key: a.id,
      cells: [
        number(clock(a.since_us)),
        a.text,
        number(`${a.count} x`),
        a.active ? { text: "now", class: "bad" } : "over",
        a.acknowledged_by
          ? a.acknowledged_by
          : { key: `${a.id}-${steer}`, node: () => (steer ? make("button", { type: "button", "data-alarm": a.id, onclick: () => act("acknowledge", { number: a.id }) }, "Acknowledge") : make("span", {}, "nobody yet")) },
      ],
    })));
    outages.show(watch.outages.map((o) => ({
      key: o.id,
      cells: [
        number(clock(o.start_us)),
        o.end_us === null ? { text: `${duration((hall.latest - o.start_us) / 1e6)}, still down`, class: "bad" } : number(duration((o.end_us - o.start_us) / 1e6)),
        { text: o.service, class: "name" },
        o.seen,
        { key: `${o.id}-${span !== null && o.start_us >= span.start_us}`, node: () => (span !== null && o.start_us >= span.start_us ? make("div", { class: "actions" }, make("button", { type: "button", onclick: () => goTo(o.start_us) }, "Show"), make("button", { type: "button", "data-story": o.id, onclick: () => tellStory(o) }, "Why?")) : make("span", {}, "too long ago")) },
      ],
    })));
  }
}

export function machinesPage(main, act) {
  const table = new Table("Machines and their links", ["Device", "State", "Speed", "Load", "Battery", "TRP", "Margin", "In the way", "Risk", "Action"], "The scenario has no machine.");
  main.className = "";
  main.replaceChildren(make("h2", {}, "Machines and their links"), table.element);
  return {
    show({ hall, tick, live, runs }) {
      if (!tick) return;
      const machines = new Map(tick.machines.map((m) => [m.id, m]));
      const links = new Map(tick.links.map((l) => [l.device, l]));
      const ids = [...machines.keys(), ...[...links.keys()].filter((id) => !machines.has(id))];
      table.show(ids.map((id) => {
        const [m, l] = [machines.get(id), links.get(id)];
        const steer = live && hall.role !== "viewer" && m?.kind === "agv";
        return {
          key: id,
          cells: [
            id,
            m ? { text: words(m.mode), class: m.stopped ? "bad" : "" } : "hand-held",
            number(m ? `${m.speed.toFixed(2)} m/s` : "\u2013"),
            m && !runs ? (m.loaded ? "yes" : "no") : "\u2013",
            number(m && !runs && m.battery !== null ? `${m.battery} %` : "\u2013"),
            l?.trp ? l.trp.name : "none",
            { text: l ? decibel(l.margin) : "", class: l && (l.margin === null || l.margin < 0) ? "number bad" : "number" },
            l?.blockedBy ? (l.blockedBy === "person" ? "a person" : l.blockedBy) : "\u2013",
            number(l && l.risk !== null ? `${(100 * l.risk).toFixed(1)} %` : ""),
            { key: `${id}-${steer}-${m?.mode === "paused"}`, node: () => (steer ? agvButtons(act, id, m.mode === "paused" ? "release" : "stop") : make("span")) },
          ],
        };
      }));
    },
  };
}
