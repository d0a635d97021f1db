//! Which events a subscriber gets: those of its tenant that its filter admits.

use std::collections::BTreeSet;

use domain::{ConversationId, InboxId, Kind, Party, Peer, TenantId, Topology, contact, desk, workspace};
use tonic::Status;
use wire::api::v1 as pb;

use crate::{
    commands::malformed,
    convert::{invalid, parse},
};

use super::{feed::AnyEvent, show};

pub(super) struct Filter {
    tenant: TenantId,
    sources: BTreeSet<Kind>,
    /// Empty: all.
    kinds: BTreeSet<String>,
    /// Empty: all.
    inboxes: BTreeSet<InboxId>,
    conversation: Option<ConversationId>,
}

impl Filter {
    pub(super) fn new(tenant: TenantId, asked: pb::EventFilter) -> Result<Filter, Status> {
        let mut sources = BTreeSet::new();
        for source in asked.sources {
            let known = pb::Source::try_from(source).ok().and_then(kind_of);
            let unknown = || malformed(invalid(format!("`filter.sources`: {source} is no source")));
            sources.insert(known.ok_or_else(unknown)?);
        }
        if sources.is_empty() {
            sources.insert(Kind::Conversation);
        }
        if let Some(unknown) = asked.kinds.iter().find(|kind| !show::KINDS.contains(&kind.as_str())) {
            let known = show::KINDS.join(", ");
            return Err(malformed(invalid(format!("`filter.kinds`: {unknown:?} is none of {known}"))));
        }
        let inboxes = asked.inboxes.iter().map(|inbox| parse("filter.inboxes", inbox).map_err(malformed));
        let conversation = match asked.conversation.as_str() {
            "" => None,
            text => Some(parse("filter.conversation", text).map_err(malformed)?),
        };
        Ok(Filter {
            tenant,
            sources,
            kinds: asked.kinds.into_iter().collect(),
            inboxes: inboxes.collect::<Result<_, _>>()?,
            conversation,
        })
    }

    /// The partitions to read. A tenant's contacts and workspace are in one each, the others anywhere.
    pub(super) fn peers(&self, topology: &Topology) -> Vec<Peer> {
        use domain::Route;
        let one = |kind| match (kind, self.conversation) {
            (Kind::Contact, _) => Some(Route::Contacts(self.tenant.clone())),
            (Kind::Workspace, _) => Some(Route::Workspace(self.tenant.clone())),
            (Kind::Conversation, Some(conversation)) => Some(Route::Party(conversation.party)),
            _ => None,
        };
        let partitions = |kind: Kind| match one(kind) {
            Some(route) => vec![topology.peer(&route)],
            None => (0..topology.partitions(kind)).map(|partition| Peer { kind, partition }).collect(),
        };
        self.sources.iter().flat_map(|kind| partitions(*kind)).collect()
    }

    /// Whether the event is to be sent.
    pub(super) fn admits(&self, event: &AnyEvent) -> bool {
        let named = show::name(event).is_some_and(|name| self.kinds.is_empty() || self.kinds.contains(name));
        named
            && event.tenant() == &self.tenant
            && self.conversation.is_none_or(|wanted| event.conversation() == Some(wanted))
            && (self.inboxes.is_empty() || event.inbox().is_some_and(|inbox| self.inboxes.contains(inbox)))
    }
}

fn kind_of(source: pb::Source) -> Option<Kind> {
    match source {
        pb::Source::Unspecified => None,
        pb::Source::Conversation => Some(Kind::Conversation),
        pb::Source::Desk => Some(Kind::Desk),
        pb::Source::Contact => Some(Kind::Contact),
        pb::Source::Workspace => Some(Kind::Workspace),
    }
}

impl AnyEvent {
    pub(super) fn conversation(&self) -> Option<ConversationId> {
        match self {
            AnyEvent::Conversation(event) => event.conversation(),
            AnyEvent::Desk(event) => {
                use desk::Event::*;
                match event {
                    Enqueued { conversation, .. }
                    | Dequeued { conversation, .. }
                    | Offered { conversation, .. }
                    | AcceptRequested { conversation, .. }
                    | Accepted { conversation, .. }
                    | Declined { conversation, .. }
                    | Expired { conversation, .. }
                    | Withdrawn { conversation, .. }
                    | AssignmentEnded { conversation, .. }
                    | GivingBack { conversation, .. }
                    | Waits { conversation, .. }
                    | Stranded { conversation, .. }
                    | PreferenceEnded { conversation, .. }
                    | Overflowing { conversation, .. }
                    | QueueClosed { conversation, .. }
                    | AcceptedByRule { conversation, .. }
                    | ConsultBegan { conversation, .. }
                    | ConsultFailed { conversation, .. }
                    | ConsultEnded { conversation, .. }
                    | WrapUpBegan { conversation, .. } => Some(*conversation),
                    PresenceSet { .. }
                    | SentAway { .. }
                    | LeaseLapsed { .. }
                    | LookSet { .. }
                    | WorkDeferred { .. } => None,
                }
            }
            AnyEvent::Contact(_) | AnyEvent::Workspace(_) => None,
        }
    }

    pub(super) fn party(&self) -> Option<Party> {
        match self {
            AnyEvent::Conversation(event) => Some(event.party()),
            AnyEvent::Desk(_) => self.conversation().map(|id| id.party),
            AnyEvent::Contact(contact::Event::Created { from, .. }) => Some(from.party),
            AnyEvent::Contact(
                contact::Event::Linked { party, .. }
                | contact::Event::Joined { party, .. }
                | contact::Event::Parted { party, .. },
            ) => Some(*party),
            AnyEvent::Contact(_) | AnyEvent::Workspace(_) => None,
        }
    }

    pub(super) fn inbox(&self) -> Option<&InboxId> {
        match self {
            AnyEvent::Conversation(event) => Some(&event.inbox),
            AnyEvent::Contact(contact::Event::Created { from, .. }) => Some(&from.inbox),
            AnyEvent::Desk(_) | AnyEvent::Contact(_) | AnyEvent::Workspace(_) => None,
        }
    }

    fn tenant(&self) -> &TenantId {
        match self {
            AnyEvent::Conversation(event) => &event.tenant,
            AnyEvent::Desk(event) => {
                use desk::Event::*;
                match event {
                    Enqueued { queue, .. }
                    | Dequeued { queue, .. }
                    | Waits { queue, .. }
                    | Stranded { queue, .. }
                    | PreferenceEnded { queue, .. }
                    | Overflowing { queue, .. }
                    | QueueClosed { queue, .. }
                    | LookSet { queue, .. } => &queue.desk.tenant,
                    PresenceSet { agent, .. }
                    | SentAway { agent, .. }
                    | LeaseLapsed { agent }
                    | Offered { agent, .. }
                    | AcceptRequested { agent, .. }
                    | Accepted { agent, .. }
                    | Declined { agent, .. }
                    | Expired { agent, .. }
                    | Withdrawn { agent, .. }
                    | AssignmentEnded { agent, .. }
                    | GivingBack { agent, .. }
                    | AcceptedByRule { agent, .. }
                    | ConsultBegan { agent, .. }
                    | ConsultEnded { agent, .. }
                    | WrapUpBegan { agent, .. } => &agent.desk.tenant,
                    ConsultFailed { desk, .. } | WorkDeferred { desk } => &desk.tenant,
                }
            }
            AnyEvent::Contact(event) => match event {
                contact::Event::Created { from, .. } => &from.tenant,
                contact::Event::Linked { tenant, .. }
                | contact::Event::Joined { tenant, .. }
                | contact::Event::Parted { tenant, .. }
                | contact::Event::Tagged { tenant, .. }
                | contact::Event::Untagged { tenant, .. }
                | contact::Event::TagsTold { tenant, .. }
                | contact::Event::TokenTaken { tenant, .. }
                | contact::Event::OthersTold { tenant, .. } => tenant,
            },
            AnyEvent::Workspace(workspace::Event::PolicyApplied(policy)) => &policy.tenant,
        }
    }
}
