//! Stopping in order: intake first, then what is under way, then the readers.

use std::{future::Future, time::Duration};

use runtime::Setup;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long one client, or one provider, may hold up the stages behind: what it was about is not lost, it is
/// delivered again, or asked about at the next start.
const PATIENCE: Duration = Duration::from_secs(4);

/// The tasks of a process, by the stage at which they are stopped.
pub(super) struct Stages {
    pub(super) edges: CancellationToken,
    pub(super) workers: CancellationToken,
    pub(super) projections: CancellationToken,
    pub(super) api: CancellationToken,
    /// Policies and health: needed to the end.
    pub(super) last: CancellationToken,
    /// Answers and attempts that were begun and may report.
    pub(super) effects: Vec<TaskTracker>,
    edge_tasks: TaskTracker,
    worker_tasks: TaskTracker,
    reader_tasks: TaskTracker,
    failures: (mpsc::UnboundedSender<anyhow::Error>, mpsc::UnboundedReceiver<anyhow::Error>),
}

impl Default for Stages {
    fn default() -> Self {
        Stages {
            edges: CancellationToken::new(),
            workers: CancellationToken::new(),
            projections: CancellationToken::new(),
            api: CancellationToken::new(),
            last: CancellationToken::new(),
            effects: Vec::new(),
            edge_tasks: TaskTracker::new(),
            worker_tasks: TaskTracker::new(),
            reader_tasks: TaskTracker::new(),
            failures: mpsc::unbounded_channel(),
        }
    }
}

impl Stages {
    /// A part that runs to the end; if it fails, the process stops.
    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        part: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let failed = self.failures.0.clone();
        self.reader_tasks.spawn(async move {
            if let Err(error) = part.await {
                // The receiver lives as long as the process.
                let _ = failed.send(error.context(format!("{name} stopped")));
            }
        });
    }

    pub(super) fn spawn_edge(&mut self, name: &'static str, edge: impl Future<Output = ()> + Send + 'static) {
        self.edge_tasks.spawn(async move {
            edge.await;
            tracing::debug!(edge = name, "closed");
        });
    }

    pub(super) fn spawn_workers<A: wire::Codec>(&mut self, setup: Setup<A>, stop: CancellationToken) {
        let failed = self.failures.0.clone();
        self.worker_tasks.spawn(async move {
            if let Err(error) = runtime::run_all(setup, stop).await {
                let _ = failed.send(anyhow::Error::new(error).context("the workers stopped"));
            }
        });
    }

    /// The first failure of a part.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        match self.failures.1.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    pub(super) async fn stop(&mut self) {
        tracing::info!("stopping: no more intake");
        self.edges.cancel();
        soon("edges", ended(&self.edge_tasks)).await;
        tracing::info!("stopping: answers and attempts under way");
        self.effects_ended().await;
        tracing::info!("stopping: workers, with a snapshot each");
        self.workers.cancel();
        ended(&self.worker_tasks).await;
        // What their last decisions began may still report: the log is open.
        self.effects_ended().await;
        tracing::info!("stopping: readers");
        self.projections.cancel();
        self.api.cancel();
        self.last.cancel();
        ended(&self.reader_tasks).await;
        tracing::info!("stopped");
    }

    async fn effects_ended(&self) {
        soon("answers and attempts", async {
            for effects in &self.effects {
                ended(effects).await;
            }
        })
        .await;
    }
}

async fn soon(what: &'static str, end: impl Future<Output = ()>) {
    if tokio::time::timeout(PATIENCE, end).await.is_err() {
        tracing::warn!(what, "stopping goes on without some: they did not end in time");
    }
}

async fn ended(tasks: &TaskTracker) {
    tasks.close();
    tasks.wait().await;
}
