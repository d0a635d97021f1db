use super::*;
use crate::testing::outgoing;

fn outbox() -> (tempfile::TempDir, Arc<Outbox>) {
    let dir = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(dir.path().join("outbox")).unwrap();
    (dir, outbox)
}

fn keyed(key: &str) -> Outgoing {
    Outgoing { key: key.to_owned(), ..outgoing() }
}

fn lines(dir: &tempfile::TempDir) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(dir.path().join("outbox/attempts.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sent(key: &str) -> Lookup {
    Lookup::Sent { provider_id: key.to_owned() }
}

#[tokio::test]
async fn a_message_becomes_a_file_and_a_line() {
    let (dir, outbox) = outbox();
    let sandbox = Sandbox::new(&outbox, "messenger").unwrap();
    assert_eq!(sandbox.lookup("0f3a-1").await, Lookup::NotSent);
    assert_eq!(sandbox.send(&outgoing()).await, Outcome::Sent { provider_id: "0f3a-1".to_owned() });
    let message = fs::read(dir.path().join("outbox/messenger/0f3a-1.json")).unwrap();
    let message: serde_json::Value = serde_json::from_slice(&message).unwrap();
    assert_eq!(message["to"], "customer");
    assert_eq!(message["text"], "Hello & welcome");
    assert_eq!(message["at"], "2025-12-11T05:48:20.123Z");
    assert_eq!(message["idempotency_key"], "0f3a-1");
    assert_eq!(message["attachments"], serde_json::json!([]));
    let [line] = &lines(&dir)[..] else { panic!("one attempt") };
    assert_eq!(line["inbox"], "messenger");
    assert_eq!(line["idempotency_key"], "0f3a-1");
    assert_eq!(line["to"], "customer");
    assert!(line["at"].as_str().unwrap().parse::<Timestamp>().is_ok());
    assert_eq!(sandbox.lookup("0f3a-1").await, sent("0f3a-1"));
}

#[tokio::test]
async fn a_doubled_send_shows() {
    let (dir, outbox) = outbox();
    let sandbox = Sandbox::new(&outbox, "sms").unwrap();
    sandbox.send(&outgoing()).await;
    sandbox.send(&outgoing()).await;
    assert_eq!(lines(&dir).len(), 2);
    assert!(!sandbox.deduplicates());
}

#[tokio::test]
async fn an_email_is_what_compose_makes_of_it() {
    let (dir, outbox) = outbox();
    let compose: Compose = Arc::new(|message| match message.text.as_str() {
        "" => Err("nothing to say".to_owned()),
        text => Ok(format!("To: {}\r\n\r\n{text}", message.to).into_bytes()),
    });
    let sandbox = Sandbox::email(&outbox, "email", compose).unwrap();
    sandbox.send(&outgoing()).await;
    let mail = fs::read_to_string(dir.path().join("outbox/email/0f3a-1.eml")).unwrap();
    assert_eq!(mail, "To: customer\r\n\r\nHello & welcome");
    let empty = Outgoing { text: String::new(), ..keyed("0f3a-2") };
    let refused = Outcome::Refused { code: "compose".to_owned(), reason: "nothing to say".to_owned() };
    assert_eq!(sandbox.send(&empty).await, refused);
    assert_eq!(lines(&dir).len(), 1);
}

#[tokio::test]
async fn a_crash_before_the_line_is_not_sent_and_after_it_sent() {
    let (dir, outbox) = outbox();
    let sandbox = Sandbox::new(&outbox, "messenger").unwrap();
    for key in ["before", "after", "elsewhere"] {
        fs::write(sandbox.files(key).temporary, "{}").unwrap();
    }
    let line = |inbox, key| {
        format!("{{\"at\":null,\"inbox\":\"{inbox}\",\"idempotency_key\":\"{key}\",\"to\":\"x\"}}\n")
    };
    let torn = &line("messenger", "before")[..60];
    let attempts = dir.path().join("outbox/attempts.jsonl");
    fs::write(&attempts, line("messenger", "after") + &line("sms", "elsewhere") + torn).unwrap();

    let outbox = Outbox::open(dir.path().join("outbox")).unwrap();
    let sandbox = Sandbox::new(&outbox, "messenger").unwrap();
    assert_eq!(sandbox.lookup("before").await, Lookup::NotSent);
    assert_eq!(sandbox.lookup("elsewhere").await, Lookup::NotSent);
    assert_eq!(sandbox.lookup("after").await, sent("after"));
    assert!(sandbox.files("after").message.exists() && !sandbox.files("after").temporary.exists());
    sandbox.send(&keyed("before")).await;
    assert_eq!(lines(&dir).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_of_many_senders_do_not_mix() {
    let (dir, outbox) = outbox();
    let inboxes = ["messenger", "sms", "generic"];
    let sends =
        inboxes.into_iter().flat_map(|inbox| (0..50).map(move |at| (inbox, at))).map(|(inbox, at)| {
            let sandbox = Sandbox::new(&outbox, inbox).unwrap();
            tokio::spawn(async move { sandbox.send(&keyed(&format!("key-{at}"))).await })
        });
    for send in sends.collect::<Vec<_>>() {
        assert!(matches!(send.await.unwrap(), Outcome::Sent { .. }));
    }
    assert_eq!(lines(&dir).len(), 150);
}

#[tokio::test]
async fn no_key_leads_out_of_the_folder() {
    let (dir, outbox) = outbox();
    let sandbox = Sandbox::new(&outbox, "../../inbox").unwrap();
    let keys = ["../../../etc/passwd", "a/b", ".", "..", ".hidden", "", "nul\0", &"long".repeat(200)];
    for key in keys {
        assert!(matches!(sandbox.send(&keyed(key)).await, Outcome::Sent { .. }), "{key}");
        assert_eq!(sandbox.lookup(key).await, sent(key));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let folders = fs::read_dir(dir.path().join("outbox")).unwrap().count();
    assert_eq!(folders, 2, "one inbox and attempts.jsonl");
    assert_eq!(fs::read_dir(&sandbox.dir).unwrap().count(), keys.len());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_retried_and_said() {
    let (_dir, outbox) = outbox();
    let sandbox = Sandbox::new(&outbox, "messenger").unwrap();
    fs::remove_dir_all(&sandbox.dir).unwrap();
    assert!(matches!(sandbox.send(&outgoing()).await, Outcome::Retry { .. }));
    let file = sandbox.outbox.dir.join("attempts.jsonl");
    assert!(Outbox::open(&file).err().unwrap().to_string().contains("attempts.jsonl"));
}
