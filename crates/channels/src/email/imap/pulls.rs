//! Which mailboxes are read here: those whose inbox's first lane is led here, as they are configured now.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use domain::delivery::MailboxMark;
use domain::{InboxId, Lane, Peer, Route, TenantId};
use runtime::Post;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::RootCertStore;
use tokio_util::sync::CancellationToken;

use super::access::Tokens;
use super::pull::{Marks, Pull};
use super::{Access, Limits, Place, metrics};
use crate::{Intake, Outbound};

/// A mailbox with all that is needed to read it.
#[derive(Clone, Debug)]
pub struct Mailbox {
    pub place: Place,
    pub access: Access,
    /// Whom the server's certificate is vouched for by; the public authorities where nothing is said.
    pub roots: Option<Arc<RootCertStore>>,
}

/// Trust is a matter of the whole process, and does not change while it runs.
impl PartialEq for Mailbox {
    fn eq(&self, other: &Self) -> bool {
        (&self.place, &self.access) == (&other.place, &other.access)
    }
}

/// The mailboxes of all inboxes that have one.
pub type Mailboxes = BTreeMap<InboxId, (TenantId, Arc<Mailbox>)>;

/// Reads mailboxes. A clone is a handle by which a worker says what it leads.
#[derive(Clone, Default)]
pub struct Pulls {
    led: Arc<watch::Sender<BTreeMap<Peer, Reign>>>,
}

/// A lane that is led here, since some moment.
#[derive(Clone)]
struct Reign {
    marks: Marks,
}

/// A lane is led here for as long as this lives.
struct Led {
    pulls: Pulls,
    peer: Peer,
    marks: Marks,
}

impl Drop for Led {
    fn drop(&mut self) {
        self.pulls.led.send_if_modified(|led| {
            // Another reign may have begun already.
            let is_ours = led.get(&self.peer).is_some_and(|reign| Arc::ptr_eq(&reign.marks, &self.marks));
            is_ours && led.remove(&self.peer).is_some()
        });
    }
}

/// A pull under way.
struct Running {
    marks: Marks,
    mailbox: Arc<Mailbox>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Pulls {
    /// This partition of delivery is led here from now on; its state knows these marks.
    pub fn lead(&self, peer: Peer, marks: BTreeMap<InboxId, MailboxMark>) -> Box<dyn Any + Send> {
        let marks = Arc::new(Mutex::new(marks));
        let reign = Reign { marks: marks.clone() };
        self.led.send_modify(|led| drop(led.insert(peer, reign)));
        Box::new(Led { pulls: self.clone(), peer, marks })
    }

    /// Reads what is led here until `stop`. Nothing of a mailbox is under way when this returns.
    pub async fn run(
        self,
        post: Post,
        intake: Arc<dyn Intake>,
        outbound: Outbound,
        mut mailboxes: watch::Receiver<Mailboxes>,
        limits: Limits,
        stop: CancellationToken,
    ) {
        metrics::describe();
        let mut led = self.led.subscribe();
        let mut running: BTreeMap<InboxId, Running> = BTreeMap::new();
        loop {
            let wanted = {
                let (led, mailboxes) = (led.borrow_and_update(), mailboxes.borrow_and_update());
                let wanted = mailboxes.iter().filter_map(|(inbox, (tenant, mailbox))| {
                    let lane = Lane { inbox: inbox.clone(), number: 0 };
                    let reign = led.get(&post.topology.peer(&Route::Lane(lane)))?;
                    Some((inbox.clone(), (tenant.clone(), mailbox.clone(), reign.marks.clone())))
                });
                wanted.collect::<BTreeMap<_, _>>()
            };
            let stays = |inbox: &InboxId, pull: &Running| {
                wanted.get(inbox).is_some_and(|(_, mailbox, marks)| {
                    *pull.mailbox == **mailbox && Arc::ptr_eq(&pull.marks, marks)
                })
            };
            let ending: Vec<InboxId> = running
                .iter()
                .filter(|(inbox, pull)| !stays(inbox, pull))
                .map(|(inbox, _)| inbox.clone())
                .collect();
            end(ending.iter().filter_map(|inbox| running.remove(inbox))).await;
            for (inbox, (tenant, mailbox, marks)) in wanted {
                if running.contains_key(&inbox) {
                    continue;
                }
                let pull = Pull {
                    tenant,
                    inbox: inbox.clone(),
                    mailbox: mailbox.clone(),
                    tokens: Tokens::new(outbound.clone()),
                    post: post.clone(),
                    intake: intake.clone(),
                    marks: marks.clone(),
                    limits: limits.clone(),
                };
                let stop = stop.child_token();
                let task = tokio::spawn(pull.run(stop.clone()));
                running.insert(inbox, Running { marks, mailbox, stop, task });
            }
            tokio::select! {
                () = stop.cancelled() => break,
                // The sender is held by `self`.
                _ = led.changed() => {}
                changed = mailboxes.changed() => if changed.is_err() {
                    stop.cancelled().await;
                    break;
                },
            }
        }
        end(running.into_values()).await;
    }
}

async fn end(pulls: impl IntoIterator<Item = Running>) {
    let pulls: Vec<Running> = pulls.into_iter().inspect(|pull| pull.stop.cancel()).collect();
    for pull in pulls {
        if let Err(error) = pull.task.await {
            tracing::error!(%error, "the reading of a mailbox panicked");
        }
    }
}
