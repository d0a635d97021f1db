// What npm's whatsapp-api-js makes of webhooks: each line of standard input is {"body", "signature"}, each line of standard
// output what it says of the one: {"valid"}, and where it is valid what it read.
//
//   node reader.js FOLDER SECRET
//
// FOLDER is what npm.sh printed.
"use strict";

const path = require("node:path");
const readline = require("node:readline");
const { pathToFileURL } = require("node:url");

async function main() {
  const [folder, secret] = process.argv.slice(2);
  const library = path.join(folder, "node_modules", "whatsapp-api-js", "lib", "index.js");
  const { WhatsAppAPI } = await import(pathToFileURL(library));
  const reader = new WhatsAppAPI({ token: "none", appSecret: secret, v: "v23.0" });
  let read = null;
  const keep = (kind) => (event) => {
    read = { kind, ...event };
  };
  reader.on.message = keep("message");
  reader.on.status = keep("status");

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { body, signature } = JSON.parse(line);
    read = null;
    let valid = false;
    try {
      valid = await reader.verifyRequestSignature(body, signature);
      if (valid) await reader.post(JSON.parse(body), body, signature);
    } catch (error) {
      read = { kind: "error", error: String(error) };
    }
    const { kind, from, phoneID, message, id, status, phone, error } = read ?? {};
    const text = message?.text?.body;
    const told = { valid, kind, error, phoneID, from, id: message?.id ?? id, type: message?.type, text, status, phone };
    process.stdout.write(JSON.stringify(told) + "\n");
  }
}

main();
