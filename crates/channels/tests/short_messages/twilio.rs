//! Twilio's signatures, made by its own library.

use channels::twilio::{Form, signature};
use serde_json::{Value, json};

use crate::foreign::through;

/// Parameters of every awkward kind: repeated, empty, in need of escaping, and in another order than that of their names.
const FORMS: [&[(&str, &str)]; 4] = [
    &[("MessageSid", "SM1"), ("From", "+15005550006"), ("To", "+15550100"), ("Body", "Hi & bye = ü+ 😀 {}")],
    &[("b", "2"), ("a", ""), ("b", "1"), ("b", "2"), ("A", "x"), ("a", "y")],
    &[("MediaUrl0", "https://api.twilio.com/a?b=c&d"), ("NumMedia", "1"), ("Body", "")],
    &[],
];

#[test]
fn what_twilios_own_library_signs_is_believed_and_nothing_else() {
    let bases = ["https://x.example.test", "https://x.example.test:8443", "http://127.0.0.1:8080/base"];
    let path = "/webhooks/twilio/sms?a=1&b=%20";
    let mut asked = Vec::new();
    for base in bases {
        let url = format!("{base}{path}");
        asked.extend(FORMS.map(|form| json!({"token": "dev", "url": url, "form": form})));
        asked.push(
            json!({"token": "dev", "url": url, "body": r#"{"MessageSid": "SM1", "From": "+15550123"}"#}),
        );
    }
    let lines: Vec<String> = asked.iter().map(Value::to_string).collect();
    let packages = ["twilio", "twilio==9.8.3", "werkzeug==3.1.3"];
    let Some(told) = through(&packages, "twilio/sign.py", &lines) else { return };
    assert_eq!(told.len(), asked.len());
    for (asked, told) in asked.iter().zip(&told) {
        let base = bases.iter().find(|base| asked["url"] == format!("{base}{path}")).unwrap();
        let url = told["url"].as_str().unwrap();
        let (signed, path) = (told["signature"].as_str().unwrap().as_bytes(), &url[base.len()..]);
        let valid = |token: &str, base: &str, path: &str, altered: bool| {
            let tokens = [token.to_owned()];
            match asked.get("body") {
                Some(body) => {
                    let body = format!("{}{}", body.as_str().unwrap(), if altered { " " } else { "" });
                    signature::valid_json(&tokens, signed, base, path, body.as_bytes())
                }
                None => {
                    let mut pairs: Vec<(String, String)> =
                        serde_json::from_value(asked["form"].clone()).unwrap();
                    if altered {
                        pairs.push(("More".into(), "1".into()));
                    }
                    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                    signature::valid(&tokens, signed, base, path, &Form::parse(body.as_bytes()))
                }
            }
        };
        assert!(valid("dev", base, path, false), "{asked}");
        assert!(!valid("dev", base, path, true), "altered: {asked}");
        assert!(!valid("other", base, path, false), "another's: {asked}");
        assert!(!valid("dev", "https://evil.example.test", path, false), "to another: {asked}");
        assert!(!valid("dev", base, &format!("{path}&c=2"), false), "by another path: {asked}");
    }
}
