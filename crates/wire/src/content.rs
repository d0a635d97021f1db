//! The plaintexts that get sealed.

use domain::{Attachment, Content, MailThread};

use crate::{
    Error,
    message::{choice, decode, encode, enumeration, message},
    pb,
};

pub fn encode_content(content: &Content) -> Vec<u8> {
    encode::<pb::Content>(content)
}

pub fn decode_content(bytes: &[u8]) -> Result<Content, Error> {
    decode::<pb::Content, _>("a message's content", bytes)
}

pub fn encode_mail_thread(thread: &MailThread) -> Vec<u8> {
    encode::<pb::MailThread>(thread)
}

pub fn decode_mail_thread(bytes: &[u8]) -> Result<MailThread, Error> {
    decode::<pb::MailThread, _>("a mail thread", bytes)
}

message! {
    Content => Content { text, payload, attachments, quick_replies, subject, body, raw, verdict, rich }
    domain::Rich => Rich { buttons, cards, list, template, asks }
    domain::Button => Button { title, does }
    domain::Card => Card { title, subtitle, image, buttons }
    domain::ChoiceList => ChoiceList { button, rows }
    domain::Choice => Choice { id, title, description }
    domain::Template => Template { name, language, parameters }
    domain::Verdict => Verdict { authenticated, by, because, checks }
    domain::Check => Check { method, result, domain, aligned, detail }
    Attachment => Attachment { kind, url, content_type, name, data }
    MailThread => MailThread { subject, message_id, references, quote, written_at }
}

choice! { domain::ButtonDoes => ButtonDoes, button_does {
    Open(url),
    Post(payload),
    Call(number),
}}

enumeration! {
    domain::AskFor => AskFor { Email, Phone }
    domain::Method => CheckMethod { Spf, Dkim, Dmarc, Arc }
    domain::CheckResult => CheckResult { Pass, Fail, SoftFail, Neutral, None, TempError, PermError }
}
