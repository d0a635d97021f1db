//! Generated correspondence of several people, honest and not: nobody's timeline ever holds what someone else wrote.
//!
//! Who writes is known here, and told to nobody. What a mail server can prove stands in the header that it writes. Every
//! mail goes through the intake and is decided by the rules, and then it is looked at where it stands.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ConversationId, Intake, MessageId, Origin, Partition, Taken, Timestamp,
    conversation::{Decider, What},
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const PEOPLE: [&str; 3] = ["ann@a.example", "bob@b.example", "eve@e.example"];
const INBOX: &str = "header";
const HOME: domain::Topology =
    domain::Topology { conversation: 1, desk: 1, delivery: 1, contact: 1, workspace: 1 };

#[derive(Clone, Debug)]
struct Act {
    /// Who really writes, and as whom.
    writer: usize,
    claims: usize,
    /// The writer's server signs. Nobody else's does.
    signs: bool,
    subject: u8,
    /// It names a conversation that is there by now, as mails of ours do, in its recipient or in what it answers.
    names: Option<(usize, bool)>,
    /// It answers a mail that came before.
    answers: Option<usize>,
    /// Passed on, with all that is in it.
    forwards: bool,
    /// It comes a second time, and then something else is told of its sender.
    again: bool,
}

fn act() -> impl Strategy<Value = Act> {
    let names = prop::option::of((0..8_usize, any::<bool>()));
    let honest = (0..3_usize, any::<bool>(), 0..3_usize);
    let answers = prop::option::weighted(0.3, 0..8_usize);
    (honest, any::<bool>(), 0..2_u8, names, answers, any::<bool>(), any::<bool>()).prop_map(
        |((writer, is_honest, other), signs, subject, names, answers, forwards, again)| Act {
            writer,
            claims: if is_honest { writer } else { other },
            signs,
            subject,
            names,
            answers,
            forwards,
            again,
        },
    )
}

/// A mail as it was written.
struct Written {
    writer: usize,
    claims: usize,
    proven: bool,
    names: Option<ConversationId>,
    answers: Option<u64>,
}

struct Rules {
    partition: Partition<Decider>,
    taken: usize,
    /// Where each message stands, in order.
    stands: Vec<(MessageId, ConversationId)>,
}

impl Rules {
    fn new() -> Self {
        let mut partition = Partition::new(HOME);
        let step = partition.adopt(Timestamp(0), Arc::new(policy())).unwrap();
        partition.fold(Timestamp(0), &step);
        Rules { partition, taken: 0, stands: Vec::new() }
    }

    fn take(&mut self, now: i64, intake: &Intake<Command>) {
        let Taken::Step(step) = self.partition.take(Timestamp(now), intake) else { return };
        let mut goes_on = None;
        for recorded in &step.events {
            match &recorded.event.what {
                What::MessageReceived { conversation, message, .. } => {
                    self.stands.push((*message, *conversation));
                }
                What::Redirected { received, .. } => goes_on = recorded.relay.zip(Some(received.clone())),
                _ => {}
            }
        }
        self.partition.fold(Timestamp(now), &step);
        // What is for another party comes back here, where all of them are.
        if let Some(((here, number), received)) = goes_on {
            let (origin, at) = (Origin::Relay { source: here, number }, Timestamp(now));
            let (tenant, command) = ("acme".parse().unwrap(), Command::Receive(received));
            self.take(now, &Intake::Input { origin, at, tenant, policy_version: 3, command });
        }
    }
}

async fn run(acts: Vec<Act>) {
    let world = world();
    let mut rules = Rules::new();
    let mut written: BTreeMap<MessageId, Written> = BTreeMap::new();
    for (n, act) in acts.into_iter().enumerate() {
        let there: Vec<ConversationId> = rules.stands.iter().map(|(_, conversation)| *conversation).collect();
        let named = act.names.and_then(|(which, where_)| Some((*there.get(which)?, where_)));
        let earlier: Vec<usize> = (0..n).collect();
        let answers = act.answers.and_then(|which| earlier.get(which).copied());
        let proven = act.signs && act.writer == act.claims;
        let from = PEOPLE[act.claims];
        let (mut to, mut answered) = ("help@acme.example".to_owned(), Vec::new());
        answered.extend(answers.map(|n| format!("<{n}@x.example>")));
        if let Some((conversation, in_recipient)) = named {
            let reference = world.reference(conversation.party, conversation.number);
            match in_recipient {
                true => to = format!("help+{reference}@acme.example"),
                false => answered.push(format!("<{:032x}.{reference}@acme.example>", 7)),
            }
        }
        let subject = format!("{}matter {}", if act.forwards { "Fwd: " } else { "Re: " }, act.subject);
        let mail = |proven: bool| {
            let result = if proven { "pass" } else { "fail" };
            format!(
                "Authentication-Results: mx.acme.example; dmarc={result} header.from={}\nFrom: {from}\nTo: {to}\nSubject: {subject}\n\
                 Message-ID: <{n}@x.example>\nReferences: {}\n\nbody {n}\n",
                from.split_once('@').unwrap().1,
                answered.join(" "),
            )
        };
        let before = rules.stands.len();
        world.mail(INBOX, &mail(proven)).await.unwrap();
        if act.again {
            world.mail(INBOX, &mail(!proven && act.writer == act.claims)).await.unwrap();
        }
        let inputs = world.inputs().await;
        let of_conversations: Vec<_> = inputs.into_iter().map(|(_, intake)| intake).collect();
        // In the order of the log of each partition, which is the order in which they were written here.
        let fresh = of_conversations.iter().filter(|intake| match intake {
            Intake::Input { origin: Origin::Fact(id), .. } => !written.contains_key(&MessageId(id.0)),
            _ => false,
        });
        let fresh: Vec<_> = fresh.cloned().collect();
        for intake in &fresh {
            if let Intake::Input { command: Command::Receive(received), .. } = intake {
                let names = named.map(|(conversation, _)| conversation);
                let answers = answers.and(received.answers.mails.first().copied());
                let (writer, claims) = (act.writer, act.claims);
                written.insert(received.message, Written { writer, claims, proven, names, answers });
            }
            rules.take(n as i64 * 1_000, intake);
        }
        rules.taken += fresh.len();
        assert_eq!(rules.stands.len(), before + 1, "a mail is one message, however often it comes");
    }
    let owner = |person: usize| world.party(INBOX, PEOPLE[person]);
    let own: BTreeMap<Party, usize> = (0..PEOPLE.len()).map(|person| (owner(person), person)).collect();
    let mut begun: BTreeSet<ConversationId> = BTreeSet::new();
    for (message, conversation) in &rules.stands {
        let mail = &written[message];
        match own.get(&conversation.party) {
            Some(person) => {
                assert_eq!((mail.writer, mail.proven), (*person, true), "a stranger in a timeline");
            }
            None => {
                let unverified = |person: usize| {
                    Party(world.vault.party("acme", INBOX, &format!("unverified:{}", PEOPLE[person])))
                };
                assert_eq!(conversation.party, unverified(mail.claims), "it is of whom it says, unproven");
                let goes_on = mail.names == Some(*conversation) || mail.answers.is_some();
                assert!(
                    goes_on || begun.insert(*conversation),
                    "an unproven mail joins what it does not name"
                );
            }
        }
        begun.insert(*conversation);
    }
}

#[test]
fn nobodys_timeline_ever_holds_what_someone_else_wrote() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    let acts = prop::collection::vec(act(), 1..14);
    let result = runner.run(&acts, |acts| {
        runtime.block_on(run(acts));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
