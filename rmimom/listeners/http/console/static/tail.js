// The live tail of a queue or a topic: what comes, as it comes; nothing is consumed.

import { ask, clock, make } from "./page.js";

const MOST_LINES = 200;

let tails = [];

export function startTails() {
  return () => {
    tails.filter((tail) => !tail.section.isConnected).forEach((tail) => tail.stop());
    tails = tails.filter((tail) => tail.section.isConnected);
    for (const section of document.querySelectorAll("[data-tail]:not([data-begun])")) {
      section.dataset.begun = "";
      tails.push(new Tail(section));
    }
  };
}

class Tail {
  constructor(section) {
    this.section = section;
    this.source = null;
    this.button = make("button", { type: "submit" }, "Start");
    this.selector = make("input", { type: "text", name: "selector", placeholder: "JMSPriority > 4", autocomplete: "off", maxlength: "10000" });
    this.state = make("span", { class: "live", role: "status" }, "not watching");
    const form = make("form", { class: "filter", "hx-boost": "false" }, make("label", {}, "Selector", this.selector), this.button, this.state);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.source) this.stop();
      else this.start();
    });
    this.complaint = make("p", { class: "notice error", role: "alert", hidden: "" });
    this.lines = make("ol", { class: "tail-lines", "aria-label": "Messages as they come", tabindex: "0" });
    section.append(form, this.complaint, this.lines);
    section.hidden = false;
  }

  start() {
    const query = this.selector.value.trim() ? `?${new URLSearchParams({ selector: this.selector.value.trim() })}` : "";
    const url = this.section.dataset.tail + query;
    this.complaint.hidden = true;
    this.source = new EventSource(url);
    this.button.textContent = "Stop";
    this.source.addEventListener("open", () => this.say("watching", "on"));
    this.source.addEventListener("messages", (event) => this.take(JSON.parse(event.data)));
    this.source.addEventListener("error", () => {
      this.say("connecting again", "off");
      if (this.source?.readyState === EventSource.CLOSED) this.refused(url);
    });
    this.say("connecting", "off");
  }

  stop() {
    this.source?.close();
    this.source = null;
    this.button.textContent = "Start";
    this.say("not watching", "");
  }

  /** The stream was refused: find out why. */
  async refused(url) {
    this.stop();
    let text = "the server does not answer";
    const controller = new AbortController();
    try {
      const response = await fetch(url, { signal: controller.signal });
      if (response.status === 401) await ask("/api/v1/me");
      text = response.ok ? "the stream was interrupted" : (await response.json()).detail;
    } catch {
      // It is away, as the text says.
    } finally {
      controller.abort();
    }
    this.complaint.textContent = text;
    this.complaint.hidden = false;
  }

  say(text, state) {
    this.state.textContent = text;
    this.state.className = `live ${state}`;
  }

  take(event) {
    const follow = this.lines.scrollTop + this.lines.clientHeight >= this.lines.scrollHeight - 5;
    for (const message of event.items) this.lines.append(this.line(message));
    if (event.dropped) {
      this.lines.append(make("li", { class: "dropped" }, `${event.dropped} more came too fast to be shown`));
    }
    while (this.lines.children.length > MOST_LINES) this.lines.firstElementChild.remove();
    if (follow) this.lines.scrollTop = this.lines.scrollHeight;
  }

  line(message) {
    const name = this.section.dataset.tail.split("/").at(-2);
    const when = make("time", {}, clock(Date.now()));
    const kind = `${message.kind}, ${message.size} bytes`;
    const label = message.id
      ? make("a", { class: "kind", href: `/queues/${name}/messages/${message.id}` }, `${message.id}: ${kind}`)
      : make("span", { class: "kind" }, kind);
    return make("li", {}, when, label, make("span", { class: "text" }, message.preview || "(no body)"));
  }
}
