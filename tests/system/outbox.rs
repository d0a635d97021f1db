//! What the sandbox senders sent: the files of the outbox, and the attempts they counted.

use std::{fs, path::Path};

use mail_parser::{HeaderValue, MessageParser};
use serde::Deserialize;

/// One message that left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) inbox: String,
    pub(crate) key: String,
    pub(crate) to: String,
    pub(crate) text: String,
    /// Where it left by e-mail.
    pub(crate) mail: Option<Mail>,
}

/// Message ids without angle brackets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) subject: String,
    pub(crate) message_id: String,
    pub(crate) in_reply_to: Vec<String>,
    pub(crate) references: Vec<String>,
    pub(crate) reply_to: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) at: jiff::Timestamp,
    pub(crate) inbox: String,
    pub(crate) idempotency_key: String,
    pub(crate) to: String,
}

/// All messages of `DATA/outbox`, in no order.
pub(crate) fn sent(data: &Path) -> Vec<Sent> {
    let mut all = Vec::new();
    for inbox in entries(&data.join("outbox")).filter(|entry| entry.is_dir()) {
        for file in entries(&inbox) {
            let name = name_of(&file);
            // Hidden ones are still being written.
            if !name.starts_with('.') {
                all.push(read(&name_of(&inbox), &name, &fs::read(&file).unwrap()));
            }
        }
    }
    all
}

/// Every attempt that was made, in order.
pub(crate) fn attempts(data: &Path) -> Vec<Attempt> {
    let text = fs::read_to_string(data.join("outbox/attempts.jsonl")).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("a line of attempts.jsonl is JSON")).collect()
}

fn entries(dir: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn read(inbox: &str, name: &str, bytes: &[u8]) -> Sent {
    #[derive(Deserialize)]
    struct Written {
        to: String,
        text: String,
        idempotency_key: String,
    }
    let (stem, kind) = name.rsplit_once('.').expect("a file of the outbox has an extension");
    let inbox = inbox.to_owned();
    match kind {
        "json" => {
            let written: Written = serde_json::from_slice(bytes).expect("a message of the outbox is JSON");
            assert_eq!(written.idempotency_key, stem, "the file is named by its key");
            Sent { inbox, key: written.idempotency_key, to: written.to, text: written.text, mail: None }
        }
        "eml" => mail(inbox, stem, bytes),
        _ => panic!("what is {name} in the outbox?"),
    }
}

/// What was written, without who signs it and what it quotes.
fn written(body: &str) -> String {
    let body = body.replace("\r\n", "\n");
    let ends = ["\n\n-- \n", "\n\nOn "].into_iter().filter_map(|end| body.find(end));
    body[..ends.min().unwrap_or(body.len())].trim().to_owned()
}

fn mail(inbox: String, key: &str, bytes: &[u8]) -> Sent {
    let mail = MessageParser::default().parse(bytes).expect("a mail of the outbox is a mail");
    let ids = |value: &HeaderValue| match value {
        HeaderValue::Text(id) => vec![id.to_string()],
        HeaderValue::TextList(ids) => ids.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let address = |of: Option<&mail_parser::Address>| Some(of?.first()?.address()?.to_owned());
    Sent {
        inbox,
        key: key.to_owned(),
        to: address(mail.to()).expect("a mail has a recipient"),
        text: written(&mail.body_text(0).unwrap_or_default()),
        mail: Some(Mail {
            from: address(mail.from()).expect("a mail has a sender"),
            subject: mail.subject().unwrap_or_default().to_owned(),
            message_id: mail.message_id().expect("a mail has an id").to_owned(),
            in_reply_to: ids(mail.in_reply_to()),
            references: ids(mail.references()),
            reply_to: address(mail.reply_to()),
        }),
    }
}
