//! Webhooks' bodies and the units of message centres.

use channels::{Fact, Malformed, generic, messenger, smpp, twilio};

use crate::harness::{Target, alike};

/// What holds of every reading: it is the same twice, it can be told, and no fact is without an identity.
fn sound(read: impl Fn() -> Result<Vec<Fact>, Malformed>) -> u64 {
    let (Ok(facts), Ok(again)) = (read(), read()) else { return 0 };
    assert_eq!(facts, again);
    for fact in &facts {
        serde_json::to_string(fact).expect("a fact can be told");
        assert!(!fact.identity().is_empty());
    }
    let kinds: Vec<_> = facts.iter().map(|fact| (fact.kind, fact.attachments.len().min(4))).take(8).collect();
    alike(&(facts.len().min(8), kinds))
}

const OF_JSON: [&[u8]; 14] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"null",
    b"\"\"",
    b"1e999",
    b"-1",
    b"\\ud800",
    b"\"entry\":[]",
    b"\"messages\":[{}]",
    b"\"timestamp\":99999999999999999999",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

#[test]
fn damaged_webhooks_of_meta_are_read_soundly() {
    let corpus: &[&str] = &["src/messenger/samples"];
    let read = |body: &[u8]| {
        let kinds = [messenger::Kind::Messenger, messenger::Kind::Instagram, messenger::Kind::Whatsapp];
        let read = kinds.map(|kind| sound(|| messenger::normalize(kind, Some("inbox"), body)));
        alike(&read)
    };
    Target { name: "meta", corpus, pieces: &OF_JSON, read }.run();
}

#[test]
fn damaged_generic_messages_are_read_soundly() {
    let corpus: &[&str] = &["src/generic/samples"];
    let read = |body: &[u8]| sound(|| generic::normalize(Some("inbox"), body));
    Target { name: "generic", corpus, pieces: &OF_JSON, read }.run();
}

#[test]
fn damaged_forms_are_read_soundly() {
    let corpus: &[&str] = &["src/twilio/samples"];
    let read = |body: &[u8]| sound(|| twilio::normalize(Some("inbox"), body));
    let pieces: &[&[u8]] = &[
        b"&",
        b"=",
        b"%",
        b"%00",
        b"%ff",
        b"+",
        b"NumMedia=99999999999",
        b"MessageSid=",
        b"From=&To=&Body=",
    ];
    Target { name: "form", corpus, pieces, read }.run();
}

#[test]
fn damaged_units_are_read_soundly() {
    let corpus: &[&str] = &["src/smpp/samples"];
    let read = |units: &[u8]| sound(|| smpp::normalize(Some("inbox"), units));
    let pieces: &[&[u8]] =
        &[b"00000010", b"ffffffff", b"00", b"0005000400", b"04240000", b"\0", b" ", b"050003cc"];
    Target { name: "smpp", corpus, pieces, read }.run();
}
