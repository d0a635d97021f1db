//! Until when a customer may be answered in the channel, and what becomes of an answer that comes later.
//!
//! Chat platforms close a conversation some time after the customer last wrote. How long that is, is the edge's to know:
//! it comes with each message as a time and is kept here. An agent's answer that comes too late is not lost: the agent is
//! told what can be done instead, or it is held until the customer writes again, as the inbox's `after_window` says.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Channel, Code, Context, ConversationId, Kept, MessageId, Rejection, Sealed, Timestamp};

use super::{
    Customer, Other, Outgoing, What,
    draft::{Draft, Found},
};

/// The setting of an inbox that says what becomes of what comes too late.
pub const AFTER_WINDOW: &str = "after_window";

/// Answers that are held for one customer.
const MOST_HELD: usize = 8;

/// Until when a customer may be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// By anyone.
    pub until: Timestamp,
    /// With what a person wrote; never before `until`.
    pub person_until: Timestamp,
}

impl Window {
    fn or_later(self, other: Option<Window>) -> Window {
        let Some(other) = other else { return self };
        Window { until: self.until.max(other.until), person_until: self.person_until.max(other.person_until) }
    }
}

/// How an answer goes that may not go as usual.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ReplyBy {
    /// It is a template that the platform has approved.
    Template,
    /// Once the customer has written again.
    Hold,
    /// To another address of the same contact.
    Email,
    Sms,
}

/// An answer that waits until the customer writes.
#[derive(Clone, PartialEq, Debug)]
pub struct HeldReply {
    pub agent: AgentId,
    pub message: MessageId,
    /// A sealed [`crate::Content`] under item `message`.
    pub body: Sealed,
    /// The agent's name, for customers.
    pub signed: Option<Arc<str>>,
}

/// What a state keeps of both. Only customers of chat platforms have it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Reach {
    window: Option<Window>,
    held: Vec<KeptReply>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct KeptReply {
    agent: Arc<AgentId>,
    message: MessageId,
    body: Kept,
    signed: Option<Arc<str>>,
}

impl From<&HeldReply> for KeptReply {
    fn from(held: &HeldReply) -> Self {
        let HeldReply { agent, message, body, signed } = held;
        let (agent, body) = (Arc::new(agent.clone()), Kept::new(body));
        KeptReply { agent, message: *message, body, signed: signed.clone() }
    }
}

impl From<&KeptReply> for HeldReply {
    fn from(kept: &KeptReply) -> Self {
        let KeptReply { agent, message, body, signed } = kept;
        let (agent, body) = (AgentId::clone(agent), body.sealed());
        HeldReply { agent, message: *message, body, signed: signed.clone() }
    }
}

impl Reach {
    pub(super) fn returned(window: Option<Window>, held: &[HeldReply]) -> Option<Box<Reach>> {
        let reach = Reach { window, held: held.iter().map(KeptReply::from).collect() };
        (reach != Reach::default()).then(|| Box::new(reach))
    }
}

impl Customer {
    /// Until when the customer may be answered here; none where the channel sets no bounds.
    pub fn window(&self) -> Option<Window> {
        self.reach.as_ref()?.window
    }

    /// Answers that wait until the customer writes, oldest first.
    pub fn held(&self) -> Vec<HeldReply> {
        self.reach.iter().flat_map(|reach| &reach.held).map(HeldReply::from).collect()
    }

    pub(super) fn may_be_answered(&mut self, window: Window) {
        let reach = self.reach.get_or_insert_default();
        reach.window = Some(window.or_later(reach.window));
    }

    pub(super) fn hold(&mut self, held: &HeldReply) {
        self.reach.get_or_insert_default().held.push(held.into());
    }

    /// This one left, or none is wanted any more.
    pub(super) fn release(&mut self, message: Option<MessageId>) {
        let Some(reach) = &mut self.reach else { return };
        reach.held.retain(|held| message.is_some_and(|message| held.message != message));
    }
}

/// What becomes of what comes too late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterWindow {
    /// The agent is told to choose; this is named first.
    Offer(ReplyBy),
    /// It is held.
    Hold,
}

impl AfterWindow {
    /// As the setting says it.
    ///
    /// # Errors
    /// With a sentence, for what is none.
    pub fn read(word: &str) -> Result<AfterWindow, String> {
        match word {
            "hold" => Ok(AfterWindow::Hold),
            "template" => Ok(AfterWindow::Offer(ReplyBy::Template)),
            "email" => Ok(AfterWindow::Offer(ReplyBy::Email)),
            "sms" => Ok(AfterWindow::Offer(ReplyBy::Sms)),
            other => Err(format!("`{other}` is none of `email`, `sms`, `template`, `hold`")),
        }
    }
}

/// What is done with an agent's answer.
pub(super) enum Way<'a> {
    Send,
    /// To this address, by its own inbox.
    Elsewhere(&'a Other),
    Hold,
}

/// Whether an answer may leave now, and what becomes of it otherwise.
pub(super) fn way<'a>(
    context: &Context,
    found: &Found<'a>,
    by: Option<ReplyBy>,
) -> Result<Way<'a>, Rejection> {
    let channel = found.customer.endpoint.channel;
    let late = found.customer.window().filter(|window| window.person_until < context.now);
    let has_templates = channel == Channel::Whatsapp;
    if by.is_none()
        && let Some(other) = found.promised_to()
    {
        return Ok(Way::Elsewhere(other));
    }
    match by {
        Some(ReplyBy::Template) if has_templates => Ok(Way::Send),
        Some(ReplyBy::Template) => {
            Err(Rejection::new(Code::Invalid, "this channel has no templates that a platform approves"))
        }
        Some(by @ (ReplyBy::Email | ReplyBy::Sms)) => other(found, by).map(Way::Elsewhere).ok_or_else(|| {
            let detail = "the ledger knows no such address of this contact that may be written to";
            Rejection::new(Code::NotFound, detail)
        }),
        Some(ReplyBy::Hold) if late.is_some() => hold(found),
        None | Some(ReplyBy::Hold) if late.is_none() => Ok(Way::Send),
        None | Some(ReplyBy::Hold) => {
            let rule = rule(context, found);
            if rule == Some(AfterWindow::Hold) {
                return hold(found);
            }
            Err(Rejection::new(Code::WindowClosed, options(found, rule)))
        }
    }
}

/// The newest of the contact's other addresses of that kind.
fn other<'a>(found: &Found<'a>, by: ReplyBy) -> Option<&'a Other> {
    let channel = if by == ReplyBy::Email { Channel::Email } else { Channel::Sms };
    found.customer.others().filter(|other| other.channel() == channel).last()
}

/// What can be done instead, for the agent; first what the inbox's rule names.
fn options(found: &Found, rule: Option<AfterWindow>) -> String {
    let mut options = vec![
        (ReplyBy::Email, "by = email: to the contact's address"),
        (ReplyBy::Sms, "by = sms: to the contact's number"),
        (ReplyBy::Template, "a template that the platform approved"),
        (ReplyBy::Hold, "by = hold: it leaves once the customer has written again"),
    ];
    options.retain(|(by, _)| match by {
        ReplyBy::Email | ReplyBy::Sms => other(found, *by).is_some(),
        ReplyBy::Template => found.customer.endpoint.channel == Channel::Whatsapp,
        ReplyBy::Hold => true,
    });
    options.sort_by_key(|(by, _)| rule != Some(AfterWindow::Offer(*by)));
    let options: Vec<_> = options.into_iter().map(|(_, option)| option).collect();
    format!(
        "the platform lets nobody answer this customer any more before the customer writes again; what can be done: {}",
        options.join("; ")
    )
}

fn hold<'a>(found: &Found<'a>) -> Result<Way<'a>, Rejection> {
    let held = found.customer.reach.as_ref().map_or(0, |reach| reach.held.len());
    if held < MOST_HELD {
        return Ok(Way::Hold);
    }
    let detail = format!("{MOST_HELD} answers wait for this customer to write; more are not held");
    Err(Rejection::new(Code::WindowClosed, detail))
}

/// What the inbox's policy in force says.
fn rule(context: &Context, found: &Found) -> Option<AfterWindow> {
    let endpoint = &found.customer.endpoint;
    let inbox = context.policies.of(&endpoint.tenant)?.inboxes.get(&endpoint.inbox)?;
    AfterWindow::read(inbox.settings.get(AFTER_WINDOW)?).ok()
}

/// Whether what no person wrote may still be sent.
pub(super) fn is_open_to_bots(customer: &Customer, now: Timestamp) -> bool {
    customer.window().is_none_or(|window| now <= window.until)
}

/// The customer wrote, which lets us answer until then: what was held leaves.
pub(super) fn opens(
    draft: &mut Draft,
    customer: Option<&Customer>,
    conversation: ConversationId,
    window: Option<Window>,
) {
    let Some(window) = window else { return };
    let window = window.or_later(customer.and_then(Customer::window));
    draft.push(What::WindowOpened { conversation, window });
    let Some(customer) = customer.filter(|customer| !customer.opted_out) else { return };
    let window = Some(window);
    for HeldReply { agent, message, body, signed } in customer.held() {
        let outgoing = Outgoing {
            tenant: customer.endpoint.tenant.clone(),
            inbox: customer.endpoint.inbox.clone(),
            channel: customer.endpoint.channel,
            to: customer.address.sealed(),
            body,
            thread: None,
            by_person: true,
            signed,
            window,
        };
        draft.push(What::HeldSent { conversation, agent, message, outgoing });
    }
}
