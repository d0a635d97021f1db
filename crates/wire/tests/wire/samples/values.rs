//! The fields of every record, and the variants of every choice.

use domain::{
    Answer, Attachment, Channel, Code, Content, ConversationId, Kind, MailThread, OfferId, Origin, Peer,
    Policy, Rejection, Sealed, SetAside, TurnId, contact, conversation, delivery, desk, policy, workspace,
};
use wire::{Announce, Point};

use super::{Dice, Every, Sample};

structs! {
    Peer { kind, partition }
    ConversationId { party, number }
    TurnId { conversation, owner_epoch, number }
    OfferId { desk, number }
    Sealed { subject, bytes }
    Rejection { code, detail }
    Answer { command, content, result }
    SetAside { bytes, reason }
    Content { text, payload, attachments, quick_replies, subject, body, raw, verdict, rich }
    domain::Rich { buttons, cards, list, template, asks }
    domain::Button { title, does }
    domain::Card { title, subtitle, image, buttons }
    domain::ChoiceList { button, rows }
    domain::Choice { id, title, description }
    domain::Template { name, language, parameters }
    domain::Verdict { authenticated, by, because, checks }
    domain::Check { method, result, domain, aligned, detail }
    Attachment { kind, url, content_type, name, data }
    MailThread { subject, message_id, references, quote, written_at }
    Announce { epoch, follows, leader, version, at }
    Point { position, epoch, seq }
    conversation::Correspondent { tenant, inbox, channel, party, address }
    conversation::Received {
        from, kind, message, content, sent_at, authenticated, thread, placed, home, marks, answers, people_only,
        entry,
        reply_to, referral,
        window,
    }
    conversation::Pricing { billable, category, model }
    conversation::Mention { provider, message }
    conversation::Referral { reference, source, kind, ad, title, url }
    conversation::Thread { elsewhere, at }
    conversation::Marks { id, topic }
    conversation::Answers { ours, mails }
    conversation::Mails { received, topic, goes_on_in, taken_into }
    conversation::KnownMail { message, id, at }
    conversation::Event { tenant, inbox, what }
    conversation::Outgoing { tenant, inbox, channel, to, body, thread, by_person, signed, window }
    conversation::Window { until, person_until }
    conversation::HeldReply { agent, message, body, signed }
    conversation::ThreadOf { message, thread }
    conversation::Tombstone {
        channel, address, opted_out, latest, sent, early, known_by, earlier, tags, suppressed, automatic,
        entered, thread, window, held, others, addresses
    }
    conversation::OtherAddress { from, writable }
    conversation::Automatic { at, in_a_row }
    conversation::KnownBy { agent, at, queue }
    conversation::ClosedConversation { number, owner_epoch, turns, closed_at, thread, mails }
    conversation::Sent { provider, conversation, message, at, receipt }
    conversation::Early { provider_id, kind, at, reason }
    Policy { tenant, version, inboxes, queues, agents, bots, hours, links }
    policy::Link { inbox, reference, campaign, queue, bot, people_only, first_message, text, tags }
    conversation::Entry { link, token }
    conversation::Token { id, contact, expires_at, message, about }
    conversation::Entered { link, at }
    policy::Inbox { channel, address, bot, queue, reopen_within, sandbox, settings }
    desk::Why { policy, selection, stage, waited, wanted, considered }
    desk::Considered { free, refused, full, away, offline, unable }
    policy::Queue {
        priority, offer_timeout, ageing, needs, relaxations, selection, overflow, sticky, auto_accept, wrap_up,
        answer_within, default, hours, when_closed, away_after_expired, vip,
    }
    policy::Vip { tag, priority }
    policy::Special { priority, needs }
    delivery::MailboxMark { mailbox, validity, through, since, sifted_through }
    policy::Ageing { every, most }
    policy::Needs { skills, languages }
    policy::Relaxation { after, needs }
    policy::Overflow { to, after, refusals }
    policy::Sticky { within, grace }
    policy::Agent { queues, capacity, skills, languages, supervises, name }
    policy::Capacity { total, per_channel, weights }
    policy::Bot { answer_within, kind }
    policy::Flow { greeting, quick_replies, answers, person_words, hand_off_text, hours, away_text }
    policy::KeywordAnswer { words, text }
    policy::Hours { time_zone, open, holidays }
    policy::Holiday { first, last, from, to }
    policy::Day { year, month, day }
    policy::OpenSpan { weekday, from, to }
}

choices! {
    Kind { Conversation, Desk, Delivery, Contact, Workspace }
    Channel { Messenger, Instagram, Whatsapp, Email, Sms, Generic }
    Code {
        NotFound, NotOwner, Stale, Closed, OptedOut, OfferEnded, NotPresent, Invalid, Conflict, Forbidden, Internal,
        Suppressed, WindowClosed,
    }
    Origin { Fact(id), Command { id, content }, Relay { source, number }, Report }

    conversation::Command {
        Receive(received),
        Note { from, kind, message, content, at, suppresses, about, referral, entry },
        HoldThread { from, elsewhere, app, note, at },
        KnowAs { from, to, moved, at },
        Suppress { tenant, party, cause },
        LiftSuppression { tenant, party, by },
        Receipt { party, kind, provider_id, watermark, at, reason, pricing },
        Echoed { party, message, provider_id },
        OptOut { from },
        OptIn { from },
        Unreadable { from, message, content, reason, at },
        BotAnswer { turn, tenant, bot, actions },
        Reply { conversation, agent, assignment, message, body, by },
        Transfer { conversation, agent, assignment, to, note },
        Close { conversation, agent, assignment },
        Snooze { conversation, agent, assignment, until },
        Wake { conversation, agent },
        Split { conversation, agent, assignment, message },
        Join { conversation, agent, assignment, other, same_person },
        Part { conversation, agent, assignment, other },
        TakeIn { conversation, into, inbox, agent, command },
        TakeOut { conversation, of, inbox, agent, queue, command },
        Taken { conversation, other, command, outcome },
        Reassign { conversation, by, owner_epoch, to, note },
        Override { conversation, tenant, owner_epoch, to, note },
        NoteTags { tenant, party, tags },
    NoteTie { tenant, party, token, refused },
        NoteOthers { tenant, party, others },
        NoteAddress { party, of },
        Consult { conversation, agent, assignment, whom, note },
        EndConsult { conversation, agent },
        Remark { conversation, agent, message, body },
        ConsultAnswer { conversation, consult, agent },
        ConsultGone { conversation, consult },
        Assign { conversation, owner_epoch, offer, agent, command },
        GiveBack { conversation, assignment },
        Overflow { conversation, owner_epoch, to, since },
        Progress { conversation, message, progress },
        TellAway { conversation, owner_epoch, queue, until },
        AwayText { conversation, owner_epoch, message, body },
        TimerFired(timer),
    }
    conversation::BotAction { Say { message, body }, HandOff { queue, special }, Close }
    conversation::Transfer { Queue(queue), Agent(agent), Desk(desk) }
    conversation::Progress { Sent { provider_id }, Failed { code, reason, dead }, Unknown }
    conversation::MessageKind { Message, Postback }
    conversation::NoteKind {
        Referral, Optin, Echo, Reaction, Handover, Link, Bounce, AutoReply, Complaint, Unknown, Overheard, Edit,
        Unsend, Notice,
    }
    conversation::ReceiptKind { Delivered, Read, Failed }
    conversation::TimerId { BotSilent(conversation), Snoozed(conversation), AwayUnsaid(conversation) }
    conversation::What {
        CustomerSeen { from, at },
        Opened { conversation, policy_version },
        Reopened { conversation },
        MessageReceived {
            conversation, message, kind, content, thread, sent_at, authenticated, marks, people_only, reply_to, referral
        },
        Noted { party, kind, message, content, at, conversation, about, referral },
        AnsweredElsewhere { party, conversation, message, content, at },
        ThreadHeld { party, conversation, elsewhere, app, note, at },
        KnownAs { party, to, moved, at },
        ReceiptNoted { conversation, kind, message, at, reason, pricing },
        ReceiptKept { party, provider_id, kind, at, reason },
        Redirected { to, received },
        UnreadableKept { party, message, content, reason, at },
        OptedOut { party },
        OptedIn { party },
        TagsNoted { party, tags },
        OthersNoted { party, others },
        AddressTold { to, of },
        AddressNoted { party, of },
        MarkedSpecial { conversation, special },
        Suppressed { party, cause },
        SuppressionLifted { party, cause, by },
    Entered { party, conversation, link, tags },
    TokenShown { party, token },
    Tied { party, conversation, contact, message, about },
    NotTied { party, conversation, because },
        Retired { party },
        Returned { party, tombstone },
        BotEngaged { conversation, bot, owner_epoch, queue },
        TurnAsked { turn, bot, content, message, answer_by, link },
        TurnAnswered { turn },
        BotReplied { conversation, message, outgoing },
        AgentWanted {
            conversation, channel, queue, owner_epoch, reason, since, again, agent, agent_until, by_request,
            special
        },
        Assigned { conversation, agent, assignment, owner_epoch, command },
        AssignmentRefused { conversation, offer, command },
        Released { conversation, assignment },
        Withdrawn { conversation, queue, owner_epoch },
        Transferred { conversation, by, note },
        Reassigned { conversation, by, note },
        Split { conversation, into, message, by },
        Joined { conversation, other, by },
        JoinAsked { conversation, other, by, command },
        PartAsked { conversation, other, by, queue, command },
        TakenIn { conversation, into, by, command },
        TakenOut { conversation, of, by, command },
        NotTaken { conversation, asked_by, command, why },
        AddressJoined { conversation, other, by, command },
        AddressParted { conversation, other, by, command },
        JoinRefused { conversation, other, command, why },
        Snoozed { conversation, agent, assignment, owner_epoch, until },
        ConsultAsked { conversation, consult, by, whom, note },
        ConsultBegan { conversation, consult, by, agent, note },
        ConsultFailed { conversation, consult },
        ConsultEnded { conversation, consult, desk, agent, because },
        Remarked { conversation, by, message, body },
        Replied { conversation, agent, message, outgoing },
        WindowOpened { conversation, window },
        ReplyHeld { conversation, reply },
        HeldSent { conversation, agent, message, outgoing },
        DeliveryNoted { conversation, message, progress },
        AwayAsked { conversation, owner_epoch, queue, until, again_at },
        AwaySaid { conversation, message, outgoing },
        Closed { conversation, by, reason },
    }
    conversation::HandOffReason {
        NoBot, BotHandedOff, BotSilent, Transferred, AgentGone, Overflowed, Returned, Reassigned, Woke, Split,
        HeldBack, Entered,
    }
    conversation::Taken { In { by }, Out { by }, Not { why } }
    conversation::ShownToken { Ours(token), Unknown }
    conversation::Untied { Unknown, Expired, Used, NoContact, AnothersAddress }
    conversation::Closer { Bot(bot), Agent(agent), Customer }
    conversation::ReplyBy { Template, Hold, Email, Sms }
    domain::ButtonDoes { Open(url), Post(payload), Call(number) }
    domain::AskFor { Email, Phone }
    conversation::Suppression { DeadAddress, Complaint, Unsubscribed }
    conversation::CloseReason { Done, OptedOut, Joined }
    conversation::ConsultEnd { Said, AgentGone, Left }

    desk::Command {
        Enqueue {
            conversation, owner_epoch, channel, queue, since, again, agent, agent_until, by_request, special
        },
        Withdraw { conversation, owner_epoch },
        Confirm { offer, command },
        Refuse { offer, command },
        Release { assignment },
        PutAway { assignment },
        Consult { conversation, consult, by, whom },
        EndConsult { desk, consult },
        SetPresence { agent, presence, until },
        Accept { agent, offer },
        Decline { agent, offer },
        FinishWrapUp { agent, assignment },
        PolicyChanged { tenant },
        Recover,
        TimerFired(timer),
    }
    domain::Method { Spf, Dkim, Dmarc, Arc }
    domain::CheckResult { Pass, Fail, SoftFail, Neutral, None, TempError, PermError }
    desk::Presence { Available, Away, Offline }
    desk::TimerId {
        Lease(agent), Offer(offer), Rested(conversation), Deferred(desk), Grace(conversation), Look(queue),
        WrapUp(assignment),
    }
    desk::Event {
        Enqueued {
            conversation, owner_epoch, channel, queue, priority, since, again, agent, agent_until, by_request,
            special
        },
        Waits { conversation, queue, why },
        Stranded { conversation, queue, because },
        PreferenceEnded { conversation, queue, agent, because },
        Overflowing { conversation, owner_epoch, queue, to, since, because },
        QueueClosed { conversation, owner_epoch, queue, until, say },
        LookSet { queue, at },
        Dequeued { conversation, queue, because },
        PresenceSet { agent, presence, until },
        SentAway { agent, expired },
        LeaseLapsed { agent },
        Offered { offer, conversation, owner_epoch, agent, queue, channel, expires_at, why },
        AcceptedByRule { offer, conversation, owner_epoch, agent },
        AcceptRequested { offer, conversation, owner_epoch, agent, command },
        Accepted { offer, conversation, agent, command },
        Declined { offer, conversation, agent },
        Expired { offer, conversation, agent },
        Withdrawn { offer, conversation, agent, because, command },
        AssignmentEnded { assignment, agent, conversation },
        GivingBack { assignment, agent, conversation },
        WrapUpBegan { assignment, agent, conversation, until },
        ConsultBegan { consult, conversation, agent },
        ConsultFailed { desk, consult, conversation },
        ConsultEnded { consult, conversation, agent, gone },
        WorkDeferred { desk },
    }
    desk::LeftQueue { Assigned, Withdrawn }
    desk::WithdrawnBecause { ConversationGone, AgentGone, PolicyChanged }
    desk::StrandedBecause { NoQueue, NoAgent }
    desk::PreferenceEnded { AgentGone, GraceOver }
    desk::OverflowBecause { Waited, Refused, NoAgent, Closed }

    delivery::Command {
        Deliver { conversation, message, outgoing },
        Report { message, attempt, outcome },
        MarkMailbox { inbox, mark },
        Recover,
        TimerFired(timer),
    }
    delivery::Outcome {
        Sent { provider_id },
        Retry { code, reason, after }, NotYet { code, reason, after },
        Refused { code, reason, dead },
        Unknown { reason, resend },
    }
    delivery::TimerId { Retry(message) }
    delivery::Event {
        Queued { conversation, message, outgoing },
        SendStarted { message, attempt },
        Sent { conversation, message, attempt, provider_id },
        RetryScheduled { message, attempt, due, code, reason, not_made },
        Failed { conversation, message, attempt, code, reason, dead },
        OutcomeLost { message, attempt },
        OutcomeUnknown { conversation, message, attempt, reason },
        MailboxMarked { inbox, mark },
    }

    contact::Command {
        See { from, at },
        TagAddress { tenant, party, tags },
        Tie { tenant, party, token },
        Link { tenant, contact, party },
        Join { tenant, party, to },
        Part { tenant, party, of },
        Tag { tenant, contact, tag },
        Untag { tenant, contact, tag },
        Follow { party, to, moved, at },
    }
    contact::Event {
        Created { contact, from, at },
        Linked { tenant, contact, party, was },
        Joined { tenant, contact, party, was },
        Parted { tenant, contact, party, was },
        Tagged { tenant, contact, tag },
        Untagged { tenant, contact, tag },
        TagsTold { tenant, party, tags },
        TokenTaken { tenant, party, token, refused },
        OthersTold { tenant, party, others },
    }

    workspace::Command { Apply(policy) }
    workspace::Event { PolicyApplied(policy) }
    policy::BotKind { BuiltIn(flow), Stream }
    policy::WhenClosed { Say(text), Overflow(queue) }
    policy::Selection { LongestIdle, LeastLoaded, MostSkilled, RoundRobin }
}
