//! Against programs that nobody here wrote: npm's `smpp` as the message centre, and PyPI's `smpplib` as a second opinion on
//! units and segments. Where they cannot be had a test says so and does nothing, unless `REQUIRE_SMPP=1` makes that a
//! failure.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use channels::{
    Outcome, Sender as _,
    smpp::pdu::{Bind, Frame, Mode, Number, Pdu, Short, Tlv},
};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::{Value, json};
use sms::{Encoding, Options};

use crate::client::{Kept, config, outgoing, start, until};

pub(crate) const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests");

/// None, said loudly, where the program cannot be had.
pub(crate) fn fetched(command: &mut Command) -> Option<String> {
    let output = command.output().map_err(|error| error.to_string());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let why = match output {
        Ok(output) if output.status.success() => return Some(text(&output.stdout)),
        Ok(output) => text(&output.stderr),
        Err(error) => error,
    };
    let required = std::env::var("REQUIRE_SMPP").is_ok_and(|required| required == "1");
    assert!(!required, "REQUIRE_SMPP=1, and a program is missing: {why}");
    eprintln!("SKIPPED, for a program cannot be had: {why}");
    None
}

/// A message centre of npm's. It ends with its standard input, which ends with this.
struct Npm {
    child: Child,
    port: u16,
    said: Arc<Mutex<Vec<Value>>>,
}

impl Npm {
    fn start() -> Option<Npm> {
        Npm::start_with(&[])
    }

    /// By TLS, where a certificate and its key are named.
    fn start_with(arguments: &[&str]) -> Option<Npm> {
        let program = fetched(Command::new(format!("{TESTS}/npm.sh")).args(["smpp", "smpp@0.6.0-rc.4"]))?;
        let mut child = Command::new("node")
            .arg(format!("{TESTS}/smpp/smsc.js"))
            .args(arguments)
            .env("NODE_PATH", format!("{program}/node_modules"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (ready, port) = mpsc::channel();
        let (lines, keeping) = (BufReader::new(child.stdout.take().unwrap()), said.clone());
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let line: Value = serde_json::from_str(&line).unwrap();
                if let Some(port) = line["port"].as_u64() {
                    let _ = ready.send(port as u16);
                }
                keeping.lock().unwrap().push(line);
            }
        });
        let port = port.recv_timeout(Duration::from_secs(60)).expect("it says its port");
        Some(Npm { child, port, said })
    }

    fn said(&self, key: &str) -> Vec<Value> {
        self.said.lock().unwrap().iter().filter(|line| line.get(key).is_some()).cloned().collect()
    }
}

impl Drop for Npm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn npms_message_centre_takes_throttles_cuts_and_delivers() {
    let Some(npm) = Npm::start() else { return };
    let kept: Arc<Kept> = Arc::default();
    let settings = [("enquire_link", "1"), ("response_timeout", "2")];
    let smpp = start(config(([127, 0, 0, 1], npm.port).into(), &settings), &kept);

    // A text with characters of the extension, as the other side reads it.
    let sent = smpp.send(&outgoing("k1", "+4915112345678", "Grüße {für} 5 € @Köln")).await;
    assert_eq!(sent, Outcome::Sent { provider_id: "1".into() });
    until("it is heard", || !npm.said("text").is_empty()).await;
    let heard = npm.said("text").pop().unwrap();
    assert_eq!((&heard["to"], &heard["ton"]), (&json!("4915112345678"), &json!(1)));
    assert_eq!(heard["text"], "Grüße {für} 5 € @Köln");
    // Its receipt, whose id has zeros before it.
    until("a receipt", || kept.told().len() == 1).await;
    assert_eq!(kept.told()[0], ("delivery".into(), "+4915112345678".into(), "1".into()));

    // Long texts out, in parts that the other side reads one by one.
    let text = "Your parcel {42} is on its way. ".repeat(10);
    let before = npm.said("text").len();
    let sent = smpp.send(&outgoing("k2", "+15550123", &text)).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
    until("all its parts", || npm.said("text").len() >= before + 3).await;
    let parts = npm.said("text").split_off(before);
    let words: String = parts.iter().map(|part| part["text"].as_str().unwrap()).collect();
    assert_eq!(words, text);
    assert!(
        parts.len() == 3 && parts.iter().all(|part| part["udh"][0].as_str().unwrap().starts_with("0003")),
        "{parts:?}"
    );

    // And in, the last part first.
    for (word, text) in
        [("narrow", "Where is my parcel? It was due on Monday. "), ("wide", "Где моя посылка? 📦 ")]
    {
        let sent = smpp.send(&outgoing("k2", "+15550123", word)).await;
        assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
        let whole = ("message".to_owned(), "+15550123".to_owned(), text.repeat(10));
        until("the whole of it", || kept.told().contains(&whole)).await;
    }

    // Too fast, once; it goes out all the same.
    let sent = smpp.send(&outgoing("k3", "+15550123", "throttle")).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
    // What it says of a message may come after its answer.
    let throttled = || npm.said("text").iter().filter(|it| it["text"] == "throttle").count();
    until("it came twice", || throttled() == 2).await;

    // Cut in the middle: nobody knows.
    let sent = smpp.send(&outgoing("k4", "+15550123", "cut")).await;
    assert!(matches!(sent, Outcome::Unknown { .. }), "{sent:?}");
    until("it is bound again", || npm.said("bind").len() == 2).await;

    // A line that goes dead is found out.
    let sent = smpp.send(&outgoing("k5", "+15550123", "deaf")).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
    until("it is bound once more", || npm.said("bind").len() == 3).await;
    let sent = smpp.send(&outgoing("k6", "+15550123", "and again")).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
    until("all is answered", || npm.said("part_answered").len() == 6).await;
    for answer in npm.said("part_answered").into_iter().chain(npm.said("receipt_answered")) {
        let status = answer.as_object().unwrap().values().next().unwrap().clone();
        assert_eq!(status, json!(0), "{answer}");
    }
}

/// A certificate of the machine's own, for 127.0.0.1 or somebody else, and its key: paths in the folder.
fn certificate(folder: &std::path::Path, name: &str) -> Option<[String; 2]> {
    let [cert, key] = ["crt", "key"].map(|kind| format!("{}/{name}.{kind}", folder.display()));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "2", "-subj", &format!("/CN={}", &name[..3])]);
    openssl.args([
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        &format!("subjectAltName={name}"),
    ]);
    openssl.args(["-keyout", &key, "-out", &cert]);
    fetched(&mut openssl)?;
    Some([cert, key])
}

#[tokio::test]
async fn a_message_centre_is_spoken_to_by_tls_if_its_certificate_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let Some([cert, key]) = certificate(folder.path(), "IP:127.0.0.1") else { return };
    let Some(npm) = Npm::start_with(&[&cert, &key]) else { return };
    let kept: Arc<Kept> = Arc::default();
    let secured = |authority: Option<&str>| {
        let mut config = config(([127, 0, 0, 1], npm.port).into(), &[("tls", "yes")]);
        config.ca = authority.map(|file| std::fs::read_to_string(file).unwrap());
        config
    };
    let smpp = start(secured(Some(&cert)), &kept);
    let sent = smpp.send(&outgoing("k1", "+4915112345678", "under seal")).await;
    assert_eq!(sent, Outcome::Sent { provider_id: "1".into() });
    until("a receipt", || kept.told().len() == 1).await;
    let whole = ("message".to_owned(), "+15550123".to_owned(), "Где моя посылка? 📦 ".repeat(10));
    let sent = smpp.send(&outgoing("k2", "+15550123", "wide")).await;
    assert!(matches!(sent, Outcome::Sent { .. }), "{sent:?}");
    until("the whole of a long one", || kept.told().contains(&whole)).await;
    assert_eq!(npm.said("bind").len(), 1);

    // Nobody vouches for it; somebody vouches for another; it is another's.
    let Some([other, other_key]) = certificate(folder.path(), "DNS:other.example.test") else { return };
    let Some(elsewhere) = Npm::start_with(&[&other, &other_key]) else { return };
    let mut of_another = config(([127, 0, 0, 1], elsewhere.port).into(), &[("tls", "yes")]);
    of_another.ca = Some(std::fs::read_to_string(&other).unwrap());
    for (config, why) in [
        (secured(None), "UnknownIssuer"),
        (secured(Some(&other)), "UnknownIssuer"),
        (of_another, "not valid for name"),
    ] {
        let smpp = start(config, &kept);
        let told = async {
            loop {
                let refused = smpp.send(&outgoing("k3", "+15550123", "never said")).await;
                let Outcome::Retry { code, reason, .. } = refused else { panic!("{refused:?}") };
                assert_eq!(code, "not_bound");
                if reason.contains("certificate") && reason.contains(why) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), told).await.expect(why);
    }
    // And one that does not speak it at all.
    let Some(plain) = Npm::start() else { return };
    let smpp = start(config(([127, 0, 0, 1], plain.port).into(), &[("tls", "yes")]), &kept);
    let refused = smpp.send(&outgoing("k4", "+15550123", "never said")).await;
    assert!(matches!(&refused, Outcome::Retry { code, .. } if code == "not_bound"), "{refused:?}");
    assert!(npm.said("text").iter().chain(&plain.said("text")).all(|it| it["text"] != "never said"));
    assert!(elsewhere.said("bind").is_empty() && plain.said("bind").is_empty());
}

fn smpplib(lines: &[String]) -> Option<Vec<Value>> {
    through(&["smpp", "smpplib==2.2.4"], "smpp/opinion.py", lines)
}

/// What a script says to each line, with these packages of PyPI's.
pub(crate) fn through(packages: &[&str], script: &str, lines: &[String]) -> Option<Vec<Value>> {
    let program = fetched(Command::new(format!("{TESTS}/python.sh")).args(packages))?;
    let mut child = Command::new(format!("{program}/bin/python"))
        .arg(format!("{TESTS}/{script}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let all = lines.join("\n") + "\n";
    let writing = std::thread::spawn(move || stdin.write_all(all.as_bytes()).unwrap());
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = said.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    writing.join().unwrap();
    assert!(child.wait().unwrap().success());
    Some(said)
}

#[test]
fn smpplib_reads_our_units_as_we_mean_them() {
    let number =
        |ton, digits: &'static str| Number { ton, npi: 1, digits: Bytes::from_static(digits.as_bytes()) };
    let tlv = |tag, value: &'static [u8]| Tlv { tag, value: Bytes::from_static(value) };
    let short = |tlvs| Short {
        source: number(1, "15550100"),
        destination: number(1, "4915112345678"),
        esm_class: 0x40,
        registered_delivery: 1,
        data_coding: 8,
        text: Bytes::from_static(b"\x05\x00\x03\x2a\x02\x01\x04\x1f\x04@"),
        tlvs,
        ..Short::default()
    };
    let sar = vec![tlv(0x020c, b"\x12\x34"), tlv(0x020e, b"\x02"), tlv(0x020f, b"\x01")];
    let bind = Bind {
        system_id: "acme".into(),
        password: "secret".into(),
        system_type: "x".into(),
        ..Bind::default()
    };
    let frames = [
        Frame::new(7, Pdu::SubmitSm(Box::new(short(Vec::new())))),
        Frame::new(8, Pdu::SubmitSm(Box::new(short(sar)))),
        Frame::new(9, Pdu::Bind(Mode::Transceiver, bind)),
        Frame::new(10, Pdu::EnquireLink),
        Frame { status: 0x64, sequence: 11, pdu: Pdu::DeliverSmResp },
        Frame::new(12, Pdu::Unbind),
    ];
    let lines: Vec<String> = frames
        .iter()
        .map(|frame| {
            let mut octets = BytesMut::new();
            frame.write(&mut octets);
            HEXLOWER.encode(&octets)
        })
        .collect();
    let Some(told) = smpplib(&lines) else { return };
    let ascii = |text: &str| json!(HEXLOWER.encode(text.as_bytes()));
    for (told, (command, sequence)) in told.iter().zip([
        ("submit_sm", 7),
        ("submit_sm", 8),
        ("bind_transceiver", 9),
        ("enquire_link", 10),
        ("deliver_sm_resp", 11),
        ("unbind", 12),
    ]) {
        assert_eq!((&told["command"], &told["sequence"]), (&json!(command), &json!(sequence)));
    }
    for one in &told[..2] {
        assert_eq!(one["source_addr"], ascii("15550100"));
        assert_eq!(one["destination_addr"], ascii("4915112345678"));
        assert_eq!((&one["esm_class"], &one["data_coding"]), (&json!(0x40), &json!(8)));
        assert_eq!((&one["registered_delivery"], &one["dest_addr_ton"]), (&json!(1), &json!(1)));
        assert_eq!(one["short_message"], "0500032a0201041f0440");
    }
    assert_eq!((&told[1]["sar_msg_ref_num"], &told[1]["sar_total_segments"]), (&json!(0x1234), &json!(2)));
    assert_eq!((&told[2]["system_id"], &told[2]["password"]), (&ascii("acme"), &ascii("secret")));
    assert_eq!(told[4]["status"], json!(0x64));
}

#[test]
fn smpplib_cuts_texts_into_the_same_parts() {
    // It cuts within characters of two septets and within surrogates, so texts of others are compared.
    let texts = [
        "hello".to_owned(),
        "a".repeat(160),
        "a".repeat(161),
        "Grüße aus Köln! ".repeat(30),
        "я".repeat(70),
        "я".repeat(71),
        "Привет, как дела? ".repeat(20),
        "{[€]}".to_owned(),
    ];
    let lines: Vec<_> = texts.iter().map(|text| format!("text {}", json!(text))).collect();
    let Some(told) = smpplib(&lines) else { return };
    for (text, told) in texts.iter().zip(told) {
        let plan = Options::default().plan(text).unwrap();
        let ours: Vec<_> = plan.octets(7).map(|(_, octets)| octets).collect();
        let theirs: Vec<_> = told["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| HEXLOWER_PERMISSIVE.decode(part.as_str().unwrap().as_bytes()).unwrap())
            .collect();
        assert_eq!(ours, theirs, "{text}");
        let is_wide = told["encoding"] == json!(8);
        assert_eq!(plan.encoding == Encoding::Ucs2, is_wide, "{text}");
    }
}
