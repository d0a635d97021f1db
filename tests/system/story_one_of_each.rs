//! One message of each kind, from the customer to the bot, to an agent, and back: everything that a user of the
//! first day does, once.

mod scene;
mod surroundings;

use std::collections::BTreeSet;

use wire::api::v1::{self as pb, desk_message::Assigned, get_timeline_request::Of};

use self::{
    scene::Scene,
    surroundings::{answers_probes, refuses_bad_input, tells_while_it_runs_and_after, tells_why},
};
use crate::{
    clients::{
        Agent, Answer, Channel, Follower, Item, Letter, Message, accept, close, decline, reply, snooze_for,
        transfer_to,
    },
    count::{self, GREETING, HAND_OFF},
    outbox::{self, Sent},
};

const PERSON: &str = "I want a person";

fn kinds(entries: &[pb::TimelineEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.kind.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_each() {
    let mut scene = Scene::start().await;
    answers_probes(&scene).await;
    let follower = Follower::start(scene.admin.clone());

    let first = greets_everyone_once(&mut scene).await;
    let mut one = scene.agent("agent-1").await;
    let held = hands_over_on_messenger(&mut scene, &mut one).await;
    answers_mail_in_its_thread(&mut scene, &mut one, &first).await;
    let mut two = scene.agent("agent-2").await;
    offers_what_is_declined_to_the_other(&mut scene, &mut one, &mut two).await;
    let conversation = held.conversation.clone();
    transfers_closes_and_reopens(&mut scene, &mut one, &mut two, held).await;
    tells_why(&scene, &conversation).await;
    keeps_people_together(&mut scene).await;
    refuses_bad_input(&mut scene).await;
    resumes_from_any_cursor(&mut scene, follower).await;

    let data = scene.place.data();
    let violations = count::Evidence::settled(&scene.admin, &data, &BTreeSet::new()).await.violations();
    assert!(violations.is_empty(), "{violations:#?}");
    tells_while_it_runs_and_after(scene).await;
}

/// Every channel's first message is answered by the bot, once, however often it is delivered. The first mail.
async fn greets_everyone_once(scene: &mut Scene) -> (Message, Sent) {
    let messages = Channel::ALL.map(|channel| {
        Message::new(channel, format!("first-{}@example.org", channel.inbox()), &channel.customer(1), "Hello")
    });
    let letter = Letter { subject: "Where is my order?".into(), ..Letter::default() };
    let messages = messages.map(|message| Message { letter: letter.clone(), ..message });
    for message in &messages {
        scene.receives(message).await;
    }
    let mut mail = None;
    for message in &messages {
        let sent = scene.sends(message.channel, &message.from, GREETING).await;
        if message.channel == Channel::Email {
            mail = Some((message.clone(), sent));
        }
    }
    for message in &messages {
        let again = tokio::join!(scene.providers.deliver(message), scene.providers.deliver(message));
        assert_eq!(again, (Answer::Taken, Answer::Taken), "what was taken before is taken again");
    }
    let data = scene.place.data();
    let keys: BTreeSet<String> =
        outbox::attempts(&data).into_iter().map(|attempt| attempt.idempotency_key).collect();
    assert_eq!((keys.len(), outbox::attempts(&data).len()), (4, 4), "one attempt an answer");

    let (message, sent) = mail.unwrap();
    let mail = sent.mail.clone().unwrap();
    assert_eq!(mail.from, "support@example.test");
    assert_eq!(mail.subject, "Re: Where is my order?");
    assert_eq!(mail.in_reply_to, [message.id.as_str()]);
    assert_eq!(mail.references, [message.id.as_str()]);
    assert!(mail.message_id.starts_with(&sent.key), "the Message-ID {} is made of the key", mail.message_id);
    assert!(mail.reply_to.is_some_and(|to| to.starts_with("support+")), "an answer finds its way back");
    (message, sent)
}

/// The customer asks for a person; agent-1 is offered the conversation, takes it and answers.
async fn hands_over_on_messenger(scene: &mut Scene, one: &mut Agent) -> Assigned {
    let customer = Channel::Messenger.customer(1);
    let conversation = scene.conversation(Channel::Messenger, &customer).await;
    scene.receives(&Message::new(Channel::Messenger, "person-1", &customer, PERSON)).await;
    let offer = one.offered(&conversation).await;
    scene.sends(Channel::Messenger, &customer, HAND_OFF).await;
    assert_eq!(offer.queue, "dev/support/general");
    assert_eq!(offer.channel(), pb::Channel::Messenger);
    let held = one.takes(&offer).await;
    assert_eq!((held.inbox.as_str(), held.conversation.as_str()), ("messenger", conversation.as_str()));
    assert_eq!(one.may_not("again", accept(&offer.offer)).await, "offer_ended");

    one.does("answer-1", reply(&held, "Good day, this is Bo.")).await;
    let sent = scene.sends(Channel::Messenger, &customer, "Good day, this is Bo.").await;
    // The same command: the same answer, and (as the outbox shows in the end) nothing else.
    one.does("answer-1", reply(&held, "Good day, this is Bo.")).await;
    assert_eq!(one.may_not("answer-1", reply(&held, "Something else")).await, "conflict");

    scene.receives(&Message::new(Channel::Messenger, "thanks-1", &customer, "Thank you")).await;
    one.hears("what the customer says", |item| match item {
        Item::Message(said) if count::text(&said.body) == Some("Thank you") => Some(()),
        _ => None,
    })
    .await;

    hears_of(one, &sent, pb::DeliveryStatus::Sent).await;
    let taken = scene.providers.messenger_delivered(&customer, &sent.key).await;
    assert_eq!(taken, Answer::Taken);
    hears_of(one, &sent, pb::DeliveryStatus::Delivered).await;
    held
}

async fn hears_of(agent: &mut Agent, sent: &Sent, status: pb::DeliveryStatus) {
    let awaited = format!("word that {} is {status:?}", sent.key);
    agent
        .hears(&awaited, |item| match item {
            Item::Delivery(note) => (note.message == sent.key && note.status() == status).then_some(()),
            _ => None,
        })
        .await;
}

/// The customer answers our mail; an agent's answer stands in the same thread.
async fn answers_mail_in_its_thread(scene: &mut Scene, one: &mut Agent, first: &(Message, Sent)) {
    let (first, greeting) = first;
    let greeting = greeting.mail.as_ref().unwrap();
    let conversation = scene.conversation(Channel::Email, &first.from).await;
    let letter = Letter {
        subject: "Re: Where is my order?".into(),
        in_reply_to: Some(greeting.message_id.clone()),
        references: vec![first.id.clone(), greeting.message_id.clone()],
    };
    let answer = Message::new(Channel::Email, "second@example.org", &first.from, PERSON);
    scene.receives(&Message { letter: letter.clone(), ..answer.clone() }).await;
    // The same conversation, or the offer would be of another one.
    let offer = one.offered(&conversation).await;
    let held = one.takes(&offer).await;
    one.does("answer-mail", reply(&held, "It is on its way.")).await;
    let sent = scene.sends(Channel::Email, &first.from, "It is on its way.").await;
    let mail = sent.mail.unwrap();
    assert_eq!(mail.subject, "Re: Where is my order?");
    assert_eq!(mail.in_reply_to, [answer.id.as_str()]);
    assert_eq!(mail.references, [first.id.clone(), greeting.message_id.clone(), answer.id.clone()]);
    assert!(mail.message_id.starts_with(&sent.key));

    // Who knows the reference but is someone else has no part in the conversation.
    let stranger = Message::new(Channel::Email, "stranger@example.org", "mallory@example.com", "Let me in");
    scene.receives(&Message { letter, ..stranger.clone() }).await;
    scene.sends(Channel::Email, &stranger.from, GREETING).await;
    let strangers = scene.conversation(Channel::Email, &stranger.from).await;
    assert_ne!(strangers, conversation);
    assert!(one.never_heard(
        |item| matches!(item, Item::Message(said) if count::text(&said.body) == Some("Let me in"))
    ));
}

/// Two agents are there: what one declines, the other is offered.
async fn offers_what_is_declined_to_the_other(scene: &mut Scene, one: &mut Agent, two: &mut Agent) {
    let customer = Channel::Sms.customer(1);
    let conversation = scene.conversation(Channel::Sms, &customer).await;
    scene.receives(&Message::new(Channel::Sms, "person-2", &customer, PERSON)).await;
    let (offer, asked, other) = tokio::select! {
        offer = one.offered(&conversation) => (offer, &mut *one, &mut *two),
        offer = two.offered(&conversation) => (offer, &mut *two, &mut *one),
    };
    asked.does("no", decline(&offer.offer)).await;
    let offer = other.offered(&conversation).await;
    assert_eq!(asked.may_not("too late", accept(&offer.offer)).await, "not_owner");
    let held = other.takes(&offer).await;
    other.does("answer-sms", reply(&held, "How can I help?")).await;
    let sent = scene.sends(Channel::Sms, &customer, "How can I help?").await;
    scene.sends(Channel::Sms, &customer, HAND_OFF).await;

    hears_of(other, &sent, pb::DeliveryStatus::Sent).await;
    let status = [
        ("AccountSid", "AC1"),
        ("From", "+15550100"),
        ("MessageSid", sent.key.as_str()),
        ("MessageStatus", "delivered"),
        ("To", customer.as_str()),
    ];
    assert_eq!(scene.providers.twilio("/webhooks/twilio/sms/status", &status).await, Answer::Taken);
    hears_of(other, &sent, pb::DeliveryStatus::Delivered).await;
}

/// agent-1 hands the conversation to agent-2 with a note, who puts it away until the customer writes, then ends it; the
/// customer's next word brings it back.
async fn transfers_closes_and_reopens(scene: &mut Scene, one: &mut Agent, two: &mut Agent, held: Assigned) {
    let customer = Channel::Messenger.customer(1);
    let conversation = held.conversation.clone();
    one.does("transfer", transfer_to(&held, "dev/support/agent-2")).await;
    one.loses(&held.assignment).await;
    let offer = two.offered(&conversation).await;
    let now_held = two.takes(&offer).await;
    assert_eq!(count::text(&now_held.note), Some("please take over"));
    assert_eq!(one.may_not("late", reply(&held, "Too late")).await, "not_owner");
    two.does("answer-3", reply(&now_held, "This is Cy.")).await;
    scene.sends(Channel::Messenger, &customer, "This is Cy.").await;
    two.does("snooze", snooze_for(&now_held, 3_600)).await;
    two.loses(&now_held.assignment).await;
    assert_eq!(two.may_not("asleep", reply(&now_held, "Zzz")).await, "not_owner");
    scene.receives(&Message::new(Channel::Messenger, "still-1", &customer, "Still there?")).await;
    let offer = two.offered(&conversation).await;
    let now_held = two.takes(&offer).await;
    two.does("close", close(&now_held)).await;
    two.loses(&now_held.assignment).await;
    assert_eq!(two.may_not("after", reply(&now_held, "One more thing")).await, "closed");

    scene.receives(&Message::new(Channel::Messenger, "again-1", &customer, "One more question")).await;
    let entries = scene.timeline(Of::Conversation(conversation), &["bot_engaged", "message_received"]).await;
    assert_eq!(
        kinds(&entries),
        [
            "opened",
            "bot_engaged",
            "message_received",
            "bot_replied", // Hello
            "message_received",
            "bot_replied",
            "agent_wanted", // I want a person
            "assigned",
            "replied",
            "message_received", // agent-1
            "transferred",
            "agent_wanted",
            "assigned",
            "replied",
            "snoozed",
            "agent_wanted",
            "message_received",
            "assigned",
            "closed", // agent-2
            "reopened",
            "bot_engaged",
            "message_received", // the bot again
        ]
    );
    let said: Vec<(&str, &str)> = entries
        .iter()
        .filter(|entry| !entry.message.is_empty())
        .map(|entry| (entry.author.as_str(), count::text(&entry.body).expect("a message has a body")))
        .collect();
    let (agent_1, agent_2) = ("agent:dev/support/agent-1", "agent:dev/support/agent-2");
    let expected = [
        ("customer", "Hello"),
        ("bot:welcome", GREETING),
        ("customer", PERSON),
        ("bot:welcome", HAND_OFF),
        (agent_1, "Good day, this is Bo."),
        ("customer", "Thank you"),
        (agent_2, "This is Cy."),
        ("customer", "Still there?"),
        ("customer", "One more question"),
    ];
    let alike = |(said, expected): (&(&str, &str), &(&str, &str))| {
        said.0 == expected.0 && said.1.starts_with(expected.1)
    };
    assert!(said.len() == expected.len() && said.iter().zip(&expected).all(alike), "{said:#?}");
    let bo = entries.iter().find(|entry| entry.author == agent_1 && entry.kind == "replied").unwrap();
    assert_eq!(bo.delivery(), pb::DeliveryStatus::Delivered, "Messenger's receipt shows");
    assert!(entries.is_sorted_by_key(|entry| entry.at.map(|at| (at.seconds, at.nanos))));
}

/// Two addresses of one person share a timeline once they are linked.
async fn keeps_people_together(scene: &mut Scene) {
    let admin = scene.admin.clone();
    let contacts = scene
        .binary
        .until("a contact for each customer", async |_| {
            let contacts = admin.all_contacts().await.unwrap();
            (contacts.len() == 5).then_some(contacts)
        })
        .await;
    let of = |channel: Channel| {
        contacts
            .iter()
            .find(|contact| count::address(&contact.addresses[0].address) == Some(&channel.customer(1)))
            .unwrap_or_else(|| panic!("{} has a contact", channel.customer(1)))
    };
    let (mail, messenger) = (of(Channel::Email), of(Channel::Messenger));
    let link = pb::LinkContactRequest {
        command_id: "same-person".into(),
        contact: mail.id.clone(),
        party: messenger.addresses[0].party.clone(),
    };
    admin.contacts().link(link.clone()).await.unwrap();
    admin.contacts().link(link).await.expect("the same command is accepted again");
    let of = Of::Contact(mail.id.clone());
    scene
        .binary
        .until("one timeline over both addresses", async |_| {
            let entries = admin.timeline(of.clone()).await.unwrap();
            let inboxes: BTreeSet<&str> = entries.iter().map(|entry| entry.inbox.as_str()).collect();
            (inboxes == BTreeSet::from(["email", "messenger"])).then_some(())
        })
        .await;
}

/// A subscriber that followed along saw what is there, and resumed anywhere sees exactly the rest.
async fn resumes_from_any_cursor(scene: &mut Scene, follower: Follower) {
    let admin = scene.admin.clone();
    let (record, all) = follower.record_and_all(&admin).await;
    let differences = count::differences(&record, &all);
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(record.len() > 60, "there is something to resume: {} events", record.len());
    for at in 0..record.len() {
        let rest = admin.events_after(&record[at].cursor).await.unwrap();
        let differences = count::differences(&record[at + 1..], &rest);
        assert!(differences.is_empty(), "resumed behind event {at}: {differences:#?}");
    }
}
