// What each page shows. A page is made once and then told of every change by show(state).
import { Floor, LAYERS, MARGINS } from "./floor.js";
import { clock, decibel, duration, nines, words } from "./model.js";

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
class Table {
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
        if (at.textContent !== text) at.textContent = text;
        if (at.className !== kind) at.className = kind;
      });
    });
  }
}

const number = (text) => ({ text, class: "number" });

let picked = null; // outlives the page, so that one comes back to the device one was looking at

export function floorPage(main, act) {
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
  const side = make("aside", { "aria-label": "Details" }, details, make("div", {}, layers, make("h3", {}, "Margin of links"), legend));
  main.className = "floor";
  main.replaceChildren(frame, side);
  let state = null;
  let said = "";
  const floor = new Floor(canvas, (device) => {
    picked = device;
    show(state);
  });
  floor.picked = picked;
  window.factoryTwinFloor = floor; // for tests and for the curious
  frame.append(
    make("div", { class: "zoom" },
      make("button", { type: "button", "aria-label": "Zoom in", onclick: () => floor.zoomBy(1.4) }, "+"),
      make("button", { type: "button", "aria-label": "Zoom out", onclick: () => floor.zoomBy(1 / 1.4) }, "\u2212"),
      make("button", { type: "button", onclick: () => floor.reset() }, "All"),
    ),
  );
  for (const [name, text] of LAYERS) {
    const box = make("input", { type: "checkbox", id: `layer-${name}`, checked: floor.layers[name] });
    box.addEventListener("change", () => {
      floor.layers[name] = box.checked;
      floor.ask();
    });
    layers.append(make("label", { id: `label-${name}` }, box, text));
  }

  function show(now) {
    state = now;
    if (!now?.tick) return;
    document.getElementById("label-people").hidden = now.hall.role !== "safety";
    floor.show(now.hall, now.tick, now.live ? now.poses : null);
    const device = floor.picked;
    const rows = device ? deviceRows(now.tick, device) : hallRows(now.tick);
    const machine = now.tick.machines.find((m) => m.id === device);
    const steer = now.live && now.hall.role !== "viewer" && machine?.kind === "agv";
    const key = JSON.stringify([device, steer, rows.map(([name]) => name)]);
    if (key !== said) {
      said = key;
      const list = make("dl", {}, ...rows.flatMap(([name]) => [make("dt", {}, name), make("dd")]));
      const parts = [make("h2", {}, device ?? "The hall now")];
      if (device && steer) parts.push(agvButtons(act, device)); // above the figures: never scrolled out of sight
      parts.push(list);
      if (!device) parts.push(make("p", { class: "note" }, "Click a machine or a link for its details."));
      details.replaceChildren(...parts);
    }
    details.querySelectorAll("dd").forEach((cell, i) => {
      if (cell.textContent !== rows[i][1]) cell.textContent = rows[i][1];
    });
  }
  return { show, close: () => floor.close() };
}

function hallRows(tick) {
  const agvs = tick.machines.filter((m) => m.kind === "agv");
  const linked = tick.links.filter((l) => l.margin !== null);
  const worst = linked.reduce((a, b) => (a === null || b.margin < a.margin ? b : a), null);
  return [
    ["AGVs standing", `${agvs.filter((m) => m.stopped).length} of ${agvs.length}`],
    ["Links short", `${tick.links.filter((l) => l.margin === null || l.margin < 0).length} of ${tick.links.length}`],
    ["Links blocked", `${tick.links.filter((l) => l.blockedBy).length}`],
    ["Least margin", worst ? `${decibel(worst.margin)} (${worst.device})` : "none"],
    ["Services down", tick.services.filter((s) => !s.up).map((s) => s.name).join(", ") || "none"],
    ["People", `${tick.people.reduce((a, b) => a + b, 0)}`],
  ];
}

function deviceRows(tick, device) {
  const machine = tick.machines.find((m) => m.id === device);
  const link = tick.links.find((l) => l.device === device);
  const rows = [];
  if (machine) {
    rows.push(["State", words(machine.mode)], ["Speed", `${machine.speed.toFixed(2)} m/s`], ["Place", `${machine.x.toFixed(1)}, ${machine.y.toFixed(1)} m`]);
    if (machine.kind === "agv") rows.push(["Load", machine.loaded ? "yes" : "no"], ["Battery", machine.battery === null ? "mains" : `${machine.battery} %`], ["Order", machine.order || "none"]);
  }
  if (link) {
    rows.push(
      ["TRP", link.trp ? `${link.trp.name}, beam ${link.beam}` : "none"],
      ["Margin", decibel(link.margin)],
      ["SINR down", decibel(link.down)],
      ["SINR up", decibel(link.up)],
      ["Blocked by", link.blockedBy === "person" ? "a person" : link.blockedBy || "nothing"],
      ["Body loss", decibel(link.loss)],
      ["Risk", link.risk === null ? "not known" : `${(100 * link.risk).toFixed(1)} %`],
    );
  }
  return rows;
}

// Buttons that stop and release an AGV; only one of them where its name is given.
function agvButtons(act, id, only = null) {
  const stop = () => act("stop_agv", { target: id }, `Stop ${id}? It stands where it is until it is released.`);
  const release = () => act("release_agv", { target: id }, `Release ${id}? It drives on with its order.`);
  const button = (name, text, does) => make("button", { type: "button", "data-act": name, "aria-label": `${text} ${id}`, onclick: does }, text);
  const buttons = { stop: () => button("stop", "Stop", stop), release: () => button("release", "Release", release) };
  return make("div", { class: "actions" }, ...Object.entries(buttons).filter(([name]) => only === null || name === only).map(([, b]) => b()));
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
          s.name,
          s.profile,
          s.up ? { text: "up", class: "good" } : { text: `down since ${clock(s.downSince)}, for ${duration((tick.time - s.downSince) / 1e6)}`, class: "bad" },
          number(nines(s.availability)),
          number(s.availability === null ? "not known yet" : s.availability.toFixed(7)),
          number(s.mtbf === null ? "too few failures" : duration(s.mtbf)),
          number(s.lost === null ? "not known yet" : s.lost.toExponential(1)),
          number(live ? String(watch.outages.filter((o) => o.service === s.name).length) : "\u2013"),
        ],
      })));
    },
  };
}

export function outagesPage(main, act, goTo) {
  const alarms = new Table("Alarms", ["Since", "What", "How often", "State", "Seen by"], "No alarm so far.");
  const outages = new Table("Outages", ["Began", "Lasted", "Service", "What the view showed then", "Replay"], "No outage so far.");
  main.className = "";
  main.replaceChildren(
    make("h2", {}, "Alarms"),
    make("p", { class: "note" }, "Alarms that need a look come first. One that comes again within 30 s counts up instead of coming twice."),
    alarms.element,
    make("h2", {}, "Outages"),
    make("p", { class: "note" }, "The cause of every lost message is in the recording of a run (factory-twin explain); here is what stood in the way as the outage began."),
    outages.element,
  );
  return {
    show({ watch, hall, tick, span }) {
      if (!hall || !tick) return;
      const steer = hall.role !== "viewer";
      const rank = (a) => (a.acknowledged_by ? 2 : a.active ? 0 : 1);
      alarms.show([...watch.alarms].sort((a, b) => rank(a) - rank(b) || b.id - a.id).map((a) => ({
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
          o.service,
          o.seen,
          { key: `${o.id}-${span !== null && o.start_us >= span.start_us}`, node: () => (span !== null && o.start_us >= span.start_us ? make("button", { type: "button", onclick: () => goTo(o.start_us) }, "Show") : make("span", {}, "too long ago")) },
        ],
      })));
    },
  };
}

export function machinesPage(main, act) {
  const table = new Table("Machines and their links", ["Device", "State", "Speed", "Load", "Battery", "TRP", "Margin", "Blocked by", "Risk", "Action"], "The scenario has no machine.");
  main.className = "";
  main.replaceChildren(make("h2", {}, "Machines and their links"), table.element);
  return {
    show({ hall, tick, live }) {
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
            m ? { text: words(m.mode), class: m.stopped ? "bad" : "" } : "",
            number(m ? `${m.speed.toFixed(2)} m/s` : ""),
            m ? (m.loaded ? "yes" : "no") : "",
            number(m && m.battery !== null ? `${m.battery} %` : ""),
            l?.trp ? l.trp.name : "none",
            { text: l ? decibel(l.margin) : "", class: l && (l.margin === null || l.margin < 0) ? "number bad" : "number" },
            l ? (l.blockedBy === "person" ? "a person" : l.blockedBy) : "",
            number(l && l.risk !== null ? `${(100 * l.risk).toFixed(1)} %` : ""),
            { key: `${id}-${steer}-${m?.mode === "paused"}`, node: () => (steer ? agvButtons(act, id, m.mode === "paused" ? "release" : "stop") : make("span")) },
          ],
        };
      }));
    },
  };
}
