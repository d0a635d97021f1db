//! What stands around the conversations: probes, refusals, and the commands that read the same data.

use std::{collections::BTreeSet, time::Duration};

use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use wire::api::v1::{self as pb, get_timeline_request::Of};

use super::scene::Scene;
use crate::{
    clients::{Agent, Answer, Api, Channel},
    process::command,
};

pub(super) async fn answers_probes(scene: &Scene) {
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

pub(super) async fn refuses_bad_input(scene: &mut Scene) {
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
    let wrong =
        ("x-hub-signature-256", "sha256=0000000000000000000000000000000000000000000000000000000000000000");
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

/// The story of a conversation that went from hand to hand, beside the running binary.
pub(super) async fn tells_why(scene: &Scene, conversation: &str) {
    let data = scene.place.data();
    let data = data.to_str().unwrap();
    let told = command(&["why", conversation, "--data", data], b"").await.well();
    let mut lines = told.lines();
    assert_eq!(lines.next(), Some(format!("Conversation {conversation}").as_str()));
    // Each behind the one before; what stands between is told as well.
    for sentence in [
        "begins in inbox messenger",
        "goes to bot welcome",
        "waits for a person in queue dev/support/general: the bot handed it over",
        "is offered to dev/support/agent-1 from dev/support/general",
        "dev/support/agent-1 accepts offer",
        "is dev/support/agent-1's",
        "is transferred by dev/support/agent-1, with a note",
        "wanting dev/support/agent-2",
        "is offered to dev/support/agent-2",
        "is dev/support/agent-2's",
        "is put away by dev/support/agent-2 until",
        "waits for a person in queue dev/support/general: it was put away until now, wanting dev/support/agent-2",
        "is dev/support/agent-2's",
        "is closed by dev/support/agent-2",
        "is reopened: the customer wrote again",
    ] {
        let is_told = lines.any(|line| line.contains(sentence));
        assert!(is_told, "{sentence:?} is not told, or not there:\n{told}");
    }
    assert!(told.contains("as wanted; of the agents, 1 free"), "{told}");
    for word in ["Good day", "please take over", "Still there"] {
        assert!(!told.contains(word), "what was written stays sealed:\n{told}");
    }
    let unknown = format!("{}-1", "00".repeat(16));
    let none = command(&["why", &unknown, "--data", data], b"").await;
    assert!(none.code == Some(1) && none.err.contains("there is no conversation"), "{none:?}");
}

/// The commands that read the same data, with the binary and without.
pub(super) async fn tells_while_it_runs_and_after(scene: Scene) {
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
    assert_eq!(
        (&fact["kind"], &fact["address"], &fact["text"]),
        (&"message".into(), &"ann@example.org".into(), &"Hello".into())
    );
    let malformed = command(&["normalize", "--channel", "messenger"], b"no JSON").await;
    assert_eq!(malformed.code, Some(65), "{malformed:?}");
    assert!(malformed.out.is_empty() && malformed.err.contains("malformed"), "{malformed:?}");
}
