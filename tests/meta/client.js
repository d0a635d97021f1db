// A client of Messenger, by npm's messaging-api-messenger (../meta/program.sh fetches it), run against the Graph that its
// arguments name: URL APP SECRET TOKEN KNOWN STRANGER GONE LATE. It prints what came of each call as a line of JSON: a
// result, or the error's code and subcode.
const { MessengerClient } = require("messaging-api-messenger");

const [url, appId, appSecret, accessToken, known, stranger, gone, late] = process.argv.slice(2);
const client = new MessengerClient({ origin: url, version: "23.0", appId, appSecret, accessToken });
const unproven = new MessengerClient({ origin: url, version: "23.0", accessToken });
const expired = new MessengerClient({ origin: url, version: "23.0", appId, appSecret, accessToken: "old" });

const tried = async (name, call) => {
  let said;
  try {
    said = { result: await call() };
  } catch (error) {
    const told = error.response && error.response.data && error.response.data.error;
    said = { error: told || String(error) };
  }
  process.stdout.write(JSON.stringify({ name, ...said }) + "\n");
  return said.result;
};

(async () => {
  await tried("text", () => client.sendText(known, "Hello", { messagingType: "RESPONSE" }));
  await tried("quick", () =>
    client.sendText(known, "Which?", {
      quickReplies: [{ contentType: "text", title: "One", payload: "1" }, { contentType: "user_email" }],
    }));
  await tried("buttons", () =>
    client.sendButtonTemplate(known, "Well?", [{ type: "postback", title: "Yes", payload: "yes" }]));
  await tried("generic", () =>
    client.sendGenericTemplate(known, [
      { title: "A card", subtitle: "of many", buttons: [{ type: "web_url", title: "See", url: "https://x.example.test" }] },
    ]));
  await tried("image", () => client.sendImage(known, "https://x.example.test/a.png"));
  await tried("typing", () => client.typingOn(known));
  await tried("seen", () => client.markSeen(known));
  const persona = await tried("persona", () =>
    client.createPersona({ name: "Ada", profilePictureUrl: "https://x.example.test/ada.png" }));
  await tried("as", () => client.sendText(known, "It is Ada", { personaId: persona && persona.id }));
  const upload = await tried("upload", () => client.uploadImage("https://x.example.test/b.png"));
  await tried("uploaded", () => client.sendImage(known, { attachmentId: upload && upload.attachmentId }));
  await tried("stranger", () => client.sendText(stranger, "Hello"));
  await tried("gone", () => client.sendText(gone, "Hello"));
  await tried("late", () => client.sendText(late, "Hello"));
  await tried("tagged", () => client.sendText(late, "A person here", { tag: "HUMAN_AGENT" }));
  await tried("long", () => client.sendText(known, "x".repeat(2001)));
  await tried("unproven", () => unproven.sendText(known, "Hello"));
  await tried("expired", () => expired.sendText(known, "Hello"));
  await tried("token", () => client.debugToken());
  await tried("page", () => client.getPageInfo());
  await tried("subscriptions", () => client.getSubscriptions({ accessToken: `${appId}|${appSecret}` }));
})();
