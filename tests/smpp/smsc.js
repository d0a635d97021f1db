// A message centre on loopback, by npm's smpp (../program.sh fetches it). It prints its port, and then what it understands
// of each message, as lines of JSON. It ends when its standard input does, so that it never outlives its test.
//
// What a message says is done: `throttle` is refused once as too fast, `cut` cuts the connection before its answer, `deaf`
// is answered, and no sign of life after it is; to `narrow` and `wide` a long text is delivered, in parts. All that is taken
// has its receipt.
//
// With a certificate and its key as arguments it speaks TLS alone.
const smpp = require("smpp");

const lines = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const long = {
  narrow: ["Where is my parcel? It was due on Monday. ".repeat(10), 153],
  wide: ["Где моя посылка? 📦 ".repeat(10), 67],
};
let count = 0;
const throttled = new Set();

const fs = require("fs");
const [cert, key] = process.argv.slice(2).map((file) => fs.readFileSync(file));
const server = smpp.createServer(cert ? { cert, key } : {}, (session) => {
  let deaf = false;
  session.on("error", () => {});
  session.on("bind_transceiver", (pdu) => {
    const known = pdu.system_id === "acme" && pdu.password === "secret";
    session.send(pdu.response({ command_status: known ? 0 : smpp.ESME_RINVPASWD, system_id: "npm" }));
    lines({ bind: pdu.system_id, known });
  });
  session.on("enquire_link", (pdu) => deaf || session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on("submit_sm", (pdu) => {
    const text = pdu.short_message.message.toString();
    lines({
      from: pdu.source_addr,
      to: pdu.destination_addr,
      ton: pdu.dest_addr_ton,
      coding: pdu.data_coding,
      text,
      udh: (pdu.short_message.udh || []).map((element) => element.toString("hex")),
      receipt: pdu.registered_delivery,
    });
    if (text === "throttle" && !throttled.has(pdu.destination_addr)) {
      throttled.add(pdu.destination_addr);
      session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      return;
    }
    if (text === "cut") return session.destroy();
    if (text === "deaf") deaf = true;
    const id = (++count).toString(16).padStart(8, "0").toUpperCase();
    session.send(pdu.response({ message_id: id }));
    const back = { source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr, destination_addr: pdu.source_addr };
    if (pdu.registered_delivery) {
      const done = "id:" + id + " sub:001 dlvrd:001 submit date:2603011200 done date:2603011201 stat:DELIVRD err:000 text:";
      session.deliver_sm({ ...back, esm_class: 4, short_message: done }, (answer) => lines({ receipt_answered: answer.command_status }));
    }
    if (long[text]) {
      const [words, most] = long[text];
      const total = Math.ceil(words.length / most);
      // The last part comes first.
      for (let number = total; number > 0; number--) {
        const udh = Buffer.from([5, 0, 3, count & 255, total, number]);
        const message = { udh, message: words.slice((number - 1) * most, number * most) };
        const options = { ...back, esm_class: smpp.ESM_CLASS.UDH_INDICATOR, data_coding: most === 67 ? 8 : 0, short_message: message };
        session.deliver_sm(options, (answer) => lines({ part_answered: answer.command_status }));
      }
    }
  });
});
server.on("error", (error) => lines({ error: String(error) }));
server.listen(0, "127.0.0.1", () => lines({ port: server.address().port }));
process.stdin.on("end", () => process.exit(0)).resume();
