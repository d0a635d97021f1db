//! A subscriber as another service would be: it keeps the cursor of each event it has handled and comes back with
//! it, whatever happens to the connection.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;
use wire::api::v1::{self as pb, subscribe_response::Item};

use super::Api;

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Follower {
    record: Arc<Mutex<Vec<pb::Event>>>,
    task: JoinHandle<()>,
}

impl Follower {
    pub(crate) fn start(api: Api) -> Follower {
        let record = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(follow(api, record.clone()));
        Follower { record, task }
    }

    /// What it has handled, in the order it came, beside all there is: once both are of one length, or after a
    /// while as they are.
    pub(crate) async fn record_and_all(&self, api: &Api) -> (Vec<pb::Event>, Vec<pb::Event>) {
        let began = Instant::now();
        loop {
            let is_late = began.elapsed() > PATIENCE;
            match api.events_after("").await {
                Ok(all) => {
                    let record = self.record.lock().unwrap().clone();
                    if record.len() == all.len() || is_late {
                        return (record, all);
                    }
                }
                Err(status) => assert!(!is_late, "the events cannot be read: {status}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(api: Api, record: Arc<Mutex<Vec<pb::Event>>>) {
    let mut cursor = String::new();
    loop {
        if let Ok(mut stream) = api.subscribe(&cursor).await {
            while let Ok(Some(response)) = stream.message().await {
                match response.item {
                    Some(Item::Event(event)) => {
                        cursor.clone_from(&event.cursor);
                        record.lock().unwrap().push(event);
                    }
                    Some(Item::Checkpoint(pb::Checkpoint { cursor: told }))
                    | Some(Item::CaughtUp(pb::CaughtUp { cursor: told })) => cursor = told,
                    _ => {}
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
