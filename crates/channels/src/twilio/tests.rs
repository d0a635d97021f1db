//! What each callback becomes, and whose signatures are believed.

use super::{Form, normalize, signature};
use crate::compliance::{Connector, assert_connector_compliance};

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("samples/", $name, ".form")).as_slice())),*]
    };
}

const EVENTS: [(&str, &[u8]); 7] =
    samples!["text", "media", "stop", "start", "delivered", "undelivered", "read"];
const UNKNOWN: [(&str, &[u8]); 2] = samples!["call", "teleported"];

#[test]
fn every_callback_becomes_what_its_golden_file_says() {
    for (name, body) in EVENTS.into_iter().chain(UNKNOWN) {
        insta::assert_json_snapshot!(name, normalize(None, body).unwrap());
    }
}

#[test]
fn it_keeps_a_connectors_promises() {
    assert_connector_compliance(&Connector {
        normalize: &|body| normalize(Some("sms"), body),
        samples: &EVENTS.map(|(_, body)| body),
        unknown: &UNKNOWN.map(|(_, body)| body),
        malformed: &[b"", b"{\"MessageSid\":\"SM1\"}", b"MessageSid=&From=%2B1", b"\xff=\xff"],
        tells_time: false,
    });
}

#[test]
fn an_event_told_again_is_one_fact_and_another_like_it_is_another() {
    let facts = |body: &[u8], token: &str| {
        let mut facts = normalize(Some("sms"), body).unwrap();
        super::tell_apart(&mut facts, token.as_bytes());
        facts.iter().map(crate::Fact::identity).collect::<Vec<_>>()
    };
    // A call has no MessageSid.
    let call = UNKNOWN[0].1;
    assert_eq!(facts(call, "t-1"), facts(call, "t-1"));
    assert_ne!(facts(call, "t-1"), facts(call, "t-2"));
    assert_ne!(facts(call, "t-1"), facts(call, ""));
    // A message is itself by its id, whatever stands around it.
    let text = EVENTS[0].1;
    assert_eq!(facts(text, "t-1"), facts(text, "t-2"));
    // And a status is one of its kind.
    let status =
        |status: &str| format!("MessageSid=SM1&AccountSid=AC1&MessageStatus={status}&From=%2B1&To=%2B2");
    let [delivered, read] = ["delivered", "read"].map(status);
    assert_eq!(facts(delivered.as_bytes(), "t-1"), facts(delivered.as_bytes(), "t-9"));
    assert_ne!(facts(delivered.as_bytes(), "t-1"), facts(read.as_bytes(), "t-1"));
}

#[test]
fn twilio_that_has_answered_help_says_so() {
    let body = |more: &str| format!("MessageSid=SM1&From=%2B15550123&To=%2B15550100&Body=HELP{more}");
    let payload = |more: &str| normalize(Some("sms"), body(more).as_bytes()).unwrap()[0].payload.clone();
    assert_eq!(payload("&OptOutType=HELP").as_deref(), Some(crate::HELP));
    assert_eq!(payload(""), None);
}

#[test]
fn a_message_on_its_way_is_no_news() {
    for status in ["accepted", "scheduled", "queued", "sending", "sent"] {
        let form = format!("MessageSid=SM1&AccountSid=AC1&MessageStatus={status}&From=%2B1&To=%2B2");
        assert_eq!(normalize(None, form.as_bytes()), Ok(vec![]), "{status}");
    }
}

#[test]
fn only_as_many_media_as_there_are_are_looked_for() {
    let form = "MessageSid=SM1&From=%2B1&To=%2B2&Body=x&NumMedia=4000000000&MediaUrl0=https%3A%2F%2Fa.test&MediaUrl2=x";
    assert_eq!(normalize(None, form.as_bytes()).unwrap()[0].attachments.len(), 2);
}

fn signed(token: &str, signature: &str, base: &str, path: &str, form: &str) -> bool {
    signature::valid(&[token.to_owned()], signature.as_bytes(), base, path, &Form::parse(form.as_bytes()))
}

/// The example of *Validating requests are coming from Twilio*.
#[test]
fn the_published_example_is_valid() {
    let form =
        "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
    let valid =
        |token, base, path, form: &str| signed(token, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", base, path, form);
    assert!(valid("12345", "https://mycompany.com", "/myapp.php?foo=1&bar=2", form));
    assert!(valid("12345", "https://mycompany.com/", "/myapp.php?foo=1&bar=2", form));
    assert!(!valid("12346", "https://mycompany.com", "/myapp.php?foo=1&bar=2", form));
    assert!(!valid("12345", "http://mycompany.com", "/myapp.php?foo=1&bar=2", form));
    assert!(!valid("12345", "https://mycompany.com", "/myapp.php?foo=1", form));
    assert!(!valid(
        "12345",
        "https://mycompany.com",
        "/myapp.php?foo=1&bar=2",
        &form.replace("1234&", "1235&")
    ));
    assert!(!valid("12345", "https://mycompany.com", "/myapp.php?foo=1&bar=2", &format!("{form}&more=1")));
}

/// Made with `RequestValidator("dev").compute_signature(url, params)` of Twilio's Python library 9, whose `params` had
/// these parameters with the repeated one as a list.
#[test]
fn repeated_and_empty_parameters_and_ports_are_as_twilios_library_has_them() {
    let form = "MessageSid=SM1&From=%2B15005550006&To=%2B15550100&Body=Hi+%26+bye+%3D+%C3%BC%2B&Empty=&Media=b&Media=a&Media=b";
    let path = "/webhooks/twilio/sms";
    for (base, path, signature) in [
        ("http://127.0.0.1:8080", path, "xjAX8zGP4tZ7CP2nO8nCz1OJ5nQ="),
        ("http://127.0.0.1:8080", path, "SpRT8tpa88M03a4doM26KMvfkas="),
        ("https://x.example.test", "/webhooks/twilio/sms?a=1", "pFKkXHDo4BO8NmrkR2AvrEGVVKg="),
        ("https://x.example.test", "/webhooks/twilio/sms?a=1", "/b+7soGXXUYCkbHF9UCBKhtc3kQ="),
        ("https://x.example.test:443", "/webhooks/twilio/sms?a=1", "pFKkXHDo4BO8NmrkR2AvrEGVVKg="),
        ("http://[::1]:8080/base", path, "m/vgPtS55b9yXva/pGivpNSCJhs="),
        ("http://[::1]", path, "4nHe+TDERiek1mc/313XAhVNzjY="),
    ] {
        assert!(signed("dev", signature, base, path, form), "{base} {signature}");
        assert!(!signed("other", signature, base, path, form), "{base} {signature}");
    }
}

#[test]
fn any_of_several_tokens_will_do_but_none_is_none() {
    let (base, path, form) = ("http://127.0.0.1:8080", "/webhooks/twilio/sms", Form::parse(b"a=1"));
    // `base64(hmac_sha1(b"dev", b"http://127.0.0.1:8080/webhooks/twilio/sms" + b"a1"))`, by Python.
    let signature = b"QLng/oZ+1S79hdGsdM4GKR8mshY=";
    let valid = |tokens: &[&str]| {
        let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
        signature::valid(&tokens, signature, base, path, &form)
    };
    assert!(valid(&["old", "dev"]) && valid(&["dev", "new"]));
    assert!(!valid(&["old", "new"]) && !valid(&[]) && !valid(&[""]));
    for wrong in ["", "AAAA", "not base64!", "QLng/oZ+1S79hdGsdM4GKR8mshY=="] {
        assert!(!signed("dev", wrong, base, path, "a=1"), "{wrong}");
    }
}

#[test]
fn odd_public_urls_are_only_never_valid() {
    for base in ["", "x", "://", "https://", "http://:", "http://[::1", "[:"] {
        assert!(!signed("dev", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", base, "/p", "a=1"), "{base}");
    }
}
