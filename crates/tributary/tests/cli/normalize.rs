//! Payloads in, facts out, without any server.

use std::io::Write as _;

use super::*;

const MESSENGER: &str = r#"{"object":"page","entry":[{"id":"1","time":1,"messaging":[
    {"sender":{"id":"psid"},"recipient":{"id":"1"},"timestamp":1700000000123,"message":{"mid":"m1","text":"Hello"}},
    {"sender":{"id":"psid"},"recipient":{"id":"1"},"timestamp":1700000000124,"postback":{"title":"Go","payload":"GO"}}
]}]}"#;
const INSTAGRAM: &str = r#"{"object":"instagram","entry":[{"id":"2","time":1,"messaging":[
    {"sender":{"id":"igsid"},"recipient":{"id":"2"},"timestamp":1700000000123,"message":{"mid":"i1","text":"Hi"}}
]}]}"#;
const WHATSAPP: &str = r#"{"object":"whatsapp_business_account","entry":[{"id":"3","changes":[{"field":"messages","value":{
    "messaging_product":"whatsapp","metadata":{"display_phone_number":"15550100","phone_number_id":"33"},
    "messages":[{"from":"15550123","id":"wamid.1","timestamp":"1700000000","type":"text","text":{"body":"Hey"}}]
}}]}]}"#;
const EMAIL: &str = "From: Ann <Ann@Example.org>\r\nTo: support@example.test\r\nSubject: Question\r\n\
    Message-ID: <q1@example.org>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\nHow much?\r\n";
const TWILIO: &str = "MessageSid=SM1&From=%2B15550123&To=%2B15550100&Body=Hello";
const SMPP: &str =
    "00000036 00000005 00000000 00000001 00 01 01 3135353530313233 00 01 01 3135353530313030 00
    00 00 00 00 00 00 00 00 00 05 48656c6c6f";
const GENERIC: &str = r#"{"id":"g1","from":"ann","text":"Hello","sent_at":"2023-11-14T22:13:20Z"}"#;

fn of(channel: &str, payload: &str) -> Vec<Value> {
    let dir = folder(&[("payload", payload)]);
    let output = run(&["normalize", "--channel", channel, "--inbox", "box", &path(&dir, "payload")]);
    expect(&output, 0);
    json_lines(&output)
}

#[test]
fn each_channel_gives_its_facts() {
    let cases = [
        ("messenger", MESSENGER, "messenger", "psid", "m1", "Hello"),
        ("instagram", INSTAGRAM, "instagram", "igsid", "i1", "Hi"),
        ("whatsapp", WHATSAPP, "whatsapp", "15550123", "wamid.1", "Hey"),
        ("email", EMAIL, "email", "ann@example.org", "q1@example.org", "How much?"),
        ("twilio", TWILIO, "sms", "+15550123", "SM1", "Hello"),
        ("generic", GENERIC, "generic", "ann", "g1", "Hello"),
        ("smpp", SMPP, "sms", "+15550123", "sms-", "Hello"),
    ];
    for (kind, payload, channel, address, id, text) in cases {
        let fact = &of(kind, payload)[0];
        assert_eq!((&fact["kind"], &fact["channel"]), (&"message".into(), &channel.into()), "{kind}");
        assert_eq!((&fact["inbox"], &fact["address"]), (&"box".into(), &address.into()), "{kind}");
        // SMPP gives none, so there it is made of the message.
        assert!(fact["external_id"].as_str().is_some_and(|it| it == id || it.starts_with("sms-")), "{kind}");
        assert_eq!(fact["text"].as_str().map(str::trim), Some(text), "{kind}");
        assert_eq!(fact.get("file"), None, "one file needs no name");
    }
}

#[test]
fn every_item_of_a_batch_is_a_line() {
    let facts = of("messenger", MESSENGER);
    assert_eq!(facts.len(), 2);
    assert_eq!((&facts[1]["kind"], &facts[1]["payload"]), (&"postback".into(), &"GO".into()));
    assert_eq!(facts[0]["sent_at"], "2023-11-14T22:13:20.123Z");
}

#[test]
fn a_mail_tells_what_only_mails_have() {
    let fact = &of("email", EMAIL)[0];
    assert_eq!((&fact["subject"], &fact["from"]), (&"Question".into(), &"ann@example.org".into()));
    assert_eq!(fact["to"], serde_json::json!(["support@example.test"]));
    assert_eq!(fact["message_id"], "q1@example.org");
}

#[test]
fn what_is_not_understood_is_unknown_and_no_failure() {
    let facts = of("generic", r#"{"id":"g2","from":"ann"}"#);
    assert_eq!(facts[0]["kind"], "unknown");
    assert!(facts[0]["reason"].is_string());
}

#[test]
fn without_a_file_standard_input_is_read() {
    let mut child = command(&["normalize", "--channel", "twilio"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(TWILIO.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    expect(&output, 0);
    assert_eq!(json_lines(&output)[0]["inbox"], "+15550100", "the provider's own name for it");
}

#[test]
fn of_several_files_each_line_names_its_own_and_the_worst_code_counts() {
    let dir = folder(&[("good", GENERIC), ("bad", "{"), ("also good", GENERIC)]);
    let (good, bad, also) = (path(&dir, "good"), path(&dir, "bad"), path(&dir, "also good"));
    let output = run(&["normalize", "--channel", "generic", &good, &bad, &also]);
    expect(&output, 65);
    let files: Vec<_> = json_lines(&output).iter().map(|fact| fact["file"].clone()).collect();
    assert_eq!(files, [Value::from(good.clone()), also.into()]);
    let said = stderr(&output);
    assert!(said.contains(&bad) && said.contains("malformed"), "{said}");

    let output = run(&["normalize", "--channel", "generic", &bad, &path(&dir, "none"), &good]);
    expect(&output, 66);
    assert_eq!(json_lines(&output).len(), 1);
}

#[test]
fn malformed_input_of_each_channel_is_65() {
    for (channel, payload) in [
        ("messenger", "not json"),
        ("instagram", "[]"),
        ("whatsapp", "{}"),
        ("email", " \r\n"),
        ("twilio", "a=b"),
        ("generic", "[1]"),
    ] {
        let dir = folder(&[("payload", payload)]);
        let output = run(&["normalize", "--channel", channel, &path(&dir, "payload")]);
        expect(&output, 65);
        assert!(output.stdout.is_empty(), "{channel}");
    }
}

#[test]
fn a_channel_that_there_is_not_is_told() {
    expect(&run(&["normalize", "--channel", "pigeon"]), 2);
}
