//! The inboxes in force, as the edges and senders see them: policies with their secrets resolved.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use channels::{
    Outbound, Sender, Senders,
    email::{self, MailboxIdentity, Relay, RelayConfig, SmtpSender, smtp::Mailboxes},
    generic,
    http::{HttpInbox, Inboxes},
    messenger,
    sandbox::{Outbox, Sandbox},
    twilio,
};
use domain::{Channel, InboxId, Policies, policy::Inbox};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::{
    config::{Config, Secrets, secret, setting},
    mail,
};

/// How long one call to a provider may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Follows the policies and answers from memory.
pub(super) struct Directory {
    inboxes: watch::Sender<HashMap<InboxId, Entry>>,
    mailboxes: RwLock<HashMap<String, InboxId>>,
    outbox: Option<Arc<Outbox>>,
    outbound: Outbound,
    /// Mailboxes that send by the same relay share its connections.
    relays: Mutex<Vec<Weak<Relay>>>,
    public_url: String,
    config: Config,
}

#[derive(Clone)]
struct Entry {
    inbox: Inbox,
    http: Option<HttpInbox>,
    sender: Option<Arc<dyn Sender>>,
}

impl Directory {
    pub(super) fn start(
        shared: &Shared,
        cancel: CancellationToken,
        http: Option<&TcpListener>,
    ) -> anyhow::Result<Arc<Directory>> {
        let here = http.and_then(|listener| listener.local_addr().ok());
        let public_url = shared.config.public_url.clone();
        let directory = Arc::new(Directory {
            inboxes: watch::Sender::default(),
            mailboxes: RwLock::default(),
            outbox: Some(
                Outbox::open(shared.layout.outbox()).context("could not open the sandbox's outbox")?,
            ),
            outbound: Outbound::new(PATIENCE).context("could not set up outgoing HTTP")?,
            relays: Mutex::default(),
            public_url: public_url.or(here.map(|here| format!("http://{here}"))).unwrap_or_default(),
            config: shared.config.clone(),
        });
        let mut policies = shared.policies.clone();
        directory.adopt(&policies.borrow_and_update());
        let following = directory.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    changed = policies.changed() => if changed.is_err() { return },
                }
                let known = policies.borrow_and_update().clone();
                following.adopt(&known);
            }
        });
        Ok(directory)
    }

    /// Takes over what changed; an inbox that stayed as it was keeps its sender and its connections.
    fn adopt(&self, policies: &Policies) {
        let known = self.inboxes.borrow().clone();
        let mut inboxes = HashMap::new();
        let mut mailboxes = HashMap::new();
        let each =
            policies.all().flat_map(|policy| policy.inboxes.iter().map(move |it| (&policy.tenant, it)));
        for (tenant, (id, inbox)) in each {
            if inbox.channel == Channel::Email {
                mailboxes.insert(inbox.address.to_lowercase(), id.clone());
            }
            let entry = match known.get(id) {
                Some(entry) if entry.inbox == *inbox => entry.clone(),
                _ => self.entry(&self.config.secrets_of(tenant), id, inbox),
            };
            inboxes.insert(id.clone(), entry);
        }
        *self.mailboxes.write().unwrap_or_else(PoisonError::into_inner) = mailboxes;
        self.inboxes.send_replace(inboxes);
    }

    /// Yields once this inbox is known here.
    pub(super) async fn knows(&self, inbox: &InboxId) {
        // The sender lives as long as `self`.
        let _ = self.inboxes.subscribe().wait_for(|known| known.contains_key(inbox)).await;
    }

    fn entry(&self, secrets: &Secrets, id: &InboxId, inbox: &Inbox) -> Entry {
        let or_say = |what: &str, error: anyhow::Error| {
            tracing::error!(inbox = %id, "{what}: {error:#}; `tributary doctor` says more");
        };
        let http = self.http_of(secrets, inbox).unwrap_or_else(|error| {
            or_say("its webhooks are refused", error);
            None
        });
        let sender = match self.sender_of(secrets, id, inbox) {
            Ok(sender) => Some(sender),
            Err(error) => {
                or_say("it cannot send", error);
                None
            }
        };
        Entry { inbox: inbox.clone(), http, sender }
    }

    fn http_of(&self, secrets: &Secrets, inbox: &Inbox) -> anyhow::Result<Option<HttpInbox>> {
        Ok(Some(match inbox.channel {
            Channel::Messenger | Channel::Instagram | Channel::Whatsapp => HttpInbox::Meta {
                kind: meta_kind(inbox.channel)?,
                app_secrets: Arc::new([secret(secrets, inbox, "app_secret")?]),
                verify_token: secret(secrets, inbox, "verify_token")?.into(),
            },
            Channel::Sms => HttpInbox::Twilio {
                auth_tokens: Arc::new([secret(secrets, inbox, "auth_token")?]),
                public_url: self.public_url.as_str().into(),
            },
            Channel::Generic => HttpInbox::Generic { bearer: secret(secrets, inbox, "token")?.into() },
            Channel::Email => return Ok(None),
        }))
    }

    fn sender_of(&self, secrets: &Secrets, id: &InboxId, inbox: &Inbox) -> anyhow::Result<Arc<dyn Sender>> {
        let mailbox = || MailboxIdentity { name: setting(inbox, "name"), address: inbox.address.clone() };
        if inbox.sandbox {
            let outbox = self.outbox.as_ref().ok_or_else(|| anyhow!("there is no sandbox"))?;
            return Ok(match inbox.channel {
                Channel::Email => {
                    let (mailbox, head) = (mailbox(), mail::letterhead(secrets, inbox, &self.public_url)?);
                    let compose = move |message: &_| {
                        email::compose(message, &mailbox, &head).map_err(|error| error.to_string())
                    };
                    Arc::new(Sandbox::email(outbox, id.as_str(), Arc::new(compose))?)
                }
                _ => Arc::new(Sandbox::new(outbox, id.as_str())?),
            });
        }
        let base = |default: &str| setting(inbox, "base_url").unwrap_or_else(|| default.to_owned());
        let outbound = self.outbound.clone();
        Ok(match inbox.channel {
            Channel::Messenger | Channel::Instagram | Channel::Whatsapp => {
                let account = messenger::Account {
                    kind: meta_kind(inbox.channel)?,
                    base_url: base("https://graph.facebook.com"),
                    version: setting(inbox, "api_version").unwrap_or_else(|| "v23.0".into()),
                    sender: setting(inbox, "phone_number_id").unwrap_or_else(|| "me".into()),
                    token: secret(secrets, inbox, "access_token")?,
                };
                Arc::new(messenger::MetaSender::new(account, outbound))
            }
            Channel::Sms => {
                let account = twilio::Account {
                    base_url: base("https://api.twilio.com"),
                    sid: secret(secrets, inbox, "account_sid")?,
                    auth_token: secret(secrets, inbox, "auth_token")?,
                    from: inbox.address.clone(),
                    status_callback: (!self.public_url.is_empty())
                        .then(|| format!("{}/webhooks/twilio/{id}/status", self.public_url)),
                };
                Arc::new(twilio::TwilioSender::new(account, outbound))
            }
            Channel::Generic => {
                let url =
                    setting(inbox, "send_url").ok_or_else(|| anyhow!("the setting `send_url` is missing"))?;
                let bearer =
                    inbox.settings.contains_key("send_token").then(|| secret(secrets, inbox, "send_token"));
                let target = generic::Target { url, bearer: bearer.transpose()?, deduplicates: false };
                Arc::new(generic::GenericSender::new(target, outbound))
            }
            Channel::Email => {
                let relay = self.relay(mail::relay(secrets, inbox)?);
                // Where this process happens to listen is no address for customers.
                let public_url = self.config.public_url.as_deref().unwrap_or_default();
                let head = mail::letterhead(secrets, inbox, public_url)?;
                Arc::new(SmtpSender::over(relay, mailbox(), head, mail::manners(inbox)?)?)
            }
        })
    }

    fn relay(&self, config: RelayConfig) -> Arc<Relay> {
        let relays = &mut *self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        relays.retain(|relay| relay.strong_count() > 0);
        if let Some(known) = relays.iter().filter_map(Weak::upgrade).find(|relay| *relay.config() == config) {
            return known;
        }
        let relay = Arc::new(Relay::new(config));
        relays.push(Arc::downgrade(&relay));
        relay
    }
}

fn meta_kind(channel: Channel) -> anyhow::Result<messenger::Kind> {
    Ok(match channel {
        Channel::Messenger => messenger::Kind::Messenger,
        Channel::Instagram => messenger::Kind::Instagram,
        Channel::Whatsapp => messenger::Kind::Whatsapp,
        other => anyhow::bail!("{} is not one of Meta's channels", other.as_str()),
    })
}

impl Inboxes for Directory {
    fn http(&self, inbox: &str) -> Option<HttpInbox> {
        let id: InboxId = inbox.parse().ok()?;
        self.inboxes.borrow().get(&id)?.http.clone()
    }
}

impl Mailboxes for Directory {
    fn inbox(&self, address: &str) -> Option<String> {
        let mailboxes = self.mailboxes.read().unwrap_or_else(PoisonError::into_inner);
        mailboxes.get(address).map(|id| id.to_string())
    }
}

impl Senders for Directory {
    fn sender(&self, inbox: &InboxId) -> Option<Arc<dyn Sender>> {
        self.inboxes.borrow().get(inbox)?.sender.clone()
    }
}
