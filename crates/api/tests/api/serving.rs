//! The server itself: who gets in, what it says of itself, how it stops.

use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use wire::api::v1::{self as pb, events_client::EventsClient};

use super::world::{World, soon};

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let world = World::silent(|_| {}).await;
    let mut anonymous = EventsClient::new(world.channel().await);
    let refused = anonymous.subscribe(pb::SubscribeRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut unknown = EventsClient::new(world.with_token("guess").await);
    let refused = unknown.subscribe(pb::SubscribeRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn health_and_reflection_speak_to_everyone() {
    let world = World::led().await;
    let mut health = HealthClient::new(world.channel().await);
    soon("health", async {
        loop {
            let status = health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status();
            if status == ServingStatus::Serving {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;

    let mut reflection = ServerReflectionClient::new(world.channel().await);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = reflection.server_reflection_info(tokio_stream::once(list)).await.unwrap().into_inner();
    let answer = soon("reflection", answers.message()).await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else {
        panic!("not a list of services: {answer:?}");
    };
    let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
    for service in ["Events", "Desk", "Bots", "Contacts", "Timelines", "Workspace", "Operator"] {
        assert!(names.contains(&format!("tributary.v1.{service}")), "{service} in {names:?}");
    }
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_and_says_how_to_go_on() {
    let mut world = World::silent(|_| {}).await;
    let mut client = EventsClient::new(world.with_token("admin").await);
    let mut stream = client.subscribe(pb::SubscribeRequest::default()).await.unwrap().into_inner();
    soon("caught up", stream.message()).await.unwrap().unwrap();
    world.stop.cancel();
    let ended = soon("the end", stream.message()).await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    assert!(ended.message().contains("resume"), "{}", ended.message());
    drop((stream, client));
    soon("the server's end", world.running.join_next()).await.unwrap().unwrap();
}
