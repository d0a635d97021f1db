//! Whose mail it is, as told from outside: by the examples of the RFCs, by signers and verifiers of others' making, and by
//! name servers that fail.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod dns;
mod foreign;

use std::collections::BTreeMap;

use bytes::Bytes;
use channels::email::{Authentication, Client, Envelope, Verifier};
use domain::{CheckResult, Method, Verdict};

use self::dns::Records;

fn settings(given: &[(&str, &str)]) -> Authentication {
    let settings: BTreeMap<String, String> =
        given.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Authentication::of(&settings).unwrap()
}

fn came(ip: &str, helo: &str, sender: &str) -> Envelope {
    let client = Some(Client { ip: ip.parse().unwrap(), helo: helo.into() });
    Envelope { sender: sender.into(), recipients: vec!["support@us.test".into()], client }
}

fn result(verdict: &Verdict, method: Method) -> Option<CheckResult> {
    verdict.checks.iter().find(|check| check.method == method).map(|check| check.result)
}

fn records(given: &[(&str, &str)]) -> Records {
    given.iter().map(|(name, text)| (name.to_string(), vec![text.to_string()])).collect()
}

/// RFC 8463 appendix A: signed by both kinds of keys.
const RFC_8463: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\nFrom: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\nSubject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\nMessage-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

#[tokio::test]
async fn the_example_of_the_rfc_is_proven_and_no_other_that_looks_like_it() {
    let zone = records(&[(
        "brisbane._domainkey.football.example.com",
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    )]);
    let verifier = Verifier::new(Some(dns::serve(zone).await)).unwrap();
    let told = async |raw: &str, from: &str| {
        let raw = Bytes::from(raw.to_owned());
        verifier.verdict(&settings(&[]), Some(from), &raw, None).await
    };
    let verdict = told(RFC_8463, "joe@football.example.com").await;
    assert!(verdict.authenticated, "{verdict:?}");
    assert_eq!((verdict.by.as_str(), result(&verdict, Method::Dkim)), ("tributary", Some(CheckResult::Pass)));
    assert_eq!(result(&verdict, Method::Dmarc), Some(CheckResult::None));
    let altered = told(&RFC_8463.replace("hungry", "thirsty"), "joe@football.example.com").await;
    assert!(
        !altered.authenticated && result(&altered, Method::Dkim) != Some(CheckResult::Pass),
        "{altered:?}"
    );
    let read_otherwise = told(RFC_8463, "suzie@shopping.example.net").await;
    assert!(!read_otherwise.authenticated, "{read_otherwise:?}");
    let twice = format!("From: joe@football.example.com\r\n{RFC_8463}");
    assert!(!told(&twice, "joe@football.example.com").await.authenticated);
}

#[tokio::test]
async fn name_servers_that_fail_prove_nothing_and_stop_nothing() {
    let verifier = Verifier::new(Some(dns::serve(Records::new()).await)).unwrap();
    for domain in ["broken.test", "silent.test"] {
        let raw = Bytes::from(format!("From: ann@{domain}\r\nSubject: hi\r\n\r\nhello\r\n"));
        let (from, envelope) = (format!("ann@{domain}"), came("192.0.2.1", "mx.test", ""));
        let verdict = verifier.verdict(&settings(&[]), Some(&from), &raw, Some(&envelope)).await;
        assert!(!verdict.authenticated, "{verdict:?}");
        assert_eq!(result(&verdict, Method::Dmarc), Some(CheckResult::TempError), "{verdict:?}");
    }
    let nobody = Verifier::offline();
    let raw = Bytes::from(RFC_8463);
    assert!(
        !nobody.verdict(&settings(&[]), Some("joe@football.example.com"), &raw, None).await.authenticated
    );
}

#[tokio::test]
async fn a_mail_of_megabytes_is_checked_like_any_other() {
    let zone = records(&[("a.test", "v=spf1 ip4:192.0.2.1 -all")]);
    let verifier = Verifier::new(Some(dns::serve(zone).await)).unwrap();
    let raw = Bytes::from(format!("From: ann@a.test\r\n\r\n{}", "All of it.\r\n".repeat(100_000)));
    let envelope = came("192.0.2.1", "mx.a.test", "ann@a.test");
    let verdict = verifier.verdict(&settings(&[]), Some("ann@a.test"), &raw, Some(&envelope)).await;
    assert!(verdict.authenticated, "{verdict:?}");
}

#[tokio::test]
async fn behind_servers_of_our_own_it_is_the_first_one_outside_that_counts() {
    let zone = records(&[("a.test", "v=spf1 ip4:192.0.2.1 -all")]);
    let verifier = Verifier::new(Some(dns::serve(zone).await)).unwrap();
    let told = async |hosts: &str, received: &[&str], client: Option<&str>| {
        let received: String = received.iter().map(|line| format!("Received: {line}\r\n")).collect();
        let raw = format!("Return-Path: <ann@a.test>\r\n{received}From: ann@a.test\r\n\r\nhello\r\n");
        let envelope = client.map(|ip| came(ip, "relay.us.test", "ann@a.test"));
        let how = settings(&[("trusted_hosts", hosts)]);
        let verdict = verifier.verdict(&how, Some("ann@a.test"), &Bytes::from(raw), envelope.as_ref()).await;
        (verdict.authenticated, result(&verdict, Method::Spf))
    };
    let (proven, failed) = ((true, Some(CheckResult::Pass)), (false, Some(CheckResult::Fail)));
    let from_ann = "from mx.a.test (mx.a.test [192.0.2.1]) by mx.us.test; Mon, 16 Mar 2026 10:00:00 +0000";
    let inside = "from mx.us.test (mx.us.test [10.0.0.2]) by relay.us.test; Mon, 16 Mar 2026 10:00:01 +0000";
    let evil = "from mx.a.test (evil.test [203.0.113.9]) by mx.us.test; Mon, 16 Mar 2026 10:00:00 +0000";
    assert_eq!(told("", &[], Some("192.0.2.1")).await, proven);
    assert_eq!(told("", &[from_ann], Some("127.0.0.1")).await, proven, "handed in on this machine");
    assert_eq!(told("", &[from_ann], None).await, proven, "a mailbox was read");
    assert_eq!(told("10.0.0.0/8", &[inside, from_ann], Some("10.0.0.3")).await, proven);
    assert_eq!(
        told("", &[inside, from_ann], Some("10.0.0.3")).await,
        failed,
        "no server of ours, for all we know"
    );
    assert_eq!(
        told("10.0.0.0/8", &[evil, from_ann], Some("10.0.0.3")).await,
        failed,
        "what a sender wrote itself"
    );
    assert_eq!(told("", &[from_ann], Some("203.0.113.9")).await, failed, "the client is outside");
    assert_eq!(told("", &[], Some("127.0.0.1")).await, (false, None), "nothing tells where it came from");
}

#[tokio::test]
async fn what_a_server_of_ours_wrote_counts_where_the_inbox_says_so() {
    let header = async |fields: &[&str]| {
        let fields: String =
            fields.iter().map(|field| format!("Authentication-Results: {field}\r\n")).collect();
        let raw = Bytes::from(format!("{fields}From: Ann <ann@a.test>\r\n\r\nhello\r\n"));
        let how = settings(&[("authentication", "header:MX.us.test")]);
        let verdict = Verifier::offline().verdict(&how, Some("ann@a.test"), &raw, None).await;
        assert_eq!(verdict.by, "mx.us.test");
        verdict.authenticated
    };
    let passes = [
        "mx.us.test; dmarc=pass header.from=a.test",
        "mx.us.test; dkim=pass header.d=a.test header.b=\"x;y\"",
        "mx.us.test 1; spf=pass smtp.mailfrom=ann@a.test",
        "mx.us.test; spf=fail smtp.mailfrom=list.test; dmarc=none header.from=a.test; dkim=pass header.i=@a.test",
    ];
    for field in passes {
        assert!(header(&[field]).await, "{field}");
        assert!(
            header(&["other.test; dmarc=fail header.from=a.test", field]).await,
            "another server's above it"
        );
        assert!(
            !header(&["mx.us.test; dmarc=fail header.from=a.test", field]).await,
            "only the topmost counts"
        );
    }
    let fails = [
        "other.test; dmarc=pass header.from=a.test",
        "mx.us.test.evil.test; dmarc=pass header.from=a.test",
        "mx.us.test; none",
        "mx.us.test; dmarc=pass header.from=b.test",
        "mx.us.test; dkim=pass header.d=b.test",
        "mx.us.test; dkim=pass header.d=evil-a.test",
        "mx.us.test; dkim=pass header.d=test",
        "mx.us.test; dmarc=fail header.from=a.test; dkim=pass header.d=a.test",
        "mx.us.test; spf=pass smtp.helo=a.test",
        "mx.us.test; spf=softfail smtp.mailfrom=a.test",
        "mx.us.test; dkim=fail (dkim=pass header.d=a.test) header.d=b.test",
        "mx.us.test; dmarc=pass header.from=\"a.test",
    ];
    for field in fails {
        assert!(!header(&[field]).await, "{field}");
    }
    assert!(!header(&[]).await);
}

#[test]
fn settings_that_say_nothing_are_named() {
    let bad = |key: &str, value: &str| {
        let settings = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Authentication::of(&settings).unwrap_err().key
    };
    for value in ["", "Trusted", "header:", "header:a b", "dkim"] {
        assert_eq!(bad("authentication", value), "authentication", "{value}");
    }
    for value in ["mx.us.test", "10.0.0.0/33", "10.0.0.0/-1", "fe80::/129"] {
        assert_eq!(bad("trusted_hosts", value), "trusted_hosts", "{value}");
    }
    assert_eq!(bad("trusted_sealers", "list.test, <x>"), "trusted_sealers");
    settings(&[("trusted_hosts", "10.0.0.0/8, 192.0.2.7 2001:db8::/32"), ("trusted_sealers", "list.test")]);
}
