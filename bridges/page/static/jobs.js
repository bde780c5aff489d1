// Work that the twin does beside its tick: start it, follow it, stop it.
import { make } from "./pages.js";

const LOOK_MS = 500;

async function sent(path, body) {
  const answer = await fetch(path, body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (answer.status === 401) location.replace("/login");
  const content = await answer.json();
  if (answer.ok) return content;
  throw new Error(typeof content.detail === "string" ? content.detail : content.detail.map((d) => `${d.loc.slice(1).join(".")}: ${d.msg}`).join("; "));
}

// The place on a page where a job is followed: words, a bar, a button to stop it.
// onDone(job): told of a job that has a result.
export class JobLine {
  constructor(onDone) {
    this.onDone = onDone;
    this.words = make("p", { class: "job-words", role: "status", "aria-live": "polite" });
    this.bar = make("progress", { max: "1", value: "0", "aria-label": "Progress", hidden: true });
    this.stop = make("button", { type: "button", hidden: true, onclick: () => this.cancel() }, "Stop");
    this.element = make("div", { class: "job" }, this.words, this.bar, this.stop);
    this.number = null;
    this.timer = null;
  }

  say(words, bad = false) {
    this.words.textContent = words;
    this.words.classList.toggle("bad", bad);
  }

  running(yes) {
    this.bar.hidden = this.stop.hidden = !yes;
  }

  async start(path, body) {
    clearTimeout(this.timer);
    try {
      const job = await sent(path, body);
      this.number = job.job;
      this.running(true);
      this.show(job);
    } catch (error) {
      this.running(false);
      this.say(`Not started: ${error.message}.`, true);
    }
  }

  async look() {
    try {
      this.show(await sent(`/api/jobs/${this.number}`));
    } catch (error) {
      this.running(false);
      this.say(`Lost: ${error.message}.`, true);
    }
  }

  async cancel() {
    clearTimeout(this.timer);
    try {
      this.show(await sent(`/api/jobs/${this.number}/cancel`, {}));
    } catch (error) {
      this.say(`Not stopped: ${error.message}.`, true);
    }
  }

  show(job) {
    this.bar.value = job.progress;
    if (job.state === "running") {
      this.say(`${Math.round(100 * job.progress)} %: ${job.words}`);
      this.timer = setTimeout(() => this.look(), LOOK_MS);
      return;
    }
    this.running(false);
    this.say(job.state === "done" ? "Done." : job.state === "cancelled" ? "Stopped." : `Failed: ${job.words}`, job.state === "failed");
    if (job.state === "done") this.onDone(job);
  }

  close() {
    clearTimeout(this.timer);
  }
}
