//! Who owns a conversation, as its events tell it.

use std::collections::BTreeMap;

use wire::api::v1::event::Kind;

use super::{Evidence, Violations};

impl Evidence {
    /// 3 and 15: one owner at every event, each change by the rules; who speaks, owns.
    pub(super) fn owners(&self, violations: &mut Violations) {
        let mut conversations: BTreeMap<&str, Story> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.id.starts_with("conversation/")) {
            if event.conversation.is_empty() {
                continue;
            }
            let story = conversations.entry(&event.conversation).or_default();
            if let Some(kind) = &event.kind
                && let Err(wrong) = story.goes_on(kind)
            {
                violations
                    .push(format!("3: {} at {}: {wrong}; {:?}", event.conversation, event.id, story.owner));
            }
        }
        let ownerless = conversations.iter().filter(|(_, story)| story.open && story.owner.is_none());
        violations.extend(ownerless.map(|(id, _)| format!("3: {id} is open and nobody's")));
    }
}

/// One conversation, as its events tell it.
#[derive(Default)]
struct Story<'a> {
    open: bool,
    owner: Option<Owner<'a>>,
    epoch: u32,
}

#[derive(PartialEq, Debug)]
enum Owner<'a> {
    Bot,
    Queue,
    Agent(&'a str, &'a str),
    /// Put away by its agent.
    Snoozed,
}

impl<'a> Story<'a> {
    fn goes_on(&mut self, kind: &'a Kind) -> Result<(), &'static str> {
        let right = |fits: bool, wrong: &'static str| if fits { Ok(()) } else { Err(wrong) };
        match kind {
            Kind::Opened(_) | Kind::Reopened(()) => {
                right(!self.open, "it begins while it goes on")?;
                self.open = true;
            }
            Kind::BotEngaged(engaged) => {
                right(self.open && self.owner.is_none(), "a bot takes what is someone's")?;
                self.owns(Owner::Bot, engaged.owner_epoch)?;
            }
            Kind::AgentWanted(wanted) => {
                let fits = self.open && matches!(self.owner, None | Some(Owner::Bot | Owner::Snoozed));
                right(fits, "a queue takes what an agent or a queue holds")?;
                self.owns(Owner::Queue, wanted.owner_epoch)?;
            }
            Kind::Assigned(assigned) => {
                right(self.owner == Some(Owner::Queue), "an agent takes what does not wait")?;
                self.owns(Owner::Agent(&assigned.agent, &assigned.assignment), assigned.owner_epoch)?;
            }
            Kind::Released(released) => {
                let fits = matches!(self.owner, Some(Owner::Agent(_, held)) if held == released.assignment);
                right(fits, "an agent lets go what it does not hold")?;
                self.owner = None;
            }
            Kind::Snoozed(snoozed) => {
                let fits = matches!(self.owner, Some(Owner::Agent(_, held)) if held == snoozed.assignment);
                right(fits, "an agent puts away what it does not hold")?;
                self.owns(Owner::Snoozed, snoozed.owner_epoch)?;
            }
            Kind::Withdrawn(_) => {
                right(self.owner == Some(Owner::Queue), "a queue lets go what it does not hold")?;
                self.owner = None;
            }
            Kind::Closed(_) => {
                right(self.open, "it ends twice")?;
                right(!matches!(self.owner, Some(Owner::Agent(..))), "it ends in an agent's hands")?;
                (self.open, self.owner) = (false, None);
            }
            Kind::BotReplied(_) => {
                right(self.owner == Some(Owner::Bot), "15: a bot speaks that does not own")?
            }
            Kind::Replied(replied) => {
                let fits = matches!(self.owner, Some(Owner::Agent(agent, _)) if agent == replied.agent);
                right(fits, "an agent speaks that does not own")?;
            }
            Kind::MessageReceived(_) => {
                right(self.open && self.owner.is_some(), "a message comes to nobody")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn owns(&mut self, owner: Owner<'a>, epoch: u32) -> Result<(), &'static str> {
        let follows = epoch == self.epoch + 1;
        (self.owner, self.epoch) = (Some(owner), epoch);
        if follows { Ok(()) } else { Err("the ownership epoch does not follow") }
    }
}
