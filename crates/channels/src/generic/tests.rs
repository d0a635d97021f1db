//! What posted JSON becomes, and what is refused with which reason.

use super::normalize;
use crate::compliance::{Connector, assert_connector_compliance};

const MESSAGE: &[u8] = include_bytes!("samples/message.json");
const LIST: &[u8] = include_bytes!("samples/list.json");
const UNKNOWN: &[u8] = include_bytes!("samples/unknown.json");

#[test]
fn messages_become_what_their_golden_files_say() {
    for (name, body) in [("message", MESSAGE), ("list", LIST), ("unknown", UNKNOWN)] {
        insta::assert_json_snapshot!(name, normalize(None, body).unwrap());
    }
}

#[test]
fn it_keeps_a_connectors_promises() {
    assert_connector_compliance(&Connector {
        normalize: &|body| normalize(Some("site"), body),
        samples: &[MESSAGE, LIST],
        unknown: &[UNKNOWN],
        malformed: &[b"", b"{", b"[1]", b"[[]]", b"7", b"null", b"{}", b"\xff"],
        tells_time: true,
    });
}

#[test]
fn the_reason_says_what_is_wrong_and_where() {
    for (body, reason) in [
        (r#"{"from": "a", "text": "x"}"#, "item 0: there is no `id`"),
        (r#"[{"id": 1, "from": "a", "text": "x"}, {"id": "", "from": "a"}]"#, "item 1: there is no `id`"),
        (r#"{"id": "1", "text": "x"}"#, "item 0: there is no `from`"),
        (r#"{"id": "1", "from": "a", "text": "x", "sent_at": "noon"}"#, "item 0: `sent_at` is not RFC 3339"),
        (r#"{"id": "1", "from": ["a"], "text": "x"}"#, "item 0: invalid type: sequence"),
    ] {
        let error = normalize(None, body.as_bytes()).unwrap_err();
        assert!(error.reason.starts_with(reason), "{error}");
    }
}

#[test]
fn an_empty_list_is_nothing() {
    assert_eq!(normalize(None, b" [] "), Ok(vec![]));
}
