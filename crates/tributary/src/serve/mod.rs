//! One process of Tributary: the roles it has, wired together over the log, started from right to left so that
//! every reader is there before what it reads, and stopped from left to right.

mod certificate;
mod directory;
#[cfg(test)]
mod full;
mod listeners;
mod read_again;
mod stages;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use channels::{
    Deliverer, LogIntake,
    email::{Verifier, imap, smtp},
};
use domain::{InboxId, Kind, Millis, Policies, Topology, contact, conversation, delivery, desk, workspace};
use log::{Log, Topic};
use runtime::{Clock, NoEffects, Post, Readiness, Setup, Snapshots};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use vault::Vault;

pub use listeners::{Listeners, address};

use self::{directory::Directory, read_again::ReadAgain, stages::Stages};
use crate::{
    config::{Config, Role},
    key_store,
    layout::Layout,
    meta, observe,
    opened::{self, Opened},
    stores,
};

/// How long stopping may take in all; what is not done by then is done again at the next start.
const FAREWELL: Duration = Duration::from_secs(20);
/// A customer is in memory this long after everything was done, so that a word of thanks finds all at hand.
const RETIRE_AFTER: Millis = Millis::hours(1);
/// Between attempts to write a read model that cannot be written.
const PROJECTED_AGAIN: Duration = Duration::from_secs(1);

/// Runs the roles of `config` until `cancel`, or until one of them fails.
pub async fn run(config: Config, cancel: CancellationToken) -> anyhow::Result<()> {
    let listeners = Listeners::bind(&config).await?;
    Process::start(config, listeners).await?.run_until(cancel).await
}

/// A started process.
pub struct Process {
    stages: Stages,
    opened: Opened,
    post: Post,
    /// With the role `channels`.
    directory: Option<Arc<Directory>>,
}

/// What the parts of a process share.
struct Shared {
    config: Config,
    log: Arc<dyn Log>,
    topology: Topology,
    vault: Vault,
    post: Post,
    policies: watch::Receiver<Policies>,
    snapshots: Snapshots,
    readiness: Arc<Readiness>,
    layout: Layout,
    verifier: Verifier,
}

impl Process {
    /// Starts everything; returns once the listeners are served.
    pub async fn start(config: Config, listeners: Listeners) -> anyhow::Result<Process> {
        let layout = Layout::new(&config.data);
        let topology = config.partitions.topology();
        let opened = opened::open(&config, &layout).await?;
        let log = opened.log();
        let vault = key_store::vault(&config, &layout)?;
        let vault = tokio::task::spawn_blocking(move || Vault::open(vault))
            .await?
            .context("could not open the key store")?;
        let post = Post { log: log.clone(), topology };

        let mut stages = Stages::default();
        stages.spawn("log", watch_log(log.clone(), stages.last.clone()));
        let followers = TaskTracker::new();
        let policies = runtime::follow_policies(log.clone(), topology, &followers, stages.last.child_token())
            .await
            .context("could not read the workspaces")?;
        let shared = Shared {
            snapshots: stores::snapshots(&config, &layout)?,
            readiness: Arc::default(),
            log,
            topology,
            vault,
            post: post.clone(),
            policies,
            layout,
            verifier: verifier(&config),
            config,
        };
        let has = |role| shared.config.roles.contains(&role);
        let Listeners { http, smtp, lmtp, grpc, metrics } = listeners;
        if has(Role::Api) || has(Role::Projections) {
            let at = shared.layout.read_model();
            let store = tokio::task::spawn_blocking(move || projections::Store::open(at))
                .await?
                .context("could not open the read model")?;
            if has(Role::Projections) {
                projections::drop_if_ahead(&*shared.log, &topology, &store)
                    .await
                    .context("could not hold the read model against the log")?;
                let (log, store, stop) = (shared.log.clone(), store.clone(), stages.projections.clone());
                stages.spawn("projections", project(log, topology, store, stop));
            }
            if let Some(listener) = grpc.filter(|_| has(Role::Api)) {
                start_api(&mut stages, &shared, store, listener)?;
            }
        }
        let (mut attempts, mut directory) = (None, None);
        if has(Role::Router) {
            start_router(&mut stages, &shared);
        }
        if has(Role::Channels) {
            let known = Directory::start(&shared, stages.last.clone(), http.as_ref())?;
            attempts = Some(start_channels(&mut stages, &shared, &known, http, smtp, lmtp)?);
            directory = Some(known);
        }
        if let Some(listener) = metrics {
            let readiness = shared.readiness.clone();
            let ready = move || readiness.check().map_err(str::to_owned);
            let stop = stages.last.clone();
            stages.spawn("metrics", observe::serve(listener, ready, stop));
        }
        stages.effects.extend(attempts);
        Ok(Process { stages, opened, post, directory })
    }

    /// Puts inputs into the log of this process.
    pub fn post(&self) -> &Post {
        &self.post
    }

    /// Yields once the edges of this process, if it has any, take what comes for this inbox.
    pub async fn takes(&self, inbox: &InboxId) {
        if let Some(directory) = &self.directory {
            directory.knows(inbox).await;
        }
    }

    /// Until `cancel`, or until a part fails; then stops everything in order.
    pub async fn run_until(mut self, cancel: CancellationToken) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = cancel.cancelled() => Ok(()),
            failed = self.stages.failure() => Err(failed),
        };
        let opened = self.opened.clone();
        let farewell = async {
            self.stages.stop().await;
            opened.close().await
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::warn!("stopping took too long; what was not done is done at the next start");
        }
        ended
    }
}

/// Until `stop`, or until the log stops for good, which it does when it cannot know what its disk holds. Nothing can be
/// taken then: the process must end, so that the next one reads what is there.
async fn watch_log(log: Arc<dyn Log>, stop: CancellationToken) -> anyhow::Result<()> {
    let anywhere = Topic(Kind::Workspace.log_topic()).partition(0);
    // No record comes there: what ends this wait is the end of the log.
    let ended = stop.run_until_cancelled(log.wait(anywhere, u64::MAX)).await;
    ended.unwrap_or(Ok(())).context("nothing more can be written; what stopped it was logged before")
}

/// A read model that cannot be written for now (its disk is full) stays behind. It ends nothing: the edges must go on
/// telling providers to come back.
async fn project(
    log: Arc<dyn Log>,
    topology: Topology,
    store: projections::Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while let Err(error) = projections::run(log.clone(), topology, store.clone(), stop.clone()).await {
        if !error.is_passing() {
            return Err(error.into());
        }
        tracing::warn!(error = &error as &dyn std::error::Error, "the read model stays behind");
        if stop.run_until_cancelled(tokio::time::sleep(PROJECTED_AGAIN)).await.is_none() {
            break;
        }
    }
    Ok(())
}

fn start_router(stages: &mut Stages, shared: &Shared) {
    let answers = TaskTracker::new();
    let bot = bots::BuiltIn::new(
        shared.post.clone(),
        shared.vault.clone(),
        shared.policies.clone(),
        answers.clone(),
    );
    stages.effects.push(answers);
    let stop = stages.workers.clone();
    stages.spawn_workers(shared.setup::<conversation::Decider>(Arc::new(bot)), stop.clone());
    stages.spawn_workers(shared.setup::<desk::Decider>(Arc::new(NoEffects)), stop.clone());
    stages.spawn_workers(shared.setup::<contact::Decider>(Arc::new(NoEffects)), stop.clone());
    stages.spawn_workers(shared.setup::<workspace::Decider>(Arc::new(NoEffects)), stop);
}

/// The edges, and the delivery workers behind them. The tracker holds the attempts under way.
fn start_channels(
    stages: &mut Stages,
    shared: &Shared,
    directory: &Arc<Directory>,
    http: Option<TcpListener>,
    smtp: Option<TcpListener>,
    lmtp: Option<TcpListener>,
) -> anyhow::Result<TaskTracker> {
    let attempts = TaskTracker::new();
    let pulls = imap::Pulls::default();
    let deliverer =
        Deliverer::new(shared.post.clone(), shared.vault.clone(), directory.clone(), attempts.clone())
            .with_pulls(pulls.clone())
            .with_policies(shared.policies.clone());
    let stop = stages.workers.clone();
    stages.spawn_workers(shared.setup::<delivery::Decider>(Arc::new(deliverer)), stop);

    let orphans = channels::Orphans::new(shared.log.clone(), shared.topology, shared.vault.clone());
    stages.spawn_edge("orphans", orphans.run(stages.edges.clone()));

    let stop = stages.edges.clone();
    let looking =
        meta::watch_over(shared.config.clone(), directory.outbound(), shared.policies.clone(), stop);
    stages.spawn_edge("health", looking);

    let intake = Arc::new(shared.intake());
    if let Some(listener) = http {
        let router =
            channels::http::router(intake.clone(), directory.clone(), channels::http::Limits::default())
                .merge(channels::http::unsubscribe(intake.clone()));
        let serving = channels::http::serve(listener, router, stages.edges.clone());
        stages.spawn_edge("http", serving);
    }
    let mail = [
        (smtp, smtp::Protocol::Smtp, &shared.config.smtp),
        (lmtp, smtp::Protocol::Lmtp, &shared.config.lmtp),
    ];
    for (listener, protocol, configured) in mail {
        let Some(listener) = listener else { continue };
        let hostname = configured.hostname.clone().unwrap_or_else(|| "localhost".into());
        let mut config = smtp::Config::new(protocol, hostname);
        config.max_message = configured.max_message.unwrap_or(config.max_message);
        config.max_memory = configured.max_memory.unwrap_or(config.max_memory);
        config.max_connections = configured.max_connections.unwrap_or(config.max_connections);
        let a_client = configured.max_connections_per_client;
        config.max_connections_per_peer = a_client.unwrap_or(config.max_connections_per_peer);
        let tls = configured.tls.as_ref().map(certificate::server).transpose();
        config.tls = tls.with_context(|| format!("the certificate of [{}]", protocol.as_str()))?;
        let serving = smtp::serve(listener, config, directory.clone(), intake.clone(), stages.edges.clone());
        stages.spawn_edge("mail", serving);
    }
    let mut limits = imap::Limits::default();
    limits.max_message = shared.config.smtp.max_message.unwrap_or(limits.max_message);
    let (outbound, mailboxes) = (directory.outbound(), directory.mailboxes());
    let pulling = pulls.run(shared.post.clone(), intake, outbound, mailboxes, limits, stages.edges.clone());
    stages.spawn_edge("imap", pulling);
    Ok(attempts)
}

fn start_api(
    stages: &mut Stages,
    shared: &Shared,
    store: projections::Store,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let mut tokens = Vec::new();
    for token in &shared.config.tokens {
        let role = match (token.admin, token.agent_id()?, token.bot_id()?) {
            (true, None, None) => api::Role::Admin,
            (false, Some(agent), None) => api::Role::Agent(agent),
            (false, None, Some(bot)) => api::Role::Bot(bot),
            (false, None, None) => api::Role::Reader,
            _ => anyhow::bail!("token {:?} has more than one of `admin`, `agent` and `bot`", token.name),
        };
        let text = token.token.resolve().with_context(|| format!("the token of {:?}", token.name))?;
        let principal = api::Principal {
            tenant: token.tenant.0.clone(),
            name: token.name.as_str().into(),
            role,
            pii: token.pii,
        };
        tokens.push((api::Tokens::hash(&text), principal));
    }
    let mut config = api::Config::new(
        shared.log.clone(),
        shared.topology,
        shared.vault.clone(),
        store,
        api::Tokens::new(tokens),
    );
    config.keep_in = Some(Layout::new(&shared.config.data).snapshots());
    if shared.config.roles.contains(&Role::Channels) {
        config.read_again = Some(Arc::new(ReadAgain(shared.intake())));
    }
    let stop = stages.api.clone();
    stages.spawn("grpc", async move { Ok(api::Server::new(config).run(listener, stop).await?) });
    Ok(())
}

impl Shared {
    fn intake(&self) -> LogIntake {
        LogIntake {
            post: self.post.clone(),
            vault: self.vault.clone(),
            policies: self.policies.clone(),
            verifier: self.verifier.clone(),
        }
    }

    fn setup<A: wire::Codec>(&self, effects: Arc<dyn runtime::Effects<A>>) -> Setup<A> {
        Setup {
            log: self.log.clone(),
            topology: self.topology,
            name: self.config.kafka.instance.clone().unwrap_or_else(who),
            effects,
            policies: self.policies.clone(),
            snapshots: Some(self.snapshots.clone()),
            readiness: self.readiness.clone(),
            clock: Clock::default(),
            retention: self.config.retention.of_intakes(),
            retire_after: RETIRE_AFTER,
            // One process leads every partition of the embedded log, and nobody is next in line.
            standbys: self.config.kafka.standbys,
        }
    }
}

/// Who checks the senders of mail. Without a name server mail is taken all the same, and nobody is authenticated.
fn verifier(config: &Config) -> Verifier {
    if !config.roles.contains(&Role::Channels) {
        return Verifier::offline();
    }
    Verifier::new(config.dns).unwrap_or_else(|error| {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "senders of mail cannot be checked: name a server as `dns`");
        Verifier::offline()
    })
}

/// This process, among those of all machines: for people who ask who leads.
fn who() -> String {
    let machine = rustix::system::uname();
    format!("{}-{}", machine.nodename().to_string_lossy(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_that_stops_ends_the_process_and_one_that_goes_on_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let config = Config::default();
        let log = opened::open(&config, &layout).await.unwrap();
        let stop = CancellationToken::new();
        let watched = tokio::spawn(watch_log(log.log(), stop.clone()));
        tokio::task::yield_now().await;
        assert!(!watched.is_finished());
        log.close().await;
        assert!(watched.await.unwrap().is_err());

        let log = opened::open(&config, &layout).await.unwrap();
        stop.cancel();
        assert!(watch_log(log.log(), stop).await.is_ok());
    }
}
