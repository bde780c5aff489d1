// Colours of maps of the floor, and their legends. Blue to orange, told apart with every common colour blindness; every legend has
// its numbers and unit beside the colours, so that nothing is told by colour alone.
import { make } from "./pages.js";

const FEW_TO_MANY = ["#f7f7f7", "#d1e5f0", "#92c5de", "#4393c3", "#2166ac", "#053061"];
const BAD_TO_GOOD = ["#7f3b08", "#b35806", "#fdb863", "#d8daeb", "#8da8d6", "#2166ac"];
const TRPS = ["#2166ac", "#e08214", "#8a8f98", "#5e3c99", "#1b9e9e", "#7f3b08", "#c3a5cf", "#111111"];

// layer: name of a map. bounds: n - 1 limits between n colours, in its unit.
export const SCALES = {
  margin_db: { words: "Margin of the best TRP", unit: "dB", bounds: [0, 3, 6, 10, 20, 30], colours: [...BAD_TO_GOOD, "#053061"] },
  snr_db: { words: "SNR down, best TRP", unit: "dB", bounds: [0, 10, 20, 30, 40], colours: BAD_TO_GOOD },
  covered: { words: "Draws in which the margin suffices", unit: "%", factor: 100, bounds: [50, 80, 90, 95, 99], colours: BAD_TO_GOOD },
  shaded: { words: "Draws in which bodies cost 3 dB or more", unit: "%", factor: 100, bounds: [1, 2, 5, 10, 20], colours: FEW_TO_MANY },
  short_s: { words: "Links short of their need", unit: "s", bounds: [0.1, 1, 5, 20, 60], colours: FEW_TO_MANY },
  blocked_s: { words: "AGVs standing where they should move", unit: "s", bounds: [0.1, 5, 30, 120, 600], colours: FEW_TO_MANY },
  people: { words: "People, mean", unit: "per 100 m\u00b2", bounds: [0.2, 0.5, 1, 2, 5], colours: FEW_TO_MANY },
};

export function colourOf(layer, value) {
  if (value === null || value === undefined) return null;
  if (layer === "trp") return value < 0 ? null : TRPS[value % TRPS.length];
  const scale = SCALES[layer];
  const at = value * (scale.factor ?? 1);
  return scale.colours[scale.bounds.filter((b) => at >= b).length];
}

export function legendOf(layer, trps) {
  const list = make("ul", { class: "legend" });
  const entry = (colour, words) => {
    const box = make("span", { class: "swatch", "aria-hidden": "true" });
    box.style.background = colour;
    list.append(make("li", {}, box, words));
  };
  if (layer === "trp") {
    trps.forEach((name, i) => entry(TRPS[i % TRPS.length], name));
    return list;
  }
  const { bounds, colours, unit } = SCALES[layer];
  colours.forEach((colour, i) => entry(colour, i === 0 ? `below ${bounds[0]} ${unit}` : i === bounds.length ? `${bounds[i - 1]} ${unit} and more` : `${bounds[i - 1]} to ${bounds[i]} ${unit}`));
  return list;
}

let last = { values: null, layer: "", picture: null };

// A map as a picture with one pixel a cell, made once per map and layer.
function pictureOf(map, layer, values) {
  if (last.values === values && last.layer === layer) return last.picture;
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [map.nx, map.ny];
  const c = picture.getContext("2d");
  for (let row = 0; row < map.ny; row += 1) {
    for (let column = 0; column < map.nx; column += 1) {
      const colour = colourOf(layer, values[row * map.nx + column]);
      if (!colour) continue;
      c.fillStyle = colour;
      c.fillRect(column, map.ny - 1 - row, 1, 1);
    }
  }
  last = { values, layer, picture };
  return picture;
}

// Paint a map onto a floor: {nx, ny, cell_m}, values row by row from y = 0.
export function paint(floor, c, map, layer, values, alpha = 1) {
  c.save();
  c.globalAlpha = alpha;
  c.imageSmoothingEnabled = false; // cells are what was computed; nothing is known between them
  const [x0, y1] = floor.at(0, 0);
  const [x1, y0] = floor.at(floor.hall.size.length, floor.hall.size.width);
  c.beginPath();
  c.rect(x0, y0, x1 - x0, y1 - y0);
  c.clip();
  const [left, top] = floor.at(0, map.ny * map.cell_m);
  c.drawImage(pictureOf(map, layer, values), left, top, map.nx * map.cell_m * floor.scale, map.ny * map.cell_m * floor.scale);
  c.restore();
}

export function valueAt(map, values, x, y) {
  const [column, row] = [Math.floor(x / map.cell_m), Math.floor(y / map.cell_m)];
  return column >= 0 && row >= 0 && column < map.nx && row < map.ny ? values[row * map.nx + column] : null;
}
