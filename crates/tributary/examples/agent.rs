//! A person's desk in a terminal: `Desk.Work`, one stream for as long as the agent works.
//!
//! What the desk says is printed as it comes; what is typed becomes commands. Conversations get short numbers.

mod shared;

use std::{collections::BTreeMap, process::ExitCode};

use clap::Parser;
use shared::{Connection, clock, connect, exit, refused, say, text};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use wire::api::v1::{
    AgentMessage, DeskMessage, GetTimelineRequest, Presence,
    agent_message::{self as say, Item, consult::Whom, reassign, transfer::To},
    desk_client::DeskClient,
    desk_message::{self as hear, Item as Heard, message::Author},
    get_timeline_request::Of,
    timelines_client::TimelinesClient,
};

const HELP: &str = "\
  accept N              take the conversation that was offered
  decline N             leave it to someone else
  N TEXT                write to the customer
  transfer N queue NAME, transfer N agent NAME, transfer N desk NAME
                        give it away
  snooze N MINUTES      put it away until then, or until the customer writes
  wake N                have it back before
  consult N queue|agent|desk NAME
                        ask someone in, who looks on
  remark N TEXT         write to who looks on, or as who does, and not to the customer
  enough N              nobody looks on any more
  take CONVERSATION     (supervisors) make it yours, whoever has it
  give CONVERSATION queue|agent|desk NAME
                        (supervisors) give it to someone, whoever has it
  close N               it is done
  list                  what you hold
  done ASSIGNMENT       nothing is left to do about a conversation that is over
  away, back            be offered nothing, be offered conversations again
  quit                  go offline: what you hold goes back to its queue
  Ctrl-C or Ctrl-D      break off: you have half a minute to come back";

/// Works as an agent: shows offers and messages; accept, write, transfer and close by typing.
#[derive(Parser)]
#[command(after_help = format!("While it runs:\n{HELP}\n\nExample:\n  agent --token dev-agent-1"))]
struct Args {
    /// The bearer token of an agent.
    #[arg(long, env = "TRIBUTARY_TOKEN", default_value = "dev-agent-1", hide_env_values = true)]
    token: String,
    /// Where Tributary serves gRPC.
    #[arg(long, default_value = "http://127.0.0.1:7070")]
    addr: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit(run(Args::parse()).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let connection = connect(&args.addr, &args.token).await?;
    let (commands, outgoing) = mpsc::channel(16);
    let hello = Item::Hello(say::Hello { presence: Presence::Available.into() });
    commands.send(AgentMessage { id: String::new(), item: Some(hello) }).await?;
    let stream = DeskClient::new(connection.clone()).work(ReceiverStream::new(outgoing)).await;
    let mut incoming = stream.map_err(|status| refused(&status))?.into_inner();

    let mut typed = typed();
    let mut desk =
        Desk { connection, me: String::new(), held: BTreeMap::new(), numbers: BTreeMap::new(), sent: 0 };
    loop {
        tokio::select! {
            heard = incoming.message() => match heard.map_err(|status| refused(&status))? {
                Some(DeskMessage { item: Some(item) }) => desk.hear(item).await,
                Some(DeskMessage { item: None }) => {}
                None => return Ok(()),
            },
            line = typed.recv() => match line.as_deref().map(str::trim) {
                None => return Ok(()),
                Some("") => {}
                Some("help" | "?") => say!("{HELP}"),
                Some("list") => desk.list(),
                Some("quit") => {
                    commands.send(desk.command(presence(Presence::Offline))).await?;
                    drop(commands);
                    // Until the stream ends: the desk has then taken everything in.
                    while let Some(message) = incoming.message().await.map_err(|status| refused(&status))? {
                        if let Some(item) = message.item {
                            desk.hear(item).await;
                        }
                    }
                    return Ok(());
                }
                Some(line) => match desk.read(line) {
                    Ok(item) => commands.send(desk.command(item)).await?,
                    Err(why) => say!("! {why}"),
                },
            },
        }
    }
}

/// Lines from the keyboard. Reading blocks, so it has a thread of its own.
fn typed() -> mpsc::Receiver<String> {
    let (lines, typed) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    typed
}

fn presence(presence: Presence) -> Item {
    Item::Presence(say::SetPresence { presence: presence.into() })
}

/// What this agent sees, and the names it gave.
struct Desk {
    connection: Connection,
    /// `TENANT/DESK/NAME`.
    me: String,
    held: BTreeMap<usize, Held>,
    /// Of every conversation that was seen: it keeps its number.
    numbers: BTreeMap<String, usize>,
    sent: u32,
}

/// A conversation that is offered or ours. An accepted offer's id is the assignment's.
struct Held {
    conversation: String,
    offer: String,
    ours: bool,
}

impl Desk {
    /// Names the command for its answer: never the same again, also after a restart.
    fn command(&mut self, item: Item) -> AgentMessage {
        self.sent += 1;
        AgentMessage { id: format!("{}-{}", log::clock::now(), self.sent), item: Some(item) }
    }

    /// What the line asks for; the error is for whoever typed it.
    fn read(&self, line: &str) -> Result<Item, String> {
        let (word, rest) = line.split_once(' ').map_or((line, ""), |(word, rest)| (word, rest.trim()));
        let rest_of = |held: &Held| (held.conversation.clone(), held.offer.clone());
        Ok(match word {
            "accept" => Item::Accept(say::Accept { offer: self.offered(rest)?.offer.clone() }),
            "decline" => Item::Decline(say::Decline { offer: self.offered(rest)?.offer.clone() }),
            "close" => {
                let (conversation, assignment) = rest_of(self.ours(rest)?);
                Item::Close(say::Close { conversation, assignment })
            }
            "transfer" => {
                let how = || "it is `transfer N queue|agent|desk NAME`".to_owned();
                let words: Vec<_> = rest.split_whitespace().collect();
                let [number, kind, name] = words[..] else { return Err(how()) };
                let (conversation, assignment) = rest_of(self.ours(number)?);
                let to = match kind {
                    "queue" => To::Queue(self.full(name)),
                    "agent" => To::Agent(self.full(name)),
                    "desk" => To::Desk(self.desk(name)),
                    _ => return Err(how()),
                };
                Item::Transfer(say::Transfer { conversation, assignment, to: Some(to), note: String::new() })
            }
            "snooze" => {
                let how = || "it is `snooze N MINUTES`".to_owned();
                let (number, minutes) = rest.split_once(' ').ok_or_else(how)?;
                let minutes: u32 = minutes.trim().parse().map_err(|_| how())?;
                let (conversation, assignment) = rest_of(self.ours(number)?);
                let seconds = log::clock::now() / 1_000 + i64::from(minutes) * 60;
                let until = Some(prost_types::Timestamp { seconds, nanos: 0 });
                Item::Snooze(say::Snooze { conversation, assignment, until })
            }
            "wake" => Item::Wake(say::Wake { conversation: self.seen(rest)? }),
            "consult" => {
                let how = || "it is `consult N queue|agent|desk NAME`".to_owned();
                let words: Vec<_> = rest.split_whitespace().collect();
                let [number, kind, name] = words[..] else { return Err(how()) };
                let (conversation, assignment) = rest_of(self.ours(number)?);
                let whom = match kind {
                    "queue" => Whom::Queue(self.full(name)),
                    "agent" => Whom::Agent(self.full(name)),
                    "desk" => Whom::Desk(self.desk(name)),
                    _ => return Err(how()),
                };
                let whom = Some(whom);
                Item::Consult(say::Consult { conversation, assignment, whom, note: String::new() })
            }
            "remark" => {
                let (number, text) = rest.split_once(' ').ok_or("it is `remark N TEXT`")?;
                let (conversation, text) = (self.seen(number)?, text.to_owned());
                Item::Remark(say::Remark { conversation, text, ..say::Remark::default() })
            }
            "enough" => Item::EndConsult(say::EndConsult { conversation: self.seen(rest)? }),
            "take" => Item::Reassign(say::Reassign { conversation: rest.to_owned(), ..Default::default() }),
            "give" => {
                let how = || "it is `give CONVERSATION queue|agent|desk NAME`".to_owned();
                let words: Vec<_> = rest.split_whitespace().collect();
                let [conversation, kind, name] = words[..] else { return Err(how()) };
                let to = match kind {
                    "queue" => reassign::To::Queue(self.full(name)),
                    "agent" => reassign::To::Agent(self.full(name)),
                    "desk" => reassign::To::Desk(self.desk(name)),
                    _ => return Err(how()),
                };
                let conversation = conversation.to_owned();
                Item::Reassign(say::Reassign { conversation, to: Some(to), ..Default::default() })
            }
            "done" => Item::FinishWrapUp(say::FinishWrapUp { assignment: rest.to_owned() }),
            "away" => presence(Presence::Away),
            "back" => presence(Presence::Available),
            number if number.parse::<usize>().is_ok() => {
                let (conversation, assignment) = rest_of(self.ours(number)?);
                if rest.is_empty() {
                    return Err(format!("what shall [{number}] read?"));
                }
                Item::Reply(say::Reply {
                    conversation,
                    assignment,
                    text: rest.to_owned(),
                    ..say::Reply::default()
                })
            }
            _ => return Err(format!("{word:?} is no command; `help` lists them")),
        })
    }

    /// A conversation that was seen here, such as one that was put away, by its number.
    fn seen(&self, number: &str) -> Result<String, String> {
        let named = number.parse().ok().and_then(|number: usize| {
            self.numbers
                .iter()
                .find(|(_, known)| **known == number)
                .map(|(conversation, _)| conversation.clone())
        });
        named.ok_or_else(|| format!("there is no conversation {number:?}"))
    }

    fn offered(&self, number: &str) -> Result<&Held, String> {
        let held = self.numbered(number)?;
        if held.ours { Err(format!("[{number}] is yours already")) } else { Ok(held) }
    }

    fn ours(&self, number: &str) -> Result<&Held, String> {
        let held = self.numbered(number)?;
        if held.ours { Ok(held) } else { Err(format!("[{number}] is not yours yet: `accept {number}`")) }
    }

    fn numbered(&self, number: &str) -> Result<&Held, String> {
        let found = number.parse().ok().and_then(|number: usize| self.held.get(&number));
        found.ok_or_else(|| format!("there is no conversation {number:?}; `list` shows what there is"))
    }

    /// A name at this agent's own desk, unless it is a whole id already.
    fn full(&self, name: &str) -> String {
        match self.me.rsplit_once('/') {
            Some((desk, _)) if !name.contains('/') => format!("{desk}/{name}"),
            _ => name.to_owned(),
        }
    }

    /// A desk of this agent's tenant.
    fn desk(&self, name: &str) -> String {
        match self.me.split_once('/') {
            Some((tenant, _)) if !name.contains('/') => format!("{tenant}/{name}"),
            _ => name.to_owned(),
        }
    }

    fn list(&self) {
        if self.held.is_empty() {
            say!("Nothing is offered to you and nothing is yours.");
        }
        for (number, held) in &self.held {
            say!("[{number}] {}  {}", if held.ours { "yours  " } else { "offered" }, held.conversation);
        }
    }

    async fn hear(&mut self, item: Heard) {
        match item {
            Heard::Welcome(welcome) => {
                say!("You are {}. `help` lists what you can type; offers come by themselves.", welcome.agent);
                self.me = welcome.agent;
                for offered in welcome.offers {
                    self.offer(offered);
                }
                for assigned in welcome.assignments {
                    self.assign(assigned).await;
                }
                welcome.snoozed.iter().for_each(|snoozed| self.snoozed(snoozed));
                welcome.consults.iter().for_each(|consult| self.consulted(consult));
            }
            Heard::Offered(offered) => self.offer(offered),
            Heard::OfferEnded(ended) => {
                if let Some(number) = self.number_of(&ended.offer) {
                    match ended.how() {
                        hear::offer_ended::How::Accepted => {}
                        how => {
                            say!("[{number}] is no longer offered to you ({how:?})");
                            self.held.remove(&number);
                        }
                    }
                }
            }
            Heard::Assigned(assigned) => self.assign(assigned).await,
            Heard::Released(released) => {
                if let Some(number) = self.number_of(&released.assignment) {
                    let by =
                        if released.by.is_empty() { String::new() } else { format!(" by {}", released.by) };
                    say!("[{number}] is no longer yours ({:?}{by})", released.why());
                    self.held.remove(&number);
                }
            }
            Heard::WrapUp(left) => {
                let until = clock!(left.until);
                say!("something may be left to do, until {until}; then or before: done {}", left.assignment);
            }
            Heard::WrapUpEnded(over) => say!("nothing is left to do about {}", over.assignment),
            Heard::Snoozed(snoozed) => self.snoozed(&snoozed),
            Heard::SnoozeEnded(ended) => {
                let number = self.number(&ended.conversation);
                say!("[{number}] is put away no more");
            }
            Heard::AnswerUntil(bound) => {
                let (number, until) = (self.number(&bound.conversation), clock!(bound.until));
                say!("[{number}] may be answered until {until}");
            }
            Heard::NotYet(told) => {
                let number = self.number(&told.conversation);
                say!("[{number}] waits for you: {:?}", told.why());
            }
            Heard::Consult(consult) => self.consulted(&consult),
            Heard::ConsultEnded(ended) => {
                let number = self.number(&ended.conversation);
                say!("[{number}] {} looks on no more ({:?})", ended.agent, ended.why());
            }
            Heard::Remark(remark) => {
                let number = self.number(&remark.conversation);
                say!(
                    "[{number}] {}  {}, aside: {}",
                    clock!(remark.at),
                    remark.by,
                    text(remark.body.as_ref())
                );
            }
            Heard::SentAway(sent) => {
                say!("{} offers in a row expired: you are away until you say back", sent.expired);
            }
            Heard::Noted(noted) => {
                let number = self.number(&noted.conversation);
                say!("[{number}] {}  {}: {}", clock!(noted.at), noted.note, text(noted.body.as_ref()));
            }
            Heard::ThreadHeld(held) => {
                let number = self.number(&held.conversation);
                let who = if held.elsewhere { "another application answers" } else { "you may answer" };
                say!("[{number}] {}  {who} from here on", clock!(held.at));
            }
            Heard::Message(message) => {
                let number = self.number(&message.conversation);
                let author = match message.author() {
                    Author::Customer => "customer",
                    Author::Agent if self.held.contains_key(&number) => "you",
                    Author::Agent => "agent",
                    Author::Elsewhere => "elsewhere",
                    Author::Unspecified => "someone",
                };
                say!("[{number}] {}  {author}: {}", clock!(message.at), text(message.body.as_ref()));
            }
            Heard::Delivery(note) => {
                let number = self.number(&note.conversation);
                say!("[{number}] your message: {:?} {}", note.status(), note.reason);
            }
            Heard::Answer(answer) => match answer.result {
                Some(hear::answer::Result::Rejected(no)) => {
                    say!("! refused ({}): {}", no.code, no.detail)
                }
                Some(hear::answer::Result::Unanswered(unknown)) => say!("! {}", unknown.detail),
                Some(hear::answer::Result::Accepted(_)) | None => {}
            },
        }
    }

    fn consulted(&mut self, consult: &hear::Consult) {
        let number = self.number(&consult.conversation);
        let note = match &consult.note {
            Some(note) => format!(": {}", text(Some(note))),
            None => String::new(),
        };
        say!(
            "[{number}] {} asks {} in{note} (`remark {number} TEXT`, `enough {number}`)",
            consult.by,
            consult.agent
        );
    }

    fn snoozed(&mut self, snoozed: &hear::Snoozed) {
        let number = self.number(&snoozed.conversation);
        say!("[{number}] is put away until {}, or until the customer writes", clock!(snoozed.until));
    }

    fn number(&mut self, conversation: &str) -> usize {
        let next = self.numbers.len() + 1;
        *self.numbers.entry(conversation.to_owned()).or_insert(next)
    }

    fn number_of(&self, offer: &str) -> Option<usize> {
        self.held.iter().find(|(_, held)| held.offer == offer).map(|(number, _)| *number)
    }

    fn offer(&mut self, offered: hear::Offered) {
        let number = self.number(&offered.conversation);
        let channel = offered.channel().as_str_name().trim_start_matches("CHANNEL_").to_lowercase();
        let until = clock!(offered.expires_at);
        say!(
            "[{number}] offered: {channel}, from {}, until {until} (`accept {number}`, `decline {number}`)",
            offered.queue
        );
        self.held
            .insert(number, Held { conversation: offered.conversation, offer: offered.offer, ours: false });
    }

    async fn assign(&mut self, assigned: hear::Assigned) {
        let number = self.number(&assigned.conversation);
        if assigned.note.is_some() {
            say!("[{number}] comes with a note: {}", text(assigned.note.as_ref()));
        }
        say!("[{number}] yours, in {}: write with `{number} TEXT`. So far:", assigned.inbox);
        if let Err(error) = self.story(&assigned.conversation).await {
            say!("    (not to be had: {error})");
        }
        let held = Held { conversation: assigned.conversation, offer: assigned.assignment, ours: true };
        self.held.insert(number, held);
    }

    /// What was said before the agent came.
    async fn story(&self, conversation: &str) -> anyhow::Result<()> {
        let mut client = TimelinesClient::new(self.connection.clone());
        let of = Some(Of::Conversation(conversation.to_owned()));
        let request = GetTimelineRequest { of, after: String::new(), page_size: 1_000, include_pii: true };
        let page = client.get(request).await.map_err(|status| refused(&status))?.into_inner();
        for entry in page.entries.iter().filter(|entry| entry.body.is_some()) {
            say!("    {}  {}: {}", clock!(entry.at), entry.author, text(entry.body.as_ref()));
        }
        Ok(())
    }
}
