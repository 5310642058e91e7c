// One scenario with @stomp/stompjs over WebSocket:  node stompjs.mjs MODULES URL SCENARIO
// Ends with code 0 if everything is as it should be.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import process from "node:process";

const [modules, url, scenario] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { Client } = require("@stomp/stompjs");
Object.assign(globalThis, { WebSocket: require("ws").WebSocket });

class Box {
  #kept = [];
  #waiting = [];
  put(one) {
    const taker = this.#waiting.shift();
    if (taker) taker(one);
    else this.#kept.push(one);
  }
  take() {
    if (this.#kept.length) return Promise.resolve(this.#kept.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

async function connected(options = {}) {
  const connections = new Box();
  const errors = new Box();
  const client = new Client({
    brokerURL: url,
    reconnectDelay: 100,
    heartbeatIncoming: 0,
    heartbeatOutgoing: 0,
    onConnect: (frame) => connections.put(frame),
    onStompError: (frame) => errors.put(frame),
    ...options,
  });
  client.activate();
  const frame = await connections.take();
  let receipts = 0;
  return {
    client,
    connections,
    errors,
    version: frame.headers.version,
    confirmed(act) {
      const receipt = `r${++receipts}`;
      const done = new Promise((resolve) => client.watchForReceipt(receipt, resolve));
      act({ receipt });
      return done;
    },
    subscribe(destination, headers = {}) {
      const box = new Box();
      const subscription = client.subscribe(destination, (message) => box.put(message), headers);
      return Object.assign(box, { subscription });
    },
    close: () => client.deactivate(),
  };
}

const send = (one, destination, body, headers = {}) => one.client.publish({ destination, body, headers });
const sent = (one, destination, body, headers = {}) =>
  one.confirmed((receipt) => send(one, destination, body, { ...headers, ...receipt }));
const body = async (box) => (await box.take()).body;

const scenarios = {
  async queue() {
    const one = await connected();
    assert.equal(one.version, "1.2");
    const got = one.subscribe("/queue/js", { ack: "auto" });
    await sent(one, "/queue/js", "grüße", { persistent: "true", colour: "a:b\n" });
    const message = await got.take();
    assert.equal(message.body, "grüße");
    assert.equal(message.headers.colour, "a:b\n");
    one.client.publish({ destination: "/queue/js", binaryBody: new Uint8Array([0, 1, 255]) });
    assert.deepEqual([...(await got.take()).binaryBody], [0, 1, 255]);
    await one.close();
  },

  async topic() {
    const [one, two] = [await connected(), await connected()];
    const boxes = [];
    for (const client of [one, two]) {
      await client.confirmed((receipt) => boxes.push(client.subscribe("/topic/js", receipt)));
    }
    send(one, "/topic/js", "news");
    assert.deepEqual([await body(boxes[0]), await body(boxes[1])], ["news", "news"]);
    await one.close();
    await two.close();
  },

  async acknowledgements() {
    let one = await connected();
    for (const text of ["a", "b", "c", "d"]) await sent(one, "/queue/js-acks", text);
    let got = one.subscribe("/queue/js-acks", { ack: "client-individual" });
    const messages = [await got.take(), await got.take(), await got.take(), await got.take()];
    await one.confirmed((receipt) => messages[1].ack(receipt));
    const dead = one.subscribe("/queue/DLQ.js-acks");
    messages[3].nack();
    assert.equal(await body(dead), "d");
    await one.close();
    one = await connected();
    got = one.subscribe("/queue/js-acks", { ack: "client" });
    const again = [await got.take(), await got.take()];
    assert.deepEqual(again.map((message) => [message.body, message.headers.redelivered]), [["a", "true"], ["c", "true"]]);
    await one.confirmed((receipt) => again[1].ack(receipt));
    await one.close();
    one = await connected();
    got = one.subscribe("/queue/js-acks");
    send(one, "/queue/js-acks", "last");
    assert.equal(await body(got), "last");
    await one.close();
  },

  async transactions() {
    const one = await connected();
    const got = one.subscribe("/queue/js-tx", { ack: "client-individual" });
    const aborted = one.client.begin();
    send(one, "/queue/js-tx", "never", { transaction: aborted.id });
    aborted.abort();
    const kept = one.client.begin();
    send(one, "/queue/js-tx", "one", { transaction: kept.id });
    send(one, "/queue/js-tx", "two", { transaction: kept.id });
    kept.commit();
    const first = await got.take();
    assert.equal(first.body, "one");
    assert.equal(await body(got), "two");
    const done = one.client.begin();
    first.ack({ transaction: done.id });
    done.commit();
    await sent(one, "/queue/js-tx", "three");
    assert.equal(await body(got), "three");
    await one.close();
  },

  async selectors() {
    const one = await connected();
    const got = one.subscribe("/queue/js-chosen", { selector: "size > 5 AND colour = 'blue'" });
    send(one, "/queue/js-chosen", "small", { size: "3", colour: "blue" });
    send(one, "/queue/js-chosen", "red", { size: "9", colour: "red" });
    send(one, "/queue/js-chosen", "right", { size: "9", colour: "blue" });
    assert.equal(await body(got), "right");
    await one.close();
  },

  async durable() {
    const durable = { id: "d", "activemq.subscriptionName": "js" };
    let one = await connected({ connectHeaders: { "client-id": "js" } });
    await one.confirmed((receipt) => one.subscribe("/topic/js-durable", { ...durable, ...receipt }));
    await one.close();
    const other = await connected();
    await sent(other, "/topic/js-durable", "missed", { persistent: "true" });
    await other.close();
    one = await connected({ connectHeaders: { "client-id": "js" } });
    const got = one.subscribe("/topic/js-durable", durable);
    assert.equal(await body(got), "missed");
    await one.confirmed((receipt) => got.subscription.unsubscribe({ ...durable, ...receipt }));
    await one.close();
  },

  async heartbeats() {
    const beats = new Box();
    const one = await connected({
      heartbeatIncoming: 1000,
      heartbeatOutgoing: 1000,
      debug: (text) => text.includes("<<< PONG") && beats.put(text),
    });
    for (let count = 0; count < 3; count++) await beats.take();
    const got = one.subscribe("/queue/js-alive");
    send(one, "/queue/js-alive", "alive");
    assert.equal(await body(got), "alive");
    await one.close();
  },

  async errors() {
    const one = await connected();
    one.client.subscribe("/queue/js-wrong", () => {}, { selector: "size >" });
    assert.match((await one.errors.take()).headers.message, /selector/);
    await one.close();
  },

  // The server is killed behind "ready" and started again.
  async reconnect() {
    const one = await connected();
    await sent(one, "/queue/js-safe", "kept", { persistent: "true" });
    await sent(one, "/queue/js-safe", "lost");
    console.log("ready");
    await one.connections.take();
    const got = one.subscribe("/queue/js-safe", { ack: "client-individual" });
    const message = await got.take();
    assert.equal(message.body, "kept");
    await one.confirmed((receipt) => message.ack(receipt));
    await one.close();
  },
};

await scenarios[scenario]();
