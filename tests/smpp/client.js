// Sends COUNT messages to a message centre at PORT with npm's smpp, WINDOW under way at a time, and prints messages a second.
const smpp = require("smpp");
const [port, count, most] = process.argv.slice(2).map(Number);
const session = smpp.connect({ url: "smpp://127.0.0.1:" + port }, () => {
  session.bind_transceiver({ system_id: "npm", password: "secret" }, () => {
    const began = process.hrtime.bigint();
    let sent = 0;
    let answered = 0;
    const next = () => {
      if (sent === count) return;
      const number = sent++;
      const message = { destination_addr: "4915112345678", dest_addr_ton: 1, short_message: "Your parcel " + number + " is on its way." };
      session.submit_sm(message, (answer) => {
        if (answer.command_status !== 0) process.exit(1);
        if (++answered < count) return next();
        console.log(count / (Number(process.hrtime.bigint() - began) / 1e9));
        process.exit(0);
      });
    };
    for (let at = 0; at < most; at++) next();
  });
});
session.on("error", () => process.exit(1));
