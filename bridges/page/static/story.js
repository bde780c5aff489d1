// Why an outage came about, beside the replay of its seconds.
import { clock } from "./model.js";
import { make } from "./pages.js";

const AROUND_US = 2_000_000; // replayed before and after
const FRAME_US = 100_000; // from one picture to the next
const NEAR_US = 1_000_000;
const LISTED = 4;

// Fetch the story of an outage and replay its seconds; resolves to whether there is one to tell.
export async function openStory(outage, state, player, tell) {
  const path = outage.run === undefined ? `/api/outages/${outage.id}/story` : `/api/runs/${outage.run}/outages/${outage.id}/story`;
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    tell("The story cannot be told: the twin does not answer.");
    return false;
  }
  const story = await answer.json();
  if (!answer.ok) {
    tell(`The story cannot be told: ${story.detail}.`);
    return false;
  }
  const span = player.span;
  player.loop = [Math.max(span.start_us, story.start_us - AROUND_US), Math.min(span.end_us, story.end_us + AROUND_US)];
  state.story = { ...story, run: outage.run ?? null };
  player.seek(player.loop[0]);
  player.play(true);
  return true;
}

export function closeStory(state, player) {
  state.story = null;
  if (player) player.loop = null;
}

// The part of the floor's side that tells: the open story, or the outages of this moment.
export function storyPanel(onTell, onClose) {
  const element = make("section", { id: "story", "aria-label": "Why messages were lost", hidden: true });
  let said = "";
  return {
    element,
    show(state) {
      const { story, tick } = state;
      const near = story || !tick ? [] : at(state, tick.time);
      const key = story ? `story ${story.run} ${story.start_us} ${story.device} ${story.service}` : near.map((o) => `${o.run}-${o.id}`).join();
      element.hidden = key === "";
      if (key !== said) {
        said = key;
        element.replaceChildren(...(story ? told(story, onClose) : listed(near, onTell, state.runs)));
      }
      if (!story) return;
      const mark = element.querySelector(".moment");
      const [from, to] = [story.start_us, story.end_us];
      const at_us = tick.time;
      const losing = at_us + FRAME_US > from && at_us <= to;
      const words = losing ? "messages are being lost" : at_us < from ? `${((from - at_us) / 1e6).toFixed(1)} s before the first loss` : `${((at_us - to) / 1e6).toFixed(1)} s after the last loss`;
      mark.textContent = words;
      mark.className = losing ? "moment bad" : "moment";
    },
  };
}

// The outages of a moment, those that put a service down first.
function at(state, us) {
  if (state.runs) {
    const near = state.outages.filter((o) => o.start_us - NEAR_US <= us && us <= o.end_us + NEAR_US);
    return near.sort((a, b) => Number(b.down) - Number(a.down) || b.messages - a.messages).slice(0, LISTED);
  }
  const near = state.watch.outages.filter((o) => o.start_us - NEAR_US <= us && us <= (o.end_us ?? Infinity) + NEAR_US);
  return near.slice(0, LISTED);
}

function listed(outages, onTell, runs) {
  const run = (o) => (runs?.length > 1 ? `${runs[o.run].card.title}, ` : "");
  return [
    make("h3", {}, "Lost around this moment"),
    make("ul", { class: "near" }, ...outages.map((o) => make("li", {},
      make("span", {}, o.device ? `${run(o)}${o.device}: ${o.cause}${o.down ? "; service down" : ""}` : `${o.service} down`),
      make("button", { type: "button", "data-why": o.id, "aria-label": `Why ${o.device ?? o.service}`, onclick: () => onTell(o) }, "Why?")))),
  ];
}

function told(story, onClose) {
  const parts = [
    make("div", { class: "actions" }, make("button", { type: "button", id: "close-story", onclick: onClose }, "Close the story")),
    make("h2", {}, `${story.device || story.service}: ${clock(story.start_us)}`),
    make("p", { class: "title" }, story.title),
    make("p", { class: "moment", role: "status", "aria-live": "off" }),
  ];
  for (const [head, text] of story.sections) {
    parts.push(make("h3", {}, head), ...text.split("\n").map((line) => make("p", { class: head === "It did" || head === "Saved by" ? "line" : "" }, line.trim())));
  }
  if (story.causes.length) {
    parts.push(make("h3", {}, story.run === null ? "All losses of the last minutes" : "All losses of the run"),
      make("ul", { class: "causes" }, ...story.causes.map(([words, count, share]) => make("li", {}, `${share.toFixed(1)} % ${words} (${count})`))));
  }
  parts.push(make("p", { class: "note" }, `Replayed over and over from ${AROUND_US / 1e6} s before the first loss to ${AROUND_US / 1e6} s after the last.`));
  return parts;
}
