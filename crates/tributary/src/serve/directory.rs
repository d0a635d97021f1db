//! The inboxes in force, as the edges and senders see them: policies with their secrets resolved.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use channels::{
    Intake, Outbound, Profile, Sender, Senders,
    email::{self, MailboxIdentity, Relay, RelayConfig, SmtpSender, imap, smtp::Mailboxes},
    generic,
    http::{HttpInbox, Inboxes, MetaInbox, MetaInboxes},
    messenger,
    sandbox::{Outbox, Sandbox},
    smpp, twilio,
};
use domain::{Channel, InboxId, Policies, policy::Inbox};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::{
    config::{Carrier, Config, Secrets, secret, setting},
    mail, meta,
};

/// How long one call to a provider may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Follows the policies and answers from memory.
pub(super) struct Directory {
    inboxes: watch::Sender<HashMap<InboxId, Entry>>,
    mailboxes: RwLock<HashMap<String, InboxId>>,
    /// Those of Meta's, by what its webhooks call them.
    meta: RwLock<Arc<MetaInboxes>>,
    /// Those that are read by IMAP.
    pulled: watch::Sender<imap::Mailboxes>,
    outbox: Option<Arc<Outbox>>,
    outbound: Outbound,
    /// Mailboxes that send by the same relay share its connections.
    relays: Mutex<Vec<Weak<Relay>>>,
    public_url: String,
    config: Config,
    /// Where inboxes that connect by themselves put what comes, and how long they do.
    intake: Arc<dyn Intake>,
    stop: CancellationToken,
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
            meta: RwLock::default(),
            pulled: watch::Sender::default(),
            outbox: Some(
                Outbox::open(shared.layout.outbox()).context("could not open the sandbox's outbox")?,
            ),
            outbound: Outbound::new(PATIENCE).context("could not set up outgoing HTTP")?,
            relays: Mutex::default(),
            public_url: public_url.or(here.map(|here| format!("http://{here}"))).unwrap_or_default(),
            config: shared.config.clone(),
            intake: Arc::new(shared.intake()),
            stop: cancel.clone(),
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
        let mut pulled = imap::Mailboxes::new();
        let each =
            policies.all().flat_map(|policy| policy.inboxes.iter().map(move |it| (&policy.tenant, it)));
        for (tenant, (id, inbox)) in each {
            if inbox.channel == Channel::Email {
                mailboxes.insert(inbox.address.to_lowercase(), id.clone());
                match mail::pulled(&self.config.secrets_of(tenant), inbox) {
                    Ok(Some(mailbox)) => drop(pulled.insert(id.clone(), (tenant.clone(), Arc::new(mailbox)))),
                    Ok(None) => {}
                    Err(error) => tracing::error!(inbox = %id, "its mailbox is not read: {error:#}"),
                }
            }
            let entry = match known.get(id) {
                Some(entry) if entry.inbox == *inbox => entry.clone(),
                _ => self.entry(&self.config.secrets_of(tenant), id, inbox),
            };
            inboxes.insert(id.clone(), entry);
        }
        *self.mailboxes.write().unwrap_or_else(PoisonError::into_inner) = mailboxes;
        let http = inboxes.iter().filter_map(|(id, entry)| Some((id.to_string(), entry.http.clone()?)));
        *self.meta.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(http.collect());
        self.inboxes.send_replace(inboxes);
        self.pulled.send_replace(pulled);
    }

    /// The mailboxes that are read by IMAP, as they are configured.
    pub(super) fn mailboxes(&self) -> watch::Receiver<imap::Mailboxes> {
        self.pulled.subscribe()
    }

    pub(super) fn outbound(&self) -> Outbound {
        self.outbound.clone()
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
            Channel::Messenger | Channel::Instagram | Channel::Whatsapp => {
                let previous = setting(inbox, "app_secret_previous");
                let previous = previous.map(|_| secret(secrets, inbox, "app_secret_previous")).transpose()?;
                let app_secrets = std::iter::once(secret(secrets, inbox, "app_secret")?).chain(previous);
                let ids = std::iter::once(inbox.address.clone()).chain(setting(inbox, "phone_number_id"));
                HttpInbox::Meta(MetaInbox {
                    kind: meta_kind(inbox.channel)?,
                    app_secrets: app_secrets.collect(),
                    verify_token: secret(secrets, inbox, "verify_token")?.into(),
                    ids: ids.collect(),
                    any: inbox.sandbox,
                })
            }
            Channel::Sms => match Carrier::of(inbox).map_err(wrong)? {
                Carrier::Twilio => HttpInbox::Twilio {
                    auth_tokens: Arc::new([secret(secrets, inbox, "auth_token")?]),
                    public_url: self.public_url.as_str().into(),
                    profile: Arc::new(profile(inbox)?),
                },
                Carrier::Smpp => return Ok(None),
                Carrier::Http => self.generic(secrets, inbox, Some(profile(inbox)?))?,
            },
            Channel::Generic => self.generic(secrets, inbox, None)?,
            Channel::Email => return Ok(None),
        }))
    }

    /// What settings describe, in front of our own protocol or a provider's.
    fn generic(
        &self,
        secrets: &Secrets,
        inbox: &Inbox,
        profile: Option<Profile>,
    ) -> anyhow::Result<HttpInbox> {
        let found = |key: &str| secret(secrets, inbox, key).map_err(|error| format!("{error:#}"));
        let provider = generic::Provider::read(&inbox.settings, found).map_err(wrong)?;
        let bearer = match inbox.settings.contains_key("token") || !provider.is_guarded() {
            true => Some(secret(secrets, inbox, "token")?.into()),
            false => None,
        };
        Ok(HttpInbox::Generic {
            bearer,
            provider: Arc::new(provider),
            channel: inbox.channel,
            public_url: self.public_url.as_str().into(),
            profile: profile.map(Arc::new),
        })
    }

    fn generic_sender(&self, secrets: &Secrets, inbox: &Inbox) -> anyhow::Result<Arc<dyn Sender>> {
        let url = setting(inbox, "send_url").ok_or_else(|| anyhow!("the setting `send_url` is missing"))?;
        let bearer = inbox.settings.contains_key("send_token").then(|| secret(secrets, inbox, "send_token"));
        let request = generic::request(&inbox.settings, &inbox.address).map_err(wrong)?;
        let target = generic::Target { url, bearer: bearer.transpose()?, deduplicates: false, request };
        Ok(Arc::new(generic::GenericSender::new(target, self.outbound.clone())))
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
                    base_url: base(meta::GRAPH),
                    version: setting(inbox, "api_version").unwrap_or_else(|| meta::VERSION.into()),
                    sender: setting(inbox, "phone_number_id").unwrap_or_else(|| "me".into()),
                    token: secret(secrets, inbox, "access_token")?,
                    app_secret: Some(secret(secrets, inbox, "app_secret")?),
                    manners: messenger::Manners::read(&inbox.settings).map_err(wrong)?,
                };
                Arc::new(messenger::MetaSender::new(account, outbound))
            }
            Channel::Sms if Carrier::of(inbox).map_err(wrong)? == Carrier::Smpp => {
                let (profile, password) = (profile(inbox)?, secret(secrets, inbox, "password")?);
                let config = smpp::Config::read(&inbox.address, profile.region, password, &inbox.settings)?;
                Arc::new(smpp::Smpp::start(id.as_str(), config, profile, self.intake.clone(), &self.stop)?)
            }
            Channel::Sms if Carrier::of(inbox).map_err(wrong)? == Carrier::Http => {
                self.generic_sender(secrets, inbox)?
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
            Channel::Generic => self.generic_sender(secrets, inbox)?,
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

fn profile(inbox: &Inbox) -> anyhow::Result<Profile> {
    Profile::read(&inbox.settings).map_err(wrong)
}

fn wrong((key, why): (&'static str, String)) -> anyhow::Error {
    anyhow!("the setting `{key}`: {why}")
}

fn meta_kind(channel: Channel) -> anyhow::Result<messenger::Kind> {
    let kind = messenger::Kind::of(channel);
    kind.ok_or_else(|| anyhow!("{} is not one of Meta's channels", channel.as_str()))
}

impl Inboxes for Directory {
    fn http(&self, inbox: &str) -> Option<HttpInbox> {
        let id: InboxId = inbox.parse().ok()?;
        self.inboxes.borrow().get(&id)?.http.clone()
    }

    fn meta(&self) -> Arc<MetaInboxes> {
        self.meta.read().unwrap_or_else(PoisonError::into_inner).clone()
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
