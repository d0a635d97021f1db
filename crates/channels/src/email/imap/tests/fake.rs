//! A mail server of the tests' own: enough of IMAP for one folder, and ways to misbehave.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub(super) struct Letter {
    uid: u32,
    pub(super) date: String,
    pub(super) body: String,
    /// The server says NO to whoever wants it.
    pub(super) is_withheld: bool,
    /// Listed once, and not there any more.
    pub(super) is_gone: bool,
}

impl Letter {
    pub(super) fn new(uid: u32) -> Letter {
        let (date, body) = ("22-Nov-2026 20:53:02 +0000".into(), "Hello\r\n".into());
        Letter { uid, date, body, is_withheld: false, is_gone: false }
    }

    fn header(&self) -> String {
        let uid = self.uid;
        format!(
            "From: ana{uid}@customer.test\r\nSubject: letter {uid}\r\nMessage-ID: <{uid}@customer.test>\r\n\r\n"
        )
    }
}

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    has_idle: bool,
    comes_as_waiting_begins: Option<Letter>,
    asked: HashMap<u32, usize>,
    connections: usize,
}

pub(super) struct Fake {
    pub(super) address: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(super) async fn start(letters: Vec<Letter>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State { letters, has_idle: true, ..State::default() }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move {
                    shared.lock().unwrap().connections += 1;
                    let _ = serve(stream, &shared).await;
                    shared.lock().unwrap().connections -= 1;
                });
            }
        });
        Fake { address, state }
    }

    pub(super) fn set_idle(&self, has_idle: bool) {
        self.state.lock().unwrap().has_idle = has_idle;
    }

    /// It comes between a client's IDLE and our answer to it.
    pub(super) fn put_as_waiting_begins(&self, letter: Letter) {
        self.state.lock().unwrap().comes_as_waiting_begins = Some(letter);
    }

    pub(super) fn put(&self, letter: Letter) {
        self.state.lock().unwrap().letters.push(letter);
    }

    /// How often the text of this one was given.
    pub(super) fn bodies_of(&self, uid: u32) -> usize {
        self.state.lock().unwrap().asked.get(&uid).copied().unwrap_or_default()
    }

    pub(super) fn open_connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

async fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"* OK hello\r\n").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (tag, command) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        if command == "IDLE" {
            idle(&mut stream, state, tag).await?;
            continue;
        }
        let answer = answer(state, tag, command);
        stream.write_all(&answer).await?;
    }
}

/// Tells of a new letter, until the client has heard enough.
async fn idle(stream: &mut BufReader<TcpStream>, state: &Mutex<State>, tag: &str) -> std::io::Result<()> {
    let count = || state.lock().unwrap().letters.len();
    let comes = state.lock().unwrap().comes_as_waiting_begins.take();
    if let Some(letter) = comes {
        state.lock().unwrap().letters.push(letter);
        stream.write_all(format!("* {} EXISTS\r\n", count()).as_bytes()).await?;
    }
    stream.write_all(b"+ idling\r\n").await?;
    let before = count();
    let mut line = String::new();
    loop {
        tokio::select! {
            read = stream.read_line(&mut line) => {
                read?;
                return stream.write_all(format!("{tag} OK done\r\n").as_bytes()).await;
            }
            () = tokio::time::sleep(Duration::from_millis(10)), if count() == before => {}
            () = std::future::ready(()), if count() != before && line.is_empty() => {
                stream.write_all(format!("* {} EXISTS\r\n", count()).as_bytes()).await?;
                stream.read_line(&mut line).await?;
                return stream.write_all(format!("{tag} OK done\r\n").as_bytes()).await;
            }
        }
    }
}

fn answer(state: &Mutex<State>, tag: &str, command: &str) -> Vec<u8> {
    let mut state = state.lock().unwrap();
    let mut said = Vec::new();
    let mut end = "OK done";
    if command == "CAPABILITY" {
        let idle = if state.has_idle { " IDLE" } else { "" };
        said.extend(format!("* CAPABILITY IMAP4rev1{idle}\r\n").bytes());
    } else if command.starts_with("EXAMINE") {
        let next = state.letters.iter().map(|letter| letter.uid + 1).max().unwrap_or(1);
        let count = state.letters.len();
        let told = format!("* {count} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT {next}] x\r\n");
        said.extend(told.bytes());
    } else if let Some(rest) = command.strip_prefix("UID FETCH ") {
        let (set, what) = rest.split_once(' ').unwrap();
        let is_in = |uid: u32| {
            set.split(',').any(|part| {
                let (first, last) = part.split_once(':').unwrap_or((part, part));
                (first.parse::<u32>().unwrap()..=last.parse().unwrap()).contains(&uid)
            })
        };
        let mut letters: Vec<Letter> =
            state.letters.iter().filter(|letter| is_in(letter.uid)).cloned().collect();
        letters.sort_by_key(|letter| letter.uid);
        for (at, letter) in letters.iter().enumerate() {
            let (number, uid, header) = (at + 1, letter.uid, letter.header());
            // Somebody else reads along.
            said.extend(format!("* {number} FETCH (FLAGS (\\Seen))\r\n").bytes());
            if what.contains("RFC822.SIZE") {
                let size = header.len() + letter.body.len();
                let date = &letter.date;
                let told =
                    format!("* {number} FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE \"{date}\")\r\n");
                said.extend(told.bytes());
                continue;
            }
            if letter.is_gone {
                state.letters.retain(|other| other.uid != uid);
                continue;
            }
            let (section, text) = if what.contains("HEADER") {
                ("HEADER", header)
            } else if letter.is_withheld {
                end = "NO no luck";
                break;
            } else {
                *state.asked.entry(uid).or_default() += 1;
                ("", format!("{header}{}", letter.body))
            };
            let length = text.len();
            said.extend(
                format!("* {number} FETCH (UID {uid} BODY[{section}]<0> {{{length}}}\r\n{text})\r\n").bytes(),
            );
        }
    }
    said.extend(format!("{tag} {end}\r\n").bytes());
    said
}
