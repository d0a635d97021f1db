//! The fake itself, by a client that nobody here wrote: npm's `messaging-api-messenger`. Where that cannot be had the test
//! says so and does nothing, unless `REQUIRE_META=1` makes that a failure.

use std::{collections::BTreeMap, process::Command};

use serde_json::{Value, json};

use crate::fake::{Fake, Plays, Settings};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests");
const HOUR: i64 = 60 * 60 * 1000;

/// None, said loudly, where the program cannot be had.
fn fetched() -> Option<String> {
    let output =
        Command::new(format!("{TESTS}/npm.sh")).args(["meta", "messaging-api-messenger@1.1.0"]).output();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let why = match output {
        Ok(output) if output.status.success() => return Some(text(&output.stdout)),
        Ok(output) => text(&output.stderr),
        Err(error) => error.to_string(),
    };
    let required = std::env::var("REQUIRE_META").is_ok_and(|required| required == "1");
    assert!(!required, "REQUIRE_META=1, and a program is missing: {why}");
    eprintln!("SKIPPED, for a program cannot be had: {why}");
    None
}

#[tokio::test]
async fn npms_client_finds_the_platform_it_knows() {
    let Some(program) = tokio::task::spawn_blocking(fetched).await.unwrap() else { return };
    let settings = Settings::of(Plays::Messenger);
    let fake = Fake::start(settings.clone()).await;
    fake.writes("late", "Are you there?");
    fake.passes(25 * HOUR);
    fake.writes("known", "Hello");
    fake.leaves("gone");
    let mut command = Command::new("node");
    command
        .arg(format!("{TESTS}/meta/client.js"))
        .args([&*fake.url, &settings.app_id, &settings.app_secret, &settings.token])
        .args(["known", "stranger", "gone", "late"])
        .env("NODE_PATH", format!("{program}/node_modules"));
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: BTreeMap<String, Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| (line["name"].as_str().unwrap().to_owned(), line))
        .collect();

    for name in ["text", "quick", "buttons", "generic", "image", "as", "uploaded", "tagged"] {
        assert!(said[name]["result"]["messageId"].is_string(), "{name}: {}", said[name]);
    }
    for name in ["typing", "seen"] {
        assert_eq!(said[name]["result"]["recipientId"], "known", "{}", said[name]);
    }
    // Its errors, as its client reads them.
    for (name, code, subcode) in [
        ("stranger", 100, json!(2_018_001)),
        ("gone", 551, json!(1_545_041)),
        ("late", 10, json!(2_018_278)),
        ("long", 100, json!(null)),
        ("unproven", 100, json!(null)),
        ("expired", 190, json!(463)),
    ] {
        let error = &said[name]["error"];
        assert_eq!(
            (&error["code"], &error["errorSubcode"]),
            (&json!(code), &subcode),
            "{name}: {}",
            said[name]
        );
    }
    assert_eq!(said["token"]["result"]["isValid"], true, "{}", said["token"]);
    assert_eq!(said["page"]["result"]["id"], settings.page, "{}", said["page"]);
    assert_eq!(said["subscriptions"]["result"][0]["active"], true, "{}", said["subscriptions"]);

    assert_eq!(fake.count(), 8);
    let tagged = fake.taken().into_iter().find(|taken| taken.to == "late").unwrap();
    assert_eq!(tagged.tag.as_deref(), Some("HUMAN_AGENT"));
    assert_eq!(fake.personas().len(), 1);
}
