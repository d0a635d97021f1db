//! The server: what it needs, the services it offers, how it starts and stops.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use domain::Topology;
use log::Log;
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tonic::{Status, transport::server::TcpIncoming};
use vault::Vault;
use wire::api::{self, v1 as pb};

use crate::{
    auth::Tokens,
    bots::Bots,
    commands::Commander,
    contacts::Contacts,
    desk::Desk,
    events::Events,
    follow,
    hub::Hub,
    metrics,
    operator::{Operator, ReadAgain},
    outlet::Streams,
    supervision::Supervision,
    timelines::Timelines,
    workspace::Workspace,
};

/// Messages are small; attachments travel as links. The built-in limit of gRPC, made explicit.
const LARGEST_MESSAGE: usize = 4 << 20;
/// A connection whose peer has vanished is found out and closed after about this long.
const PROBED_EVERY: Duration = Duration::from_secs(20);
/// Stories that are read from the log at once.
const STORIES: usize = 2;
/// How long calls may take to end once the server is told to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a server needs, and the bounds it keeps.
#[derive(Clone)]
pub struct Config {
    pub log: Arc<dyn Log>,
    /// The partition counts the log was created with.
    pub topology: Topology,
    pub vault: Vault,
    pub store: projections::Store,
    pub tokens: Tokens,
    /// Reads messages that could not be understood once more, in a process that can.
    pub read_again: Option<Arc<dyn ReadAgain>>,
    /// Where views of the log are kept from one start to the next; without it they are read anew from the beginning.
    pub keep_in: Option<PathBuf>,
    /// How long a caller waits for a command's answer before it is told that the outcome is unknown.
    pub patience: Duration,
    /// Messages that may wait for one client.
    pub buffer: usize,
    /// How long a client's buffer may stay full before the client is dropped.
    pub stall: Duration,
    /// A subscriber hears something at least this often.
    pub heartbeat: Duration,
}

impl Config {
    pub fn new(
        log: Arc<dyn Log>,
        topology: Topology,
        vault: Vault,
        store: projections::Store,
        tokens: Tokens,
    ) -> Config {
        Config {
            log,
            topology,
            vault,
            store,
            tokens,
            read_again: None,
            keep_in: None,
            patience: Duration::from_secs(15),
            buffer: 256,
            stall: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
        }
    }
}

/// Why a server stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not follow the log")]
    Follow(#[from] follow::Error),
    #[error("could not serve gRPC")]
    Serve(#[source] tonic::transport::Error),
    #[error("could not offer reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
}

/// What every service has.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) topology: Topology,
    pub(crate) vault: Vault,
    pub(crate) store: projections::Store,
    pub(crate) hub: Hub,
    pub(crate) commander: Commander,
    pub(crate) read_again: Option<Arc<dyn ReadAgain>>,
    pub(crate) streams: Streams,
    pub(crate) heartbeat: Duration,
    /// Who reads the log for a story.
    pub(crate) stories: Arc<Semaphore>,
}

pub struct Server {
    shared: Shared,
    tokens: Tokens,
}

impl Server {
    pub fn new(config: Config) -> Server {
        metrics::describe();
        let Config {
            log,
            topology,
            vault,
            store,
            tokens,
            read_again,
            keep_in,
            patience,
            buffer,
            stall,
            heartbeat,
        } = config;
        let hub = Hub::new(log.clone(), topology, keep_in);
        let commander =
            Commander { hub: hub.clone(), log: log.clone(), vault: vault.clone(), topology, patience };
        let streams = Streams {
            buffer: buffer.max(1),
            stall,
            shutdown: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        Server {
            shared: Shared {
                log,
                topology,
                vault,
                store,
                hub,
                commander,
                read_again,
                streams,
                heartbeat,
                stories: Arc::new(Semaphore::new(STORIES)),
            },
            tokens,
        }
    }

    /// Serves until `stop`, then ends every stream with UNAVAILABLE and waits a moment for calls to finish.
    /// Health says `SERVING` once the log has been read to where it was at the start.
    pub async fn run(self, listener: TcpListener, stop: CancellationToken) -> Result<(), Error> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(api::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(Error::Reflection)?;

        let Server { shared, tokens } = self;
        macro_rules! service {
            ($server:path, $service:expr) => {{
                let server =
                    <$server>::new($service(shared.clone())).max_decoding_message_size(LARGEST_MESSAGE);
                tonic::service::interceptor::InterceptedService::new(server, tokens.clone())
            }};
        }
        let router = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(PROBED_EVERY))
            .http2_keepalive_timeout(Some(PROBED_EVERY))
            .add_service(health_service)
            .add_service(reflection)
            .add_service(service!(pb::events_server::EventsServer<_>, Events))
            .add_service(service!(pb::desk_server::DeskServer<_>, Desk))
            .add_service(service!(pb::bots_server::BotsServer<_>, Bots))
            .add_service(service!(pb::contacts_server::ContactsServer<_>, Contacts))
            .add_service(service!(pb::timelines_server::TimelinesServer<_>, Timelines))
            .add_service(service!(pb::workspace_server::WorkspaceServer<_>, Workspace))
            .add_service(service!(pb::operator_server::OperatorServer<_>, Operator))
            .add_service(service!(pb::supervision_server::SupervisionServer<_>, Supervision));

        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let closing = shared.streams.shutdown.clone();
        let serving = router.serve_with_incoming_shutdown(incoming, closing.clone().cancelled_owned());
        let reading = CancellationToken::new();
        let (hub, stop_reading) = (shared.hub.clone(), reading.clone());
        let following = AbortOnDropHandle::new(tokio::spawn(async move { hub.run(stop_reading).await }));
        let ready = async {
            if shared.hub.ready().await.is_ok() {
                health.set_service_status("", tonic_health::ServingStatus::Serving).await;
            }
            std::future::pending::<Infallible>().await
        };
        tokio::pin!(serving, following);
        let (mut served, mut followed) = (false, false);
        // Whatever ends first, the streams are ended too: their clients resume elsewhere.
        let ended = tokio::select! {
            ended = &mut serving => {
                served = true;
                ended.map_err(Error::Serve)
            }
            ended = &mut following => {
                followed = true;
                match ended {
                    Ok(ended) => ended.map_err(Error::Follow),
                    Err(failed) => Err(Error::Follow(follow::Error::Task(failed))),
                }
            }
            never = ready => match never {},
            () = stop.cancelled() => Ok(()),
        };
        closing.cancel();
        shared.streams.tasks.close();
        let farewell = async {
            shared.streams.tasks.wait().await;
            if !served {
                // A failure to close a connection cleanly concerns nobody any more.
                let _ = serving.await;
            }
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::warn!("some calls had not ended when the server stopped");
        }
        reading.cancel();
        if !followed && tokio::time::timeout(FAREWELL, following).await.is_err() {
            tracing::warn!("the views of the log were not kept in time; the next start will read more of it");
        }
        ended
    }
}

/// A read model that could not be asked.
pub(crate) fn unreadable(error: projections::Error) -> Status {
    tracing::warn!(error = &error as &dyn std::error::Error, "the read model could not be read");
    Status::unavailable("the read model is unavailable for now: try again")
}
