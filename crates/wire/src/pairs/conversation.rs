//! The conversation's commands and events.

use domain::conversation::{
    Answers, Automatic, ClosedConversation, Early, Entered, Entry, Event, HeldReply, KnownBy, KnownMail,
    Mails, Marks, Mention, OtherAddress, Pricing, Received, Referral, Sent, Thread, Token, Tombstone,
};

use crate::message::{choice, enumeration, message, or_default, timers};

choice! { domain::conversation::Command => ConversationCommand, conversation_command {
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
}}

message! {
    Received => Received {
        from, kind, message, content, sent_at, authenticated, thread, placed, home, marks, answers, people_only,
        entry,
        reply_to, referral,
        window,
    }
    Mention => Mention { provider, message }
    Pricing => Pricing { billable, category, model }
    Referral => Referral { reference, source, kind, ad, title, url }
    Marks => MailMarks { id, topic }
}

choice! { domain::conversation::BotAction => BotAction, bot_action {
    Say { message, body },
    HandOff { queue, special },
    Close {},
}}

choice! { domain::conversation::Transfer => TransferTo, transfer_to {
    Queue(queue),
    Agent(agent),
    Desk(desk),
}}

message! {
    Event => ConversationEvent { tenant, inbox, what }
}

choice! { domain::conversation::What => ConversationWhat, conversation_what {
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
    UnreadableKept { party, message, content, reason, at },
    OptedOut { party },
    OptedIn { party },
    TagsNoted { party, tags },
    OthersNoted { party, others },
    AddressTold { to, of },
    AddressNoted { party, of },
    Suppressed { party, cause },
    SuppressionLifted { party, cause, by },
    Entered { party, conversation, link, tags },
    TokenShown { party, token },
    Tied { party, conversation, contact, message, about },
    NotTied { party, conversation, because },
    Retired { party },
    Returned { party, tombstone },
    Redirected { to, received },
    BotEngaged { conversation, bot, owner_epoch, queue },
    TurnAsked { turn, bot, content, message, answer_by, link },
    TurnAnswered { turn },
    BotReplied { conversation, message, outgoing },
    MarkedSpecial { conversation, special },
    AgentWanted {
        conversation, channel, queue, owner_epoch, reason, since, again, agent, agent_until, by_request, special
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
}}

message! {
    Tombstone => Tombstone {
        channel, address, opted_out, latest, sent, early, known_by, earlier, tags, suppressed, automatic,
        window, held, others, addresses, thread, entered
    }
    OtherAddress => OtherAddress { from, writable }
    HeldReply => HeldReply { agent, message, body, signed }
    Thread => Thread { elsewhere, at }
    Entered => FollowedLink { link, at }
    Entry => Entry { link, token }
    Token => Token { id, contact, expires_at, message, about }
    Automatic => AutomaticAnswers { at, in_a_row }
    KnownBy => KnownBy { agent, at, queue }
    ClosedConversation => ClosedConversation { number, owner_epoch, turns, closed_at, thread, mails }
    Mails => KnownMails { received, topic, goes_on_in, taken_into }
    KnownMail => KnownMail { message, id, at }
    Sent => SentMessage { provider, conversation, message, at, receipt }
    Early => EarlyReceipt { provider_id, kind, at, reason }
}

choice! { domain::conversation::Taken => TakenOutcome, taken_outcome {
    In { by },
    Out { by },
    Not { why },
}}

choice! { domain::conversation::ShownToken => ShownToken, shown_token {
    Ours(token),
    Unknown {},
}}

choice! { domain::conversation::Closer => Closer, closer {
    Bot(bot),
    Agent(agent),
    Customer {},
}}

enumeration! {
    domain::conversation::HandOffReason => HandOffReason {
        NoBot, BotHandedOff, BotSilent, Transferred, AgentGone, Overflowed, Returned, Reassigned, Woke, Split,
        HeldBack, Entered,
    }
    domain::conversation::ReplyBy => ReplyBy { Template, Hold, Email, Sms }
    domain::conversation::Suppression => Suppression { DeadAddress, Complaint, Unsubscribed }
    domain::conversation::Untied => Untied { Unknown, Expired, Used, NoContact, AnothersAddress }
    domain::conversation::CloseReason => CloseReason { Done, OptedOut, Joined }
    domain::conversation::ConsultEnd => ConsultEnd { Said, AgentGone, Left }
}

or_default! {
    Answers => MailAnswers { ours, mails }
}

timers! { domain::conversation::TimerId => Conversation { BotSilent, Snoozed, AwayUnsaid } }
