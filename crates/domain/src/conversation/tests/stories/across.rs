//! Two addresses of one person: their conversations are joined, and parted again, with the ledger they share.

use super::super::{story::*, *};
use crate::conversation::{
    CloseReason, Closer, Command, Conversations, Decider, Event, HandOffReason, Owner, Received, What,
};
use crate::{
    Aggregate, Code, ContactId, Context, Policies, Rejection, Relay, Settles, contact, contact::Contacts,
};

/// Two customers' addresses, their ledger, and the relays between them.
struct Town {
    state: Conversations,
    ledger: Contacts,
    policies: Policies,
    now: i64,
    commands: u128,
    history: Vec<What>,
    answers: Vec<(CommandId, Result<(), Rejection>)>,
}

fn mail(customer: u8, n: u128) -> Received {
    let from = Correspondent { channel: Channel::Email, ..correspondent(customer) };
    Received { from, content: sealed(customer, n), ..received(n) }
}

/// The one conversation of each address.
fn of(customer: u8) -> ConversationId {
    conversation(customer, 1)
}

fn contact_of(customer: u8) -> ContactId {
    ContactId(party(customer).0)
}

impl Town {
    /// Both wrote; Ann has the first, and the second waits.
    fn new() -> Self {
        let mut policies = Policies::default();
        let mut of_mail = policy(1, None, "support");
        of_mail.inboxes.values_mut().for_each(|inbox| inbox.channel = Channel::Email);
        policies.put(std::sync::Arc::new(of_mail));
        let (state, ledger) = Default::default();
        let mut town =
            Town { state, ledger, policies, now: 0, commands: 0, history: Vec::new(), answers: Vec::new() };
        for customer in [1, 2] {
            town.tell(Command::Receive(Box::new(mail(customer, customer.into()))));
        }
        town.takes(of(1), "ann", 1);
        town.history.clear();
        town
    }

    fn takes(&mut self, conversation: ConversationId, name: &str, n: u64) {
        let (_, found) = self.state.conversation(conversation).unwrap();
        let (owner_epoch, command) = (found.owner_epoch, command_id(1));
        self.tell(Command::Assign {
            conversation,
            owner_epoch,
            offer: offer(n),
            agent: agent(name),
            command,
        });
    }

    /// Decides, folds, and follows every relay to its end.
    fn ask(&mut self, id: Option<CommandId>, command: &Command) -> Result<(), Rejection> {
        self.now += 1;
        let context = Context { now: seconds(self.now), policies: &self.policies, command: id };
        let events = Decider::decide(&self.state, &context, command)?;
        for event in &events {
            Decider::evolve(&mut self.state, seconds(self.now), event);
            self.history.push(event.what.clone());
            if let Some(Settles::Now(command, answer)) = Decider::settles(event) {
                self.answers.push((command, answer));
            }
        }
        for (_, relay) in events.iter().filter_map(Decider::relay) {
            match relay {
                Relay::Conversation(command) => self.ask(None, &command).expect("a relay is decided"),
                Relay::Contact(command) => self.in_ledger(&command).expect("the ledger agrees"),
                Relay::Desk(_) | Relay::Delivery(_) => {}
            }
        }
        Ok(())
    }

    fn in_ledger(&mut self, command: &contact::Command) -> Result<(), Rejection> {
        let context = Context { now: seconds(self.now), policies: &self.policies, command: None };
        let events = contact::Decider::decide(&self.ledger, &context, command)?;
        events.iter().for_each(|event| contact::Decider::evolve(&mut self.ledger, seconds(0), event));
        Ok(())
    }

    fn tell(&mut self, command: Command) {
        self.ask(None, &command).unwrap();
    }

    /// What an agent is answered, at last.
    fn answered(&mut self, command: Command) -> Result<(), Rejection> {
        self.commands += 1;
        let id = command_id(self.commands);
        self.answers.clear();
        self.ask(Some(id), &command)?;
        let (answered, answer) = self.answers.pop().expect("the command is answered");
        assert_eq!((answered, self.answers.len()), (id, 0), "once, and it alone");
        answer
    }

    fn join(&mut self, other: ConversationId, same_person: bool) -> Result<(), Rejection> {
        let (conversation, agent, assignment) = (of(1), agent("ann"), offer(1));
        self.answered(Command::Join { conversation, agent, assignment, other, same_person })
    }

    fn part(&mut self, other: ConversationId) -> Result<(), Rejection> {
        let (conversation, agent, assignment) = (of(1), agent("ann"), offer(1));
        self.answered(Command::Part { conversation, agent, assignment, other })
    }

    fn owner(&self, conversation: ConversationId) -> Option<&Owner> {
        self.state.conversation(conversation).unwrap().1.owner()
    }

    fn contacts(&self) -> [Option<ContactId>; 2] {
        [1, 2].map(|customer| self.ledger.owner(&tenant(), party(customer)))
    }

    fn tag(&mut self, customer: u8, tag: &str) {
        let (tenant, contact) = (tenant(), contact_of(customer));
        self.in_ledger(&contact::Command::Tag { tenant, contact, tag: tag.into() }).unwrap();
    }
}

#[test]
fn who_writes_from_two_addresses_is_one_contact_once_an_agent_says_so() {
    let mut town = Town::new();
    assert_eq!(town.join(of(2), false).unwrap_err().code, Code::Invalid, "nothing is joined without a word");
    assert_eq!(town.contacts(), [1, 2].map(|n| Some(contact_of(n))));

    town.join(of(2), true).unwrap();
    assert_eq!(town.contacts(), [1, 1].map(|n| Some(contact_of(n))));
    let (ann, command) = (agent("ann"), command_id(2));
    let (by, reason) = (Closer::Agent(ann.clone()), CloseReason::Joined);
    assert_eq!(
        town.history,
        [
            What::JoinAsked { conversation: of(1), other: of(2), by: ann.clone(), command },
            What::Withdrawn { conversation: of(2), queue: queue("support"), owner_epoch: 1 },
            What::Closed { conversation: of(2), by, reason },
            What::TakenIn { conversation: of(2), into: of(1), by: ann.clone(), command },
            What::AddressJoined { conversation: of(1), other: of(2), by: ann, command },
        ]
    );
    assert!(matches!(town.owner(of(1)), Some(Owner::Agent { .. })), "Ann has it as before");

    // What comes from the other address stays there, and is the agent's who knows the customer.
    town.tell(Command::Receive(Box::new(mail(2, 9))));
    let (customer, _) = town.state.conversation(of(2)).unwrap();
    assert_eq!(customer.known_by.as_ref().map(|known| (*known.agent).clone()), Some(agent("ann")));
    let here =
        |what: &What| matches!(what, What::MessageReceived { conversation, .. } if *conversation == of(2));
    assert!(town.history.last().is_some_and(here), "{:?}", town.history.last());
}

#[test]
fn a_wrong_join_is_taken_back_with_all_that_the_contacts_had() {
    let mut town = Town::new();
    town.tag(1, "vip");
    town.tag(2, "press");
    let before = town.ledger.clone();
    town.join(of(2), true).unwrap();
    assert_eq!(town.ledger.get(&tenant(), contact_of(2)), None, "one contact is left");
    town.history.clear();

    town.part(of(2)).unwrap();
    assert_eq!(town.ledger, before);
    let wanted = town.history.iter().find_map(|what| match what {
        What::AgentWanted { conversation, agent, reason, by_request, .. } => {
            Some((*conversation, agent.clone(), *reason, *by_request))
        }
        _ => None,
    });
    assert_eq!(wanted, Some((of(2), Some(agent("ann")), HandOffReason::Split, true)));
    assert!(matches!(town.owner(of(2)), Some(Owner::Queue { .. })));
    assert_eq!(town.part(of(2)).unwrap_err().code, Code::Invalid, "once is enough");

    // Where the customer wrote meanwhile, whoever has that keeps it.
    town.join(of(2), true).unwrap();
    town.tell(Command::Receive(Box::new(mail(2, 9))));
    town.takes(of(2), "bob", 2);
    town.part(of(2)).unwrap();
    assert!(matches!(town.owner(of(2)), Some(Owner::Agent { agent: owner, .. }) if **owner == agent("bob")));
    assert_eq!(town.ledger, before);
}

#[test]
fn what_is_refused_at_the_other_address_changes_nothing() {
    let mut town = Town::new();
    town.takes(of(2), "bob", 2);
    town.history.clear();
    let ledger = town.ledger.clone();
    let (other, nobody) = (of(2), conversation(3, 1));
    assert_eq!(town.join(other, true).unwrap_err().code, Code::NotOwner, "Bob has it");
    assert_eq!(town.join(nobody, true).unwrap_err().code, Code::NotFound);
    assert_eq!(town.part(other).unwrap_err().code, Code::Invalid, "it was never joined");
    let (conversation, assignment) = (of(1), offer(1));
    let bobs = Command::Join { conversation, agent: agent("bob"), assignment, other, same_person: true };
    assert_eq!(town.answered(bobs).unwrap_err().code, Code::NotOwner, "Bob does not have the first");
    assert!(matches!(town.owner(of(2)), Some(Owner::Agent { agent: owner, .. }) if **owner == agent("bob")));
    assert_eq!(town.ledger, ledger);
    let of_asking = |what: &What| {
        matches!(
            what,
            What::JoinAsked { .. }
                | What::PartAsked { .. }
                | What::NotTaken { .. }
                | What::JoinRefused { .. }
        )
    };
    assert!(town.history.iter().all(of_asking), "{:?}", town.history);
}

/// An id tells nothing of whose it is: another tenant's conversation is none.
#[test]
fn nothing_is_joined_across_tenants() {
    let mut town = Town::new();
    let (agent, command) = ("globex/team/eve".parse().unwrap(), command_id(1));
    let take = Command::TakeIn { conversation: of(2), into: of(1), inbox: inbox(), agent, command };
    town.history.clear();
    let context = Context { now: seconds(9), policies: &town.policies, command: None };
    let events: Vec<Event> = Decider::decide(&town.state, &context, &take).unwrap();
    let whats: Vec<&What> = events.iter().map(|event| &event.what).collect();
    assert!(matches!(whats[..], [What::NotTaken { why: Rejection { code: Code::NotFound, .. }, .. }]));
}

/// A customer who leaves memory between the two comes back with what was joined.
#[test]
fn what_was_joined_is_known_years_later() {
    let mut town = Town::new();
    town.join(of(2), true).unwrap();
    let retired = Event { tenant: tenant(), inbox: inbox(), what: What::Retired { party: party(2) } };
    let (_, returned) = Decider::tombstone(&town.state, &retired).expect("nothing is open there");
    for event in [retired, returned] {
        Decider::evolve(&mut town.state, seconds(town.now), &event);
    }
    town.part(of(2)).unwrap();
    assert_eq!(town.contacts(), [1, 2].map(|n| Some(contact_of(n))));
}
