//! A way out for `tributary dev` and for tests: messages become files that anyone can look at.
//!
//! A message is `OUTBOX/INBOX/KEY.json`, or `KEY.eml` for e-mail; each attempt adds a line to `OUTBOX/attempts.jsonl`,
//! so that a doubled send shows. The order makes every crash decidable afterwards: a hidden temporary file, the
//! attempt's line, then the rename. Nothing is synced: this survives the death of the process, not of the machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Attachment, Lookup, Outcome, Outgoing, Sender};

/// The folder that the sandboxes of one process share.
pub struct Outbox {
    dir: PathBuf,
    attempts: File,
}

/// Makes an e-mail's bytes of a message; the error is for people.
pub type Compose = Arc<dyn Fn(&Outgoing) -> Result<Vec<u8>, String> + Send + Sync>;

/// One inbox's sender into an [`Outbox`].
pub struct Sandbox {
    outbox: Arc<Outbox>,
    inbox: String,
    dir: PathBuf,
    compose: Option<Compose>,
}

#[derive(Debug, thiserror::Error)]
#[error("{operation} {path}")]
pub struct Error {
    operation: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error { operation, path, source }
}

#[derive(Serialize)]
struct Attempt<'a> {
    at: Option<Timestamp>,
    inbox: &'a str,
    idempotency_key: &'a str,
    to: &'a str,
}

#[derive(Deserialize)]
struct Attempted {
    inbox: String,
    idempotency_key: String,
}

#[derive(Serialize)]
struct Message<'a> {
    to: &'a str,
    text: &'a str,
    at: Option<Timestamp>,
    idempotency_key: &'a str,
    attachments: &'a [Attachment],
    quick_replies: &'a [String],
}

impl Outbox {
    /// Opens the folder `dir`, made if missing, for the one process that sends into it. A line that a crash cut
    /// short is taken away: its attempt had not happened yet.
    ///
    /// # Errors
    /// When the folder or `attempts.jsonl` cannot be written.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Arc<Self>, Error> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(failed("making the folder", &dir))?;
        let path = dir.join("attempts.jsonl");
        let opened = OpenOptions::new().create(true).read(true).append(true).open(&path);
        let mut attempts = opened.map_err(failed("opening", &path))?;
        drop_torn_line(&mut attempts).map_err(failed("repairing", &path))?;
        Ok(Arc::new(Outbox { dir, attempts }))
    }

    fn attempted(&self, inbox: &str, key: &str) -> io::Result<bool> {
        let lines = BufReader::new(File::open(self.dir.join("attempts.jsonl"))?);
        for line in lines.split(b'\n') {
            let ours = |attempt: Attempted| attempt.idempotency_key == key && attempt.inbox == inbox;
            if serde_json::from_slice(&line?).is_ok_and(ours) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn drop_torn_line(file: &mut File) -> io::Result<()> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut byte = [0];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut byte)?;
        if byte == *b"\n" {
            break;
        }
        end -= 1;
    }
    file.set_len(end)
}

impl Sandbox {
    /// Writes messages as JSON.
    ///
    /// # Errors
    /// When the inbox's folder cannot be made.
    pub fn new(outbox: &Arc<Outbox>, inbox: &str) -> Result<Self, Error> {
        let dir = outbox.dir.join(file_name(inbox));
        fs::create_dir_all(&dir).map_err(failed("making the folder", &dir))?;
        Ok(Sandbox { outbox: Arc::clone(outbox), inbox: inbox.to_owned(), dir, compose: None })
    }

    /// Writes messages as e-mails.
    ///
    /// # Errors
    /// When the inbox's folder cannot be made.
    pub fn email(outbox: &Arc<Outbox>, inbox: &str, compose: Compose) -> Result<Self, Error> {
        Ok(Sandbox { compose: Some(compose), ..Sandbox::new(outbox, inbox)? })
    }

    fn files(&self, key: &str) -> Files {
        let name = file_name(key);
        let kind = if self.compose.is_some() { "eml" } else { "json" };
        Files {
            temporary: self.dir.join(format!(".{name}.tmp")),
            message: self.dir.join(format!("{name}.{kind}")),
        }
    }
}

struct Files {
    temporary: PathBuf,
    message: PathBuf,
}

#[async_trait]
impl Sender for Sandbox {
    async fn send(&self, message: &Outgoing) -> Outcome {
        let at = Timestamp::from_millisecond(message.at).ok();
        let content = match &self.compose {
            Some(compose) => compose(message),
            None => json(&Message {
                to: &message.to,
                text: &message.text,
                at,
                idempotency_key: &message.key,
                attachments: &message.attachments,
                quick_replies: &message.quick_replies,
            }),
        };
        let now = Timestamp::from_millisecond(log::clock::now()).ok();
        let attempt = Attempt { at: now, inbox: &self.inbox, idempotency_key: &message.key, to: &message.to };
        let (content, line) = match (content, json(&attempt)) {
            (Ok(content), Ok(mut line)) => {
                line.push(b'\n');
                (content, line)
            }
            (Err(reason), _) | (_, Err(reason)) => {
                return Outcome::Refused { code: "compose".to_owned(), reason };
            }
        };
        let (outbox, files) = (Arc::clone(&self.outbox), self.files(&message.key));
        let written =
            tokio::task::spawn_blocking(move || write(&outbox.attempts, &files, &content, &line)).await;
        match written {
            Ok(Ok(())) => Outcome::Sent { provider_id: message.key.clone() },
            Ok(Err(Failed::Before(error))) => {
                Outcome::Retry { code: "outbox".to_owned(), reason: error.to_string(), after: None }
            }
            Ok(Err(Failed::After(error))) => Outcome::Unknown { reason: error.to_string() },
            Err(error) => Outcome::Unknown { reason: error.to_string() },
        }
    }

    /// Finishes what a crash interrupted after the attempt was counted.
    async fn lookup(&self, key: &str) -> Lookup {
        let (outbox, inbox) = (Arc::clone(&self.outbox), self.inbox.clone());
        let (files, provider_id) = (self.files(key), key.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            if files.message.try_exists()? {
                return Ok(true);
            }
            if !files.temporary.try_exists()? || !outbox.attempted(&inbox, &provider_id)? {
                return Ok(false);
            }
            fs::rename(&files.temporary, &files.message).map(|()| true)
        });
        match found.await {
            Ok(Ok(true)) => Lookup::Sent { provider_id: key.to_owned() },
            Ok(Ok(false)) => Lookup::NotSent,
            Ok(Err(error)) => cannot_tell(&error),
            Err(error) => cannot_tell(&io::Error::other(error)),
        }
    }
}

fn cannot_tell(error: &io::Error) -> Lookup {
    tracing::warn!(%error, "looking up an attempt in the sandbox outbox");
    Lookup::CannotTell
}

enum Failed {
    /// Nothing was counted as sent.
    Before(io::Error),
    After(io::Error),
}

fn write(mut attempts: &File, files: &Files, content: &[u8], line: &[u8]) -> Result<(), Failed> {
    fs::write(&files.temporary, content).map_err(Failed::Before)?;
    // One write of a whole line to a file opened for appending, so that lines of many senders do not mix.
    match attempts.write(line) {
        Ok(written) if written == line.len() => {}
        Ok(_) => return Err(Failed::After(io::Error::from(io::ErrorKind::WriteZero))),
        Err(error) => return Err(Failed::Before(error)),
    }
    fs::rename(&files.temporary, &files.message).map_err(Failed::After)
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}

/// A key as a file name: itself where that is harmless, its hash otherwise.
fn file_name(key: &str) -> String {
    let harmless =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@' | b'+');
    if (1..=120).contains(&key.len()) && !key.starts_with('.') && key.bytes().all(harmless) {
        return key.to_owned();
    }
    format!("sha256-{}", HEXLOWER.encode(&Sha256::digest(key)))
}

#[cfg(test)]
mod tests;
