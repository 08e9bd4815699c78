// Runs nodejs-order-book on the messages: node order_book.cjs MODULES MESSAGES.json SECONDS. Prints one JSON object,
// as drivers.py does.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const [modules, path, seconds] = process.argv.slice(2);
const { OrderBook } = require(join(modules, "nodejs-order-book"));
const messages = JSON.parse(readFileSync(path));
const orders = messages.map(([kind, number, side, price, size]) =>
  kind === 0 ? { id: String(number), side: side === 1 ? "buy" : "sell", size, price } : String(number),
);

const book = new OrderBook();
let trades = 0;
let volume = 0;
let done = 0;
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const cpu = cpuSeconds();
const wall = performance.now();
while (done < messages.length && cpuSeconds() - cpu < Number(seconds)) {
  const end = Math.min(done + 250, messages.length);
  for (; done < end; done++) {
    const order = orders[done];
    if (typeof order === "string") {
      book.cancel(order);
      continue;
    }
    const result = book.limit(order);
    if (result.err) throw result.err;
    // `done` and `partial` hold the taker too, where it was filled or rests.
    for (const each of result.done) if (each.id !== order.id) trades += 1;
    if (result.partial && result.partial.id !== order.id) trades += 1;
    volume += order.size - result.quantityLeft;
  }
}
const found = { done, cpu_s: cpuSeconds() - cpu, wall_s: (performance.now() - wall) / 1e3, trades, volume };
const open = book.snapshot();
found.open = [...open.bids, ...open.asks].reduce((sum, level) => sum + level.orders.length, 0);
console.log(JSON.stringify(found));
