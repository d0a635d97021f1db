//! The way out to one client: bounded, and closed on a client that does not read.
//!
//! A service's task sends into an [`Outlet`]; tonic reads the [`Outflow`] as fast as the client takes it. When the
//! buffer stays full for too long the task ends, and the status it ended with is the last the client reads.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::Status;

use crate::metrics;

/// Where streams run, and how long they bear a client that does not read.
#[derive(Clone)]
pub(crate) struct Streams {
    /// Messages that may wait for one client.
    pub(crate) buffer: usize,
    /// How long the buffer may stay full.
    pub(crate) stall: Duration,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Streams {
    /// Runs a stream's task until it ends, its client leaves, or the server stops.
    pub(crate) fn open<T, F>(&self, service: &'static str, run: impl FnOnce(Outlet<T>) -> F) -> Outflow<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let (sender, items) = mpsc::channel(self.buffer);
        let (end, status) = oneshot::channel();
        let gone = sender.clone();
        let running = run(Outlet { sender, stall: self.stall, service });
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            let _open = metrics::Open::stream(service);
            let ended = tokio::select! {
                ended = running => ended,
                () = gone.closed() => return,
                () = shutdown.cancelled() => {
                    Err(Status::unavailable("this server is stopping: connect again, resume from your last cursor"))
                }
            };
            // If the client has left meanwhile, nobody is there to be told.
            let _ = end.send(ended);
        });
        Outflow { items, status: Some(status) }
    }
}

pub(crate) struct Outlet<T> {
    sender: mpsc::Sender<T>,
    stall: Duration,
    service: &'static str,
}

impl<T> Outlet<T> {
    /// Hands the item on, waiting for the client to make room. An error ends the stream.
    pub(crate) async fn send(&self, item: T) -> Result<(), Status> {
        match tokio::time::timeout(self.stall, self.sender.send(item)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Status::cancelled("the client has left")),
            Err(_) => Err(stalled(self.service)),
        }
    }
}

/// The end of a stream that nobody reads.
pub(crate) fn stalled(service: &'static str) -> Status {
    metrics::dropped(service);
    Status::resource_exhausted(
        "this stream was not read fast enough and is dropped: connect again, resume from your last cursor",
    )
}

/// What tonic reads: the items, then the status the task ended with.
pub(crate) struct Outflow<T> {
    items: mpsc::Receiver<T>,
    status: Option<oneshot::Receiver<Result<(), Status>>>,
}

impl<T> Stream for Outflow<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(item) = ready!(self.items.poll_recv(context)) {
            return Poll::Ready(Some(Ok(item)));
        }
        let Some(status) = &mut self.status else { return Poll::Ready(None) };
        let ended = ready!(Pin::new(status).poll(context));
        self.status = None;
        Poll::Ready(match ended {
            Ok(Ok(())) => None,
            Ok(Err(status)) => Some(Err(status)),
            Err(_) => Some(Err(Status::internal("this stream's task failed"))),
        })
    }
}
