//! A second opinion on WhatsApp's webhooks by npm's `whatsapp-api-js`: what is signed, by whom, and what it says. Where it
//! cannot be had a test says so and does nothing, unless `REQUIRE_WHATSAPP=1` makes that a failure.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command as Program, Stdio};

use channels::messenger::{Kind as MetaKind, normalize, signature};
use channels::{Fact, FactKind};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SECRET: &str = "dev";

fn fetched() -> Option<String> {
    let output = Program::new(format!("{ROOT}/../../tests/npm.sh"))
        .args(["whatsapp", "whatsapp-api-js@6.3.0"])
        .output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let why = match output {
        Ok(output) if output.status.success() => return Some(text(&output.stdout)),
        Ok(output) => text(&output.stderr),
        Err(error) => error.to_string(),
    };
    let required = std::env::var("REQUIRE_WHATSAPP").is_ok_and(|required| required == "1");
    assert!(!required, "REQUIRE_WHATSAPP=1, and npm's reader is missing: {why}");
    eprintln!("SKIPPED, for npm's whatsapp-api-js cannot be had: {why}");
    None
}

fn signed(secret: &str, body: &str) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// As Meta writes it: one line of ASCII, whatever is in it.
fn as_sent(sample: &str) -> String {
    let mut body = String::new();
    for unit in serde_json::from_str::<Value>(sample).unwrap().to_string().encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => body.push(byte.into()),
            None => body.push_str(&format!("\\u{unit:04x}")),
        }
    }
    body
}

/// One change each: it reads no more than the first.
fn samples() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(format!("{ROOT}/src/messenger/samples")).unwrap();
    let mut samples: Vec<(String, String)> = folder
        .map(|file| file.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("whatsapp-"))
        .map(|path| (path.display().to_string(), as_sent(&std::fs::read_to_string(&path).unwrap())))
        .collect();
    samples.sort();
    samples
}

#[test]
fn another_reader_of_whatsapps_webhooks_says_the_same() {
    let Some(program) = fetched() else { return };
    let mut child = Program::new("node")
        .args([format!("{ROOT}/../../tests/whatsapp/reader.js"), program, SECRET.to_owned()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut asks, mut answers) =
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    let mut ask = |body: &str, signature: &str| -> Value {
        writeln!(asks, "{}", json!({"body": body, "signature": signature})).unwrap();
        serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap()
    };
    let secrets = [SECRET.to_owned()];
    let mut read = 0;
    for (name, body) in samples() {
        let right = signed(SECRET, &body);
        let changed = body.replacen("1765432", "1765433", 1);
        let signatures = [
            (body.as_str(), right.clone()),
            (body.as_str(), right.to_uppercase().replace("SHA", "sha")),
            (body.as_str(), signed("another app's", &body)),
            (body.as_str(), right.replacen("sha256=", "sha1=", 1)),
            (body.as_str(), format!("{}00", &right[..right.len() - 2])),
            (changed.as_str(), right.clone()),
        ];
        for (body, signature) in &signatures {
            let ours = signature::valid(&secrets, signature.as_bytes(), body.as_bytes());
            assert_eq!(ask(body, signature)["valid"], ours, "{name}: {signature}");
        }
        let theirs = ask(&body, &right);
        let facts = normalize(MetaKind::Whatsapp, None, body.as_bytes()).unwrap();
        read += usize::from(agree(&name, &theirs, &facts));
    }
    assert!(read >= 12, "only {read} samples were compared");
    drop(asks);
    child.wait().unwrap();
}

/// Whether there was something to compare.
fn agree(name: &str, theirs: &Value, facts: &[Fact]) -> bool {
    let first = &facts[0];
    let id = first.external_id.as_deref();
    match theirs["kind"].as_str() {
        Some("message") if first.kind == FactKind::Ignored => {
            assert_eq!(theirs["id"].as_str(), id, "{name}");
        }
        Some("message") if id.is_some() && first.kind != FactKind::Unknown => {
            assert_eq!(theirs["id"].as_str(), id, "{name}");
            assert_eq!(theirs["phoneID"], first.inbox.as_str(), "{name}");
            assert_eq!(theirs["from"], first.address.as_str(), "{name}");
            if theirs["type"] == "text" {
                assert_eq!(theirs["text"].as_str(), first.text.as_deref(), "{name}");
            }
        }
        Some("status") if theirs["status"] != "sent" => {
            assert_eq!(
                (theirs["id"].as_str(), theirs["phone"].as_str()),
                (id, Some(first.address.as_str())),
                "{name}"
            );
            let kind = match theirs["status"].as_str() {
                Some("delivered") => FactKind::Delivery,
                Some("read") => FactKind::Read,
                _ => FactKind::Failed,
            };
            assert_eq!(first.kind, kind, "{name}");
        }
        _ => return false,
    }
    true
}
