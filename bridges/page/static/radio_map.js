// Radio map: what a device at a height would have of the TRPs, anywhere on the floor.
import { Floor } from "./floor.js";
import { SCALES, legendOf, paint, valueAt } from "./heat.js";
import { JobLine } from "./jobs.js";
import { make, zoomButtons } from "./pages.js";
import { clock } from "./model.js";

const LAYERS = [["margin_db", "Margin"], ["snr_db", "SNR down"], ["trp", "Best TRP"], ["covered", "Coverage among people"], ["shaded", "Shaded by bodies"]];
const AMONG = new Set(["covered", "shaded"]); // of the empty hall they say nothing
const DRAWS = 40;
const kept = { job: null, layer: "margin_db" }; // outlives the page

export function mapPage(main) {
  const canvas = make("canvas", { tabindex: "0", role: "img", "aria-label": "Radio map of the floor. Arrow keys move, plus and minus zoom; the table below the legend has its figures." });
  const frame = make("div", { class: "canvas" }, canvas);
  const height = make("input", { id: "map-height", type: "number", min: "0.05", max: "20", step: "0.05", value: "1" });
  const cell = make("select", { id: "map-cell" }, new Option("0.25 m", "0.25"), new Option("0.5 m", "0.5", true, true), new Option("1 m", "1"), new Option("2 m", "2"));
  const device = make("select", { id: "map-device" }, new Option("AGV", "agv"), new Option("cobot", "cobot"), new Option("panel", "panel"));
  const people = make("input", { id: "map-people", type: "checkbox" });
  const layer = make("select", { id: "map-layer", onchange: () => turn() });
  const legend = make("div", { id: "map-legend" });
  const facts = make("dl", { id: "map-facts" });
  const under = make("p", { class: "note", id: "map-under", "aria-live": "off" });
  const start = make("button", { type: "submit", class: "strong" }, "Compute");
  const line = new JobLine((job) => {
    kept.job = job;
    offer();
  });
  const form = make("form", { class: "whatif" },
    make("div", { class: "row" },
      make("label", { for: "map-height" }, "Height of the device [m]", height),
      make("label", { for: "map-cell" }, "Cells", cell)),
    make("label", { for: "map-device" }, "Margin for the services of", device),
    make("label", { class: "check", for: "map-people" }, people, "With people, as many as each zone holds now, at random places"),
    make("div", { class: "actions" }, start),
    line.element);
  const viewer = make("p", { class: "note", hidden: true });
  const shown = make("div", { hidden: true }, make("label", { for: "map-layer" }, "Show ", layer), legend, facts, under);
  const side = make("aside", { "aria-label": "Radio map" }, make("div", {}, make("h2", {}, "Radio map"), viewer, form), shown);
  main.className = "floor";
  main.replaceChildren(frame, side);
  const floor = new Floor(canvas, () => {});
  floor.layers = { ...floor.layers, zones: false, links: false, blocked: false, risk: false, people: false };
  floor.under = (c) => {
    const map = kept.job?.result;
    if (map) paint(floor, c, map, kept.layer, map[kept.layer]);
  };
  window.factoryTwinMap = floor; // for tests and for the curious
  frame.append(zoomButtons(floor));
  let hall = null;

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    line.start("/api/radio-map", { height_m: Number(height.value), cell_m: Number(cell.value), device: device.value, draws: people.checked ? DRAWS : 0 });
  });
  canvas.addEventListener("pointermove", (e) => {
    const map = kept.job?.result;
    if (!map || !floor.hall) return;
    const x = (e.offsetX - floor.width / 2 - floor.offset.x) / floor.scale + floor.hall.size.length / 2;
    const y = floor.hall.size.width / 2 - (e.offsetY - floor.height / 2 - floor.offset.y) / floor.scale;
    const [margin, snr, trp] = ["margin_db", "snr_db", "trp"].map((name) => valueAt(map, map[name], x, y));
    under.textContent = margin === null ? "" : `${x.toFixed(1)}, ${y.toFixed(1)} m: margin ${margin.toFixed(1)} dB, SNR ${snr.toFixed(1)} dB, ${map.trps[trp]}`;
  });

  function offer() {
    const map = kept.job.result;
    const among = kept.job.draws > 0;
    if (!among && AMONG.has(kept.layer)) kept.layer = "margin_db";
    layer.replaceChildren(...LAYERS.filter(([name]) => among || !AMONG.has(name)).map(([name, words]) => new Option(words, name)));
    layer.value = kept.layer;
    shown.hidden = false;
    const known = map.margin_db.filter((v) => v !== null).sort((a, b) => a - b);
    const at = (share) => (known.length ? `${known[Math.floor(share * (known.length - 1))].toFixed(1)} dB` : "none");
    const rows = [
      ["Moment", clock(kept.job.from_us)],
      ["Hall", among ? `${map.people} people drawn ${kept.job.draws} times, machines as they stood` : "without people and machines"],
      ["Margin, least", at(0)],
      ["Margin, median", at(0.5)],
      [among ? "Cells with 0 dB in 95 % of draws" : "Cells with 0 dB or more", `${(100 * map.covered_cells).toFixed(1)} %`],
    ];
    facts.replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    turn();
  }

  function turn() {
    kept.layer = layer.value;
    const words = kept.layer === "trp" ? "TRP with the largest margin" : SCALES[kept.layer].words;
    const note = kept.job.draws > 0 && ["margin_db", "snr_db"].includes(kept.layer) ? ", undercut in 1 draw of 20" : "";
    legend.replaceChildren(make("h3", {}, words + note), legendOf(kept.layer, kept.job.result.trps));
    floor.ask();
  }

  return {
    show(state) {
      if (!state.hall || !state.tick) return;
      if (hall !== state.hall) {
        hall = state.hall;
        const steer = hall.role !== "viewer" && hall.movable;
        form.hidden = !steer;
        viewer.hidden = steer;
        viewer.textContent = hall.role === "viewer" ? "Your role only looks; an engineer can compute a map." : "A finished run cannot be asked for a map; a live twin can.";
        height.max = String(Math.max(0.1, hall.size.height - 0.05));
        if (kept.job) offer();
      }
      floor.show(hall, state.tick, null);
    },
    close() {
      floor.close();
      line.close();
    },
  };
}
