//! One message of each kind, from the customer to the bot, to an agent, and back: everything that a user of the
//! first day does, once.

use std::{collections::BTreeSet, time::Duration};

use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use wire::api::v1::{self as pb, desk_message::Assigned, event::Kind, get_timeline_request::Of};

use crate::{
    clients::{
        Agent, Answer, Api, Channel, Follower, Item, Letter, Message, Providers, accept, close, decline, reply,
        transfer_to,
    },
    count::{self, GREETING, HAND_OFF},
    outbox::{self, Sent},
    process::{Addresses, Binary, Place, command},
};

const PERSON: &str = "I want a person";

struct Scene {
    place: Place,
    binary: Binary,
    providers: Providers,
    admin: Api,
}

impl Scene {
    async fn start() -> Scene {
        let place = Place::new();
        let binary = Binary::start(&place.data(), Addresses::any()).await;
        let (providers, admin) = (Providers::new(binary.at), Api::new(binary.at, "dev"));
        Scene { place, binary, providers, admin }
    }

    async fn agent(&self, name: &str) -> Agent {
        let api = Api::new(self.binary.at, &format!("dev-{name}"));
        let agent = Agent::arrive(&api).await.unwrap();
        assert_eq!(agent.welcome.agent, format!("dev/support/{name}"));
        agent
    }

    async fn receives(&self, message: &Message) {
        assert_eq!(self.providers.deliver(message).await, Answer::Taken, "{message:?}");
    }

    /// Awaits the `n`th message to this customer. The newest of them, by what was sent before.
    async fn sends(&mut self, channel: Channel, to: &str, text: &str) -> Sent {
        let data = self.place.data();
        let awaited = format!("{text:?} to {to} in the outbox of {}", channel.inbox());
        self.binary
            .until(&awaited, async |_| {
                let fits =
                    |sent: &Sent| sent.inbox == channel.inbox() && sent.to == to && sent.text.starts_with(text);
                let mut found = outbox::sent(&data).into_iter().filter(fits);
                let first = found.next();
                assert!(found.next().is_none(), "twice: {awaited}");
                first
            })
            .await
    }

    /// The conversations of the customer so far.
    async fn conversations(&self, channel: Channel, address: &str) -> BTreeSet<String> {
        let events = self.admin.events_after("").await.unwrap();
        let seen = |event: &&pb::Event| match &event.kind {
            Some(Kind::CustomerSeen(seen)) => {
                event.inbox == channel.inbox() && count::address(&seen.address) == Some(address)
            }
            _ => false,
        };
        let party = &events.iter().find(seen).expect("the customer was seen").party;
        let of_party = events.iter().filter(|event| event.party == *party);
        of_party.map(|event| event.conversation.clone()).filter(|id| !id.is_empty()).collect()
    }

    async fn conversation(&self, channel: Channel, address: &str) -> String {
        let conversations = self.conversations(channel, address).await;
        assert_eq!(conversations.len(), 1, "{address} has one conversation: {conversations:?}");
        conversations.into_iter().next().unwrap()
    }

    /// Awaits a timeline that ends with this kind of entry.
    async fn timeline(&mut self, of: Of, last: &str) -> Vec<pb::TimelineEntry> {
        let admin = self.admin.clone();
        self.binary
            .until(&format!("a timeline that ends with {last}"), async |_| {
                let entries = admin.timeline(of.clone()).await.unwrap();
                entries.last().is_some_and(|entry| entry.kind == last).then_some(entries)
            })
            .await
    }
}

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
    transfers_closes_and_reopens(&mut scene, &mut one, &mut two, held).await;
    keeps_people_together(&mut scene).await;
    refuses_bad_input(&mut scene).await;
    resumes_from_any_cursor(&mut scene, follower).await;

    let data = scene.place.data();
    let violations = count::Evidence::gather(&scene.admin, &data).await.violations();
    assert!(violations.is_empty(), "{violations:#?}");
    tells_while_it_runs_and_after(scene).await;
}

async fn answers_probes(scene: &Scene) {
    let http = crate::clients::http();
    for (path, says) in [("live", ""), ("ready", ""), ("metrics", "# TYPE tributary_")] {
        let answer = http.get(format!("http://{}/{path}", scene.binary.at.metrics)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "/{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(says), "/{path} says: {text}");
    }

    let mut health = HealthClient::new(scene.admin.anonymous());
    let checked = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(checked.status(), ServingStatus::Serving);

    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let ask = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut reflection = ServerReflectionClient::new(scene.admin.anonymous());
    let mut answers =
        reflection.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(listed)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("reflection lists services")
    };
    let named: BTreeSet<String> = listed.service.into_iter().map(|service| service.name).collect();
    for service in ["Events", "Desk", "Bots", "Contacts", "Timelines", "Workspace", "Operator"] {
        assert!(named.contains(&format!("tributary.v1.{service}")), "{service} is reflected: {named:?}");
    }
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
    assert!(one.never_heard(|item| matches!(item, Item::Message(said) if count::text(&said.body) == Some("Let me in"))));
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

/// agent-1 hands the conversation to agent-2, who ends it; the customer's next word brings it back.
async fn transfers_closes_and_reopens(scene: &mut Scene, one: &mut Agent, two: &mut Agent, held: Assigned) {
    let customer = Channel::Messenger.customer(1);
    let conversation = held.conversation.clone();
    one.does("transfer", transfer_to(&held, "dev/support/agent-2")).await;
    one.loses(&held.assignment).await;
    let offer = two.offered(&conversation).await;
    let now_held = two.takes(&offer).await;
    assert_eq!(one.may_not("late", reply(&held, "Too late")).await, "not_owner");
    two.does("answer-3", reply(&now_held, "This is Cy.")).await;
    scene.sends(Channel::Messenger, &customer, "This is Cy.").await;
    two.does("close", close(&now_held)).await;
    two.loses(&now_held.assignment).await;
    assert_eq!(two.may_not("after", reply(&now_held, "One more thing")).await, "closed");

    scene.receives(&Message::new(Channel::Messenger, "again-1", &customer, "One more question")).await;
    let entries = scene.timeline(Of::Conversation(conversation), "message_received").await;
    assert_eq!(
        kinds(&entries),
        [
            "opened", "bot_engaged", "message_received", "bot_replied", // Hello
            "message_received", "bot_replied", "agent_wanted", // I want a person
            "assigned", "replied", "message_received", // agent-1
            "transferred", "agent_wanted", "assigned", "replied", "closed", // agent-2
            "reopened", "bot_engaged", "message_received", // the bot again
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

async fn refuses_bad_input(scene: &mut Scene) {
    let providers = &scene.providers;
    let status = |answer: Answer| match answer {
        Answer::Refused(status, reason) => {
            assert!(!reason.is_empty(), "{status} says why");
            status
        }
        other => panic!("bad input is refused, not {other:?}"),
    };
    let body = r#"{"object": "page", "entry": []}"#;
    let meta = "/webhooks/meta/messenger";
    let wrong = ("x-hub-signature-256", "sha256=0000000000000000000000000000000000000000000000000000000000000000");
    assert_eq!(status(providers.post(meta, wrong, body.into()).await), 401);
    assert_eq!(status(providers.messenger("nobody", body.into()).await), 404);
    assert_eq!(status(providers.messenger("messenger", "{\"object\":".into()).await), 400);
    assert_eq!(status(providers.messenger("messenger", " ".repeat(5 << 20)).await), 413);
    assert_eq!(status(providers.generic("wrong", "{}".into()).await), 401);
    assert_eq!(status(providers.generic("dev", "{}".into()).await), 400);
    assert_eq!(status(providers.twilio("/webhooks/twilio/sms", &[("Body", "x")]).await), 400);
    let unsigned = providers.post("/webhooks/twilio/sms", ("x-twilio-signature", "bm8="), "a=1".into()).await;
    assert_eq!(status(unsigned), 401);
    let mail = b"From: ann@example.org\r\n\r\nHello\r\n";
    assert_eq!(status(providers.mail_to("nobody@example.test", Some("ann@example.org"), mail).await), 550);

    let metrics = crate::clients::http().get(format!("http://{}/metrics", scene.binary.at.metrics));
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    let counted = metrics.lines().any(|line| line.contains("unsigned") && line.contains("messenger"));
    assert!(counted, "a wrong signature is counted: {metrics}");

    // A mail that nobody can understand is taken all the same, and kept for an operator.
    let nobody = b"Subject: Who am I?\r\nMessage-ID: <nobody@example.org>\r\n\r\nNobody says so.\r\n";
    assert_eq!(providers.mail(None, nobody).await, Answer::Taken);
    let admin = scene.admin.clone();
    let kept = scene
        .binary
        .until("the mail among what was set aside", async |_| {
            let listed = admin.operator().list_set_aside(pb::ListSetAsideRequest::default()).await.unwrap();
            listed.into_inner().inputs.pop()
        })
        .await;
    assert!(kept.reason.contains("sender"), "{kept:?}");

    let code = |api: Api| async move { api.timeline(Of::Party("00".repeat(16))).await.unwrap_err().code() };
    assert_eq!(code(Api::new(scene.binary.at, "wrong")).await, Code::Unauthenticated);
    let mut naked = wire::api::v1::events_client::EventsClient::new(scene.admin.anonymous());
    let refused = naked.subscribe(pb::SubscribeRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let refused = scene.admin.subscribe("not a cursor").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let agent = Api::new(scene.binary.at, "dev-agent-1");
    let refused = agent.operator().list_set_aside(pb::ListSetAsideRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let refused = Agent::arrive(&scene.admin).await.err().expect("an administrator is no agent");
    assert_eq!(refused.code(), Code::PermissionDenied);
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

/// The commands that read the same data, with the binary and without.
async fn tells_while_it_runs_and_after(scene: Scene) {
    let Scene { place, binary, .. } = scene;
    let data = place.data();
    let data = data.to_str().unwrap();
    command(&["events", "--data", data], b"").await.well();
    command(&["verify", "--data", data], b"").await.well();
    let grpc = binary.at.grpc.to_string();
    let kept = command(&["set-aside", "list", "--data", data, "--addr", &grpc], b"").await.well();
    assert!(kept.contains("sender"), "{kept}");
    let (took, tail) = binary.stop().await;
    assert!(took < Duration::from_secs(10), "stopping took {took:?}:{tail}");

    let verified = command(&["verify", "--data", data], b"").await.well();
    assert!(verified.contains("no violation"), "{verified}");
    let events = command(&["events", "--data", data], b"").await.well();
    assert!(events.lines().count() > 60, "{events}");
    let contacts = command(&["contacts", "export", "--data", data], b"").await.well();
    for channel in Channel::ALL {
        assert!(contacts.contains(&channel.customer(1)), "{contacts}");
    }

    let mail = b"From: Ann <ann@example.org>\r\nTo: support@example.test\r\nSubject: Hi\r\n\r\nHello\r\n";
    let fact = command(&["normalize", "--channel", "email"], mail).await.well();
    let fact: serde_json::Value = serde_json::from_str(&fact).expect("normalize prints JSON lines");
    assert_eq!((&fact["kind"], &fact["address"], &fact["text"]), (&"message".into(), &"ann@example.org".into(), &"Hello".into()));
    let malformed = command(&["normalize", "--channel", "messenger"], b"no JSON").await;
    assert_eq!(malformed.code, Some(65), "{malformed:?}");
    assert!(malformed.out.is_empty() && malformed.err.contains("malformed"), "{malformed:?}");
}
