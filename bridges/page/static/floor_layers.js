// Layers of what has happened on the floor since the page was started, one at a time, under links and machines.
import { SCALES, legendOf, paint } from "./heat.js";
import { make } from "./pages.js";

const LAYERS = ["short_s", "blocked_s", "people"];
const LOOK_MS = 2000;
const kept = { layer: "" }; // outlives the page

// Adds the choice to a fieldset of layers; returns what ends it.
export function addHeat(floor, fieldset) {
  const choice = make("select", { id: "layer-heat" }, new Option("nothing", ""), ...LAYERS.map((name) => new Option(SCALES[name].words, name)));
  choice.value = kept.layer;
  const legend = make("div", { id: "heat-legend" });
  fieldset.append(make("label", { class: "stacked", for: "layer-heat" }, "Since the start", choice), legend);
  let map = null;
  let timer = null;
  floor.under = (c) => {
    if (map && kept.layer) paint(floor, c, map, kept.layer, map.values, 0.75);
  };

  async function look() {
    clearTimeout(timer);
    if (!kept.layer) return;
    const asked = kept.layer;
    try {
      const answer = await fetch(`/api/heat/${asked}`);
      if (answer.ok && asked === kept.layer) {
        map = await answer.json();
        map.values = map.values.map((v) => (v > 0 ? v : null));
        const words = `${SCALES[asked].words} [${SCALES[asked].unit}], ${(map.seconds / 60).toFixed(1)} min watched`;
        legend.replaceChildren(make("h3", {}, words), legendOf(asked, []));
        floor.ask();
      }
    } catch {
      // the socket's own retry tells of it
    }
    timer = setTimeout(look, LOOK_MS);
  }

  choice.addEventListener("change", () => {
    kept.layer = choice.value;
    map = null;
    legend.replaceChildren();
    floor.ask();
    look();
  });
  look();
  return () => clearTimeout(timer);
}
