//! The same mails, judged by us and by others: dkimpy and pyspf, who also signed them. Where they cannot be had a test says
//! so and does nothing, unless `REQUIRE_SIGNERS=1` makes that a failure.

use std::process::Command;

use bytes::Bytes;
use channels::email::Verifier;
use data_encoding::BASE64;
use domain::{CheckResult, Method};
use serde::Deserialize;

use super::{
    came,
    dns::{self, Records},
    result, settings,
};

#[derive(Deserialize)]
struct Cases {
    records: Records,
    mails: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    raw: String,
    ip: String,
    helo: String,
    sender: String,
    /// What the others say.
    dkim: bool,
    spf: String,
    arc: bool,
    /// The sender is proven; and so it is if the list that passed it on is believed.
    proven: bool,
    believed: bool,
}

const FETCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python.sh");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/trust/foreign.py");
const PROGRAMS: [&str; 7] =
    ["dkimpy==1.1.8", "pyspf==2.0.14", "authres", "dnspython", "py3dns", "pynacl", "cryptography"];

fn cases() -> Option<Cases> {
    match fetched() {
        Ok(cases) => Some(cases),
        Err(why) if std::env::var("REQUIRE_SIGNERS").is_ok_and(|required| required == "1") => {
            panic!("REQUIRE_SIGNERS=1, and there are none: {why}")
        }
        Err(why) => {
            eprintln!("SKIPPED, for no signers of others' making can be had: {why}");
            None
        }
    }
}

fn fetched() -> Result<Cases, String> {
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| error.to_string())?;
        match output.status.success() {
            true => String::from_utf8(output.stdout).map_err(|error| error.to_string()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    };
    let at = run(Command::new(FETCH).arg("signers").args(PROGRAMS))?;
    let printed = run(Command::new(format!("{}/bin/python", at.trim())).arg(SCRIPT))?;
    serde_json::from_str(&printed).map_err(|error| error.to_string())
}

#[tokio::test]
async fn we_and_others_say_the_same_of_the_same_mails() {
    let Some(Cases { records, mails }) = cases() else { return };
    assert!(mails.len() >= 20);
    let verifier = Verifier::new(Some(dns::serve(records).await)).unwrap();
    for case in &mails {
        let raw = Bytes::from(BASE64.decode(case.raw.as_bytes()).unwrap());
        let envelope = came(&case.ip, &case.helo, &case.sender);
        let fact = channels::email::normalize(Some("email"), &raw, Some(&envelope)).unwrap().remove(0);
        let from = fact.mail.unwrap().from.unwrap();
        let told = async |sealers: &str| {
            let how = settings(&[("trusted_sealers", sealers)]);
            verifier.verdict(&how, Some(&from), &raw, Some(&envelope)).await
        };
        let verdict = told("").await;
        let name = &case.name;
        assert_eq!(verdict.authenticated, case.proven, "{name}: {verdict:?}");
        assert_eq!(told("list.test").await.authenticated, case.believed, "{name}, if the list is believed");
        assert_eq!(told("other.test").await.authenticated, case.proven, "{name}, if another is believed");
        // Who has several senders is not asked for more; and what is signed up to a length only is signed for others.
        if verdict.checks.is_empty() || case.name.contains("up to a length") {
            continue;
        }
        let passes = |method| {
            let of_method = verdict.checks.iter().filter(|check| check.method == method);
            of_method.clone().any(|check| check.result == CheckResult::Pass)
        };
        assert_eq!(passes(Method::Dkim), case.dkim, "DKIM of {name}: {verdict:?}");
        assert_eq!(passes(Method::Arc), case.arc, "ARC of {name}: {verdict:?}");
        let spf = result(&verdict, Method::Spf).map_or("none", CheckResult::as_str);
        assert_eq!(spf, case.spf, "SPF of {name}: {verdict:?}");
    }
}
